//! Evidence of this enclave for the sessions of its vaults, and for its own with other enclaves.
//!
//! One binding key a boot, one bundle a host connection, and documents over that bundle: one that
//! anybody may be shown, renewed before it is too old, and one with the peer's nonce on first
//! contact. A vault process gets statements as the space whose socket asked, to a device, as
//! responder; statements as the node are made for the supervisor's own sessions alone.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use vettid_attestation::Bundle;
use vettid_crypto::digest::sha256;
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_session::{Claim, Evidence as Shown, Identity, Role, Statement, Transcript};
use vettid_wire::id::{NetworkId, NodeId, SpaceId};
use vettid_wire::limits;

use crate::lane::{EvidenceAnswer, EvidenceQuestion};
use crate::platform::Attester;

/// A document is shown or counted on for this long; it must still be young when it is appraised.
const DOCUMENT_USE: Duration = Duration::from_millis(limits::DOCUMENT_AGE * 5 / 6);

/// Documents with a nonce, made a second at most: each costs the platform a signature.
const DOCUMENTS_A_SECOND: u32 = 256;

/// How many of them vaults get; the rest is for sessions of the node.
const FOR_VAULTS: u32 = 192;

/// How many of them one vault gets, whose owner can ask for as many as it likes.
const FOR_ONE_VAULT: u32 = 16;

/// Documents that are remembered as shown.
const REMEMBERED: usize = 16_384;

/// What this enclave shows in its sessions.
#[derive(Debug)]
pub struct Evidence {
    binding: SigningKey,
    bundle: Vec<u8>,
    node: NodeId,
    network: NetworkId,
    epoch: u64,
    current: Option<(Vec<u8>, Duration)>,
    made: Made,
    budget: Budget,
}

impl Evidence {
    /// Evidence under `binding` for what `bundle` says.
    #[must_use]
    pub fn new(binding: SigningKey, bundle: &Bundle, network: NetworkId, epoch: u64) -> Self {
        Self {
            binding,
            bundle: bundle.to_bytes(),
            node: bundle.node,
            network,
            epoch,
            current: None,
            made: Made::default(),
            budget: Budget::default(),
        }
    }

    /// Answers the vault process of `space`. `now` is a clock that does not go back.
    pub(crate) fn answer(
        &mut self,
        attester: &mut impl Attester,
        space: SpaceId,
        question: &EvidenceQuestion,
        now: Duration,
    ) -> Result<EvidenceAnswer, NotMade> {
        let asked = (&question.nonce, question.known);
        let document = self.document(attester, asked, Some(space), now)?;
        let statement = Statement {
            role: Role::Responder,
            transcript: Transcript(question.transcript),
            own: Identity::Space(space),
            peer: Identity::Device(VerifyingKey(question.peer)),
            network: self.network,
            policy_epoch: self.epoch,
        };
        Ok(EvidenceAnswer {
            document,
            bundle: self.bundle.clone(),
            signature: statement.sign(&self.binding).0,
        })
    }

    /// Evidence of this node for a session of its supervisor; none for a claim of anybody else.
    pub(crate) fn prove(
        &mut self,
        attester: &mut impl Attester,
        claim: &Claim,
        now: Duration,
    ) -> Result<Shown, NotMade> {
        let statement = &claim.statement;
        let is_of_this_node = statement.own == Identity::Node(self.node)
            && matches!(statement.peer, Identity::Node(peer) if peer != self.node);
        if !is_of_this_node || statement.network != self.network {
            return Err(NotMade::Foreign);
        }
        if statement.policy_epoch != self.epoch {
            return Err(NotMade::OtherEpoch);
        }
        let asked = (&claim.nonce, claim.known_document);
        let document = self.document(attester, asked, None, now)?;
        Ok(claim.prove_with_document(document, self.bundle.clone(), &self.binding))
    }

    /// Signs in another epoch of the network's policy from now on.
    pub(crate) const fn adopt(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The document that a peer of a vault, or of the node, needs; none when it knows one that still
    /// counts.
    fn document(
        &mut self,
        attester: &mut impl Attester,
        (nonce, known): (&[u8; 32], Option<[u8; 32]>),
        vault: Option<SpaceId>,
        now: Duration,
    ) -> Result<Option<Vec<u8>>, NotMade> {
        match known {
            Some(known) if self.made.is_young(&known, now) => return Ok(None),
            Some(known) if self.made.has(&known) => self.current(attester, now),
            // Of an earlier boot, or made up: what was not appraised cannot be renewed.
            Some(_) | None => self.made_for(attester, nonce, vault, now),
        }
        .map(Some)
    }

    /// The document for anybody, made anew when it gets old.
    fn current(&mut self, attester: &mut impl Attester, now: Duration) -> Result<Vec<u8>, NotMade> {
        if let Some((document, made)) = &self.current
            && now.saturating_sub(*made) < DOCUMENT_USE
        {
            return Ok(document.clone());
        }
        let document = attester
            .document(&Bundle::commitment(&self.bundle), None)
            .map_err(|_| NotMade::Platform)?;
        self.made.add(&document, now);
        self.current = Some((document.clone(), now));
        Ok(document)
    }

    fn made_for(
        &mut self,
        attester: &mut impl Attester,
        nonce: &[u8; 32],
        vault: Option<SpaceId>,
        now: Duration,
    ) -> Result<Vec<u8>, NotMade> {
        if !self.budget.spend(vault, now) {
            return Err(NotMade::TooMany);
        }
        let commitment = Bundle::commitment(&self.bundle);
        let document = attester.document(&commitment, Some(nonce));
        let document = document.map_err(|_| NotMade::Platform)?;
        self.made.add(&document, now);
        Ok(document)
    }
}

/// Why nothing is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotMade {
    /// It would be of another node or network.
    Foreign,
    /// It would be in another policy epoch: a newer network file came in between.
    OtherEpoch,
    /// The platform makes no document.
    Platform,
    /// As many documents as a second has were made.
    TooMany,
}

/// Documents over the present bundle that peers may have appraised.
#[derive(Debug, Default)]
struct Made {
    at: HashMap<[u8; 32], Duration>,
    order: VecDeque<[u8; 32]>,
}

impl Made {
    fn add(&mut self, document: &[u8], now: Duration) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.at.remove(&oldest);
        }
        let hash = sha256(document);
        self.at.insert(hash, now);
        self.order.push_back(hash);
    }

    fn has(&self, hash: &[u8; 32]) -> bool {
        self.at.contains_key(hash)
    }

    fn is_young(&self, hash: &[u8; 32], now: Duration) -> bool {
        self.at
            .get(hash)
            .is_some_and(|made| now.saturating_sub(*made) < DOCUMENT_USE)
    }
}

/// Documents that may still be made within the present second.
#[derive(Debug, Default)]
struct Budget {
    second: u64,
    spent: u32,
    by_vaults: HashMap<SpaceId, u32>,
}

impl Budget {
    /// Takes one, for a vault or for the node.
    fn spend(&mut self, vault: Option<SpaceId>, now: Duration) -> bool {
        if self.second != now.as_secs() {
            *self = Self {
                second: now.as_secs(),
                ..Self::default()
            };
        }
        let most = match vault {
            None => DOCUMENTS_A_SECOND,
            Some(space) => {
                let own = self.by_vaults.entry(space).or_default();
                if *own >= FOR_ONE_VAULT {
                    return false;
                }
                *own = own.saturating_add(1);
                FOR_VAULTS
            }
        };
        if self.spent >= most {
            return false;
        }
        self.spent = self.spent.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::PlatformError;
    use vettid_attestation::Measurement;
    use vettid_crypto::sign::Signature;
    use vettid_wire::id::{NetworkKind, NodeId};
    use vettid_wire::network::TrustRoot;

    const NETWORK: NetworkId = NetworkId {
        kind: NetworkKind::Emulated,
        anchors: [3; 32],
    };

    /// Makes "documents" that say what they were asked for.
    struct Plain(u32);

    impl Attester for Plain {
        fn release(&self) -> u32 {
            1
        }

        fn measurement(&self) -> Measurement {
            Measurement::new([1; 48], [2; 48], [3; 48]).expect("not debug")
        }

        fn trust_root(&self) -> TrustRoot {
            TrustRoot::Nitro
        }

        fn commit(&mut self, _: &[u8; 48]) -> Result<(), PlatformError> {
            Ok(())
        }

        fn document(
            &mut self,
            user_data: &[u8; 48],
            nonce: Option<&[u8; 32]>,
        ) -> Result<Vec<u8>, PlatformError> {
            self.0 += 1;
            Ok([
                user_data.as_slice(),
                nonce.map_or(&[], |n| n.as_slice()),
                &self.0.to_be_bytes(),
            ]
            .concat())
        }
    }

    fn binding() -> SigningKey {
        SigningKey::from_seed(&[8; 32])
    }

    fn evidence() -> Evidence {
        let bundle = Bundle::new(
            binding().verifying_key(),
            NodeId([1; 32]),
            &[],
            None,
            1,
            [2; 32],
        )
        .expect("bundle");
        Evidence::new(binding(), &bundle, NETWORK, 4)
    }

    fn question(nonce: u8, known: Option<[u8; 32]>) -> EvidenceQuestion {
        EvidenceQuestion {
            ticket: 1,
            transcript: [5; 32],
            peer: [6; 32],
            nonce: [nonce; 32],
            known,
        }
    }

    const SPACE: SpaceId = SpaceId([7; 16]);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_signed_names_the_space_whose_socket_asked_and_nobody_else() {
        let answer = evidence()
            .answer(&mut Plain(0), SPACE, &question(1, None), at(0))
            .expect("answer");
        let statement = |space| Statement {
            role: Role::Responder,
            transcript: Transcript([5; 32]),
            own: Identity::Space(space),
            peer: Identity::Device(VerifyingKey([6; 32])),
            network: NETWORK,
            policy_epoch: 4,
        };
        let (key, signature) = (binding().verifying_key(), Signature(answer.signature));

        assert_eq!(statement(SPACE).verify(&key, &signature), Ok(()));
        assert!(
            statement(SpaceId([8; 16]))
                .verify(&key, &signature)
                .is_err()
        );
    }

    fn claim(own: Identity, peer: Identity, role: Role) -> Claim {
        Claim {
            statement: Statement {
                role,
                transcript: Transcript([5; 32]),
                own,
                peer,
                network: NETWORK,
                policy_epoch: 4,
            },
            nonce: [9; 32],
            known_document: None,
        }
    }

    const NODE: Identity = Identity::Node(NodeId([1; 32]));
    const PEER: Identity = Identity::Node(NodeId([2; 32]));

    #[test]
    fn the_node_speaks_for_itself_in_both_roles() {
        for role in [Role::Initiator, Role::Responder] {
            let claim = claim(NODE, PEER, role);

            let shown = evidence().prove(&mut Plain(0), &claim, at(0));

            let Ok(Shown::Enclave { signature, .. }) = shown else {
                panic!("no evidence");
            };
            let key = binding().verifying_key();
            assert_eq!(claim.statement.verify(&key, &signature), Ok(()));
        }
    }

    #[test]
    fn the_node_speaks_for_nobody_else_to_nobody_but_a_node_and_in_no_other_epoch() {
        let other = |change: fn(&mut Statement)| {
            let mut claim = claim(NODE, PEER, Role::Initiator);
            change(&mut claim.statement);
            evidence().prove(&mut Plain(0), &claim, at(0))
        };
        assert!(other(|_| {}).is_ok());

        assert_eq!(other(|s| s.own = PEER), Err(NotMade::Foreign));
        assert_eq!(
            other(|s| s.own = Identity::Space(SPACE)),
            Err(NotMade::Foreign)
        );
        assert_eq!(other(|s| s.peer = NODE), Err(NotMade::Foreign));
        assert_eq!(
            other(|s| s.peer = Identity::Space(SPACE)),
            Err(NotMade::Foreign)
        );
        assert_eq!(
            other(|s| s.network.anchors = [9; 32]),
            Err(NotMade::Foreign)
        );
        assert_eq!(other(|s| s.policy_epoch = 3), Err(NotMade::OtherEpoch));
    }

    #[test]
    fn no_question_of_a_vault_process_is_answered_as_a_node() {
        let mut asked = question(1, None);
        asked.peer = [2; 32];
        let answer = evidence().answer(&mut Plain(0), SPACE, &asked, at(0));

        let (key, signature) = (
            binding().verifying_key(),
            Signature(answer.expect("answer").signature),
        );
        for role in [Role::Initiator, Role::Responder] {
            for own in [NODE, Identity::Space(SPACE)] {
                let statement = claim(own, PEER, role).statement;
                assert!(statement.verify(&key, &signature).is_err());
            }
        }
    }

    #[test]
    fn first_contact_gets_a_document_with_its_own_nonce() {
        let mut evidence = evidence();
        let answer = evidence
            .answer(&mut Plain(0), SPACE, &question(9, None), at(0))
            .expect("answer");

        let document = answer.document.expect("document");
        assert_eq!(document[..48], Bundle::commitment(&answer.bundle));
        assert_eq!(document[48..80], [9; 32]);
    }

    #[test]
    fn who_knows_a_young_document_gets_none_and_who_knows_an_old_one_the_current_one() {
        let (mut evidence, mut platform) = (evidence(), Plain(0));
        let first = evidence.answer(&mut platform, SPACE, &question(9, None), at(0));
        let known = sha256(&first.expect("answer").document.expect("document"));

        let young = evidence.answer(&mut platform, SPACE, &question(1, Some(known)), at(2_999));
        let old = evidence.answer(&mut platform, SPACE, &question(1, Some(known)), at(3_000));
        let again = evidence.answer(&mut platform, SPACE, &question(2, Some(known)), at(3_001));

        assert_eq!(young.expect("answer").document, None);
        let current = old.expect("answer").document.expect("document");
        assert_eq!(current.len(), 52, "without a nonce");
        assert_eq!(again.expect("answer").document, Some(current));
        assert_eq!(platform.0, 2, "one document for everybody");
    }

    #[test]
    fn who_knows_a_document_of_an_earlier_boot_gets_one_with_its_own_nonce() {
        let asked = question(9, Some([1; 32]));
        let answer = evidence().answer(&mut Plain(0), SPACE, &asked, at(0));

        let document = answer.expect("answer").document.expect("document");
        assert_eq!(document[48..80], [9; 32]);
    }

    #[test]
    fn the_current_document_is_renewed_before_it_is_an_hour_old() {
        let (mut evidence, mut platform) = (evidence(), Plain(0));
        let shown = evidence.answer(&mut platform, SPACE, &question(1, None), at(0));
        let known = sha256(&shown.expect("answer").document.expect("document"));
        let ask = question(1, Some(known));
        let first = evidence.answer(&mut platform, SPACE, &ask, at(3_000));
        let same = evidence.answer(&mut platform, SPACE, &ask, at(5_000));
        let renewed = evidence.answer(&mut platform, SPACE, &ask, at(6_000));

        assert_eq!(first, same);
        assert_ne!(first, renewed);
    }

    #[test]
    fn documents_for_first_contacts_are_rationed_so_that_no_vault_takes_them_all() {
        let (mut evidence, mut platform) = (evidence(), Plain(0));
        let mut asks = |space: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&space.to_be_bytes());
            let question = question(1, None);
            let answer = evidence.answer(&mut platform, SpaceId(id), &question, at(1));
            answer.is_ok()
        };
        let first = (0..20).filter(|_| asks(0)).count();
        let others = (1..1_000).filter(|space| asks(*space)).count();

        assert_eq!(first, 16);
        assert_eq!(first + others, 192);
        let claim = claim(NODE, PEER, Role::Initiator);
        for _ in 192..256 {
            assert!(evidence.prove(&mut platform, &claim, at(1)).is_ok());
        }
        let spent = evidence.prove(&mut platform, &claim, at(1));
        assert_eq!(spent, Err(NotMade::TooMany));
        let later = evidence.answer(&mut platform, SPACE, &question(1, None), at(2));
        assert!(later.is_ok());
    }
}
