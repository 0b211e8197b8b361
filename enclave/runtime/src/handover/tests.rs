//! Releases of one node that hand over to each other, with a host that keeps what it is told to.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{AttestedClaims, Attester as _, Measurement, Policy};
use vettid_crypto::sealed_box::BoxPublic;
use vettid_crypto::{SealingRoot, SecretBytes, SeededEntropy, digest};
use vettid_wire::link::handover::{Handover, Offer, Others};
use vettid_wire::link::sealing::{FromEnclave as Say, ToEnclave};
use vettid_wire::link::{self, FromEnclave, FromHost};
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};
use vettid_wire::time::UnixMillis;
use vettid_wire::{cbor, limits};

use super::secrets::Handed;
use super::*;
use crate::flow::Inflow;
use crate::host_line::HostLine;
use crate::platform::Attester;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const SPACE: SpaceId = SpaceId([0x51; 16]);

/// The machine of one release: program, sealing root and number are alike.
struct Machine {
    attester: EmulatedAttester,
    measurement: Measurement,
    release: u32,
    root: SealingRoot,
}

impl Machine {
    fn new(release: u8) -> Self {
        Self::of(1, release)
    }

    /// Of the development root with this seed.
    fn of(seed: u64, release: u8) -> Self {
        let measurement = measurement([release; 48]).expect("not debug");
        let mut entropy = SeededEntropy::dangerous_new(u64::from(release));
        Self {
            attester: EmulatedAttester::new(development_root(seed), &measurement, &mut entropy),
            measurement,
            release: release.into(),
            root: SealingRoot::from_bytes([release; 32]),
        }
    }
}

impl Attester for Machine {
    fn measurement(&self) -> Measurement {
        self.measurement
    }

    fn release(&self) -> u32 {
        self.release
    }

    fn trust_root(&self) -> TrustRoot {
        network().trust_root
    }

    fn commit(&mut self, _: &[u8; 48]) -> Result<(), PlatformError> {
        Ok(())
    }

    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError> {
        let claims = AttestedClaims {
            user_data: Some(user_data),
            nonce: nonce.map(<[u8; 32]>::as_slice),
            public_key: None,
        };
        let document = self.attester.attest(&claims, NOW);
        document.map_err(|_| PlatformError::NoDocument)
    }
}

fn development_root(seed: u64) -> DevelopmentRoot {
    DevelopmentRoot::generate(NOW, &mut SeededEntropy::dangerous_new(seed))
}

/// A network that accepts programs 1 to 3 as the releases of these numbers.
fn network() -> Network {
    let value = |release: u8| {
        let measured = measurement([release; 48]).expect("not debug");
        ReferenceValue {
            release: release.into(),
            pcr0: *measured.pcr0(),
            pcr1: *measured.pcr1(),
            pcr2: *measured.pcr2(),
            status: ReleaseStatus::Active,
        }
    };
    Network {
        trust_root: TrustRoot::Emulated(development_root(1).certificate().to_vec()),
        governance: vec![GovernanceKey([1; 32])],
        threshold: 1,
        reference_values: vec![value(1), value(2), value(3)],
        release_floor: 1,
        epoch: 1,
        bootstrap: vec![],
        relays: vec![],
    }
}

/// What a host has and does.
struct Host {
    others: ToEnclave,
    durable: bool,
    kept: Vec<Say>,
}

impl Host {
    fn serving(others: Others) -> Self {
        Self {
            others: ToEnclave::Others(Some(others)),
            durable: true,
            kept: Vec::new(),
        }
    }

    /// Answers until the enclave hangs up.
    fn serve(&mut self, mut stream: UnixStream) {
        let (mut received, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut piece).unwrap_or(0);
            if count == 0 {
                return;
            }
            received.extend_from_slice(&piece[..count]);
            while let Some((frame, length)) = link::read(&received).expect("a frame") {
                received.drain(..length);
                let FromEnclave::Sealing(said) = frame else {
                    panic!("{frame:?}");
                };
                let answer = if let Say::Others(_) = said {
                    self.others.clone()
                } else {
                    self.kept.push(said);
                    ToEnclave::Kept(self.durable)
                };
                let mut out = Vec::new();
                assert!(link::write(&FromHost::Sealing(answer), &mut out));
                let _ = stream.write_all(&out);
            }
        }
    }

    /// What was kept that `of` finds.
    fn only<T>(&self, of: impl Fn(&Say) -> Option<T>) -> Option<T> {
        let mut found = self.kept.iter().filter_map(of);
        let first = found.next();
        assert!(found.next().is_none(), "kept twice");
        first
    }

    fn offer(&self) -> Option<Vec<u8>> {
        self.only(|said| match said {
            Say::Offer { offer, .. } => Some(offer.clone()),
            _ => None,
        })
    }

    fn handover(&self) -> Option<Vec<u8>> {
        self.only(|said| match said {
            Say::HandOver { handover, .. } => Some(handover.clone()),
            _ => None,
        })
    }

    fn inheritance(&self) -> Option<Vec<u8>> {
        self.only(|said| match said {
            Say::Inherit(inheritance) => Some(inheritance.clone()),
            _ => None,
        })
    }
}

/// What a machine and a host settle, in `network`.
fn settle_in(
    network: &Network,
    machine: &mut Machine,
    host: &mut Host,
) -> Result<Option<(NodeSecrets, Shared)>, HandoverError> {
    let policy = Policy::of_network(network).expect("a policy");
    let (ours, theirs) = UnixStream::pair().expect("pair");
    thread::scope(|scope| {
        scope.spawn(|| host.serve(theirs));
        let ours = OwnedFd::from(ours);
        let mut inflow = Inflow::new(limits::LINK_FRAME);
        let root = machine.root.expose(|root| SealingRoot::from_bytes(*root));
        let mut settling = Settling {
            platform: machine,
            root: &root,
            network,
            policy: &policy,
        };
        let mut entropy = SeededEntropy::dangerous_new(9);
        settling.settle(&mut HostLine::new(&ours, &mut inflow), &mut entropy)
    })
}

fn settle(machine: &mut Machine, host: &mut Host) -> Result<(NodeSecrets, Shared), HandoverError> {
    Ok(settle_in(&network(), machine, host)?.expect("an offer was not asked for"))
}

/// What `machine` offers.
fn offer_of(machine: &mut Machine) -> Vec<u8> {
    let mut host = Host {
        others: ToEnclave::MakeOffer,
        durable: true,
        kept: Vec::new(),
    };
    let settled = settle_in(&network(), machine, &mut host).expect("an offer");
    assert!(settled.is_none());
    host.offer().expect("kept")
}

fn with_offer(offer: Vec<u8>) -> Others {
    Others {
        offer: Some(offer.into()),
        ..Others::default()
    }
}

fn with_handovers(handovers: impl IntoIterator<Item = Vec<u8>>) -> Others {
    Others {
        handovers: handovers.into_iter().map(Into::into).collect(),
        ..Others::default()
    }
}

fn with_inheritance(inheritance: Vec<u8>) -> Others {
    Others {
        inheritance: Some(inheritance.into()),
        ..Others::default()
    }
}

/// What `earlier` hands over to `later`.
fn handed_over(earlier: &mut Machine, later: &mut Machine) -> Vec<u8> {
    let mut host = Host::serving(with_offer(offer_of(later)));
    settle(earlier, &mut host).expect("serves");
    host.handover().expect("handed over")
}

fn identity(secrets: &NodeSecrets) -> [u8; 32] {
    secrets.identity.expose(|seed| *seed)
}

fn mailbox(secrets: &NodeSecrets) -> [u8; 32] {
    secrets.mailbox.expose(|key| *key)
}

fn shown(keys: Vec<(u32, SealingKey)>) -> Vec<(u32, [u8; 32])> {
    let shown = keys
        .iter()
        .map(|(release, key)| (*release, key.expose(|key| *key)));
    shown.collect()
}

fn refused(machine: &mut Machine, others: Others) -> HandoverError {
    let mut host = Host::serving(others);
    let refused = settle(machine, &mut host).expect_err("refused");
    assert!(host.kept.is_empty(), "{:?}", host.kept);
    refused
}

#[test]
fn first_release_of_a_node_shares_nothing() {
    let mut machine = Machine::new(1);
    let mut host = Host::serving(Others::default());

    let (secrets, shared) = settle(&mut machine, &mut host).expect("serves");

    let first = NodeSecrets::first(&machine.root);
    assert_eq!(identity(&secrets), identity(&first));
    assert_eq!(mailbox(&secrets), mailbox(&first));
    assert!(shared.earlier(SPACE).is_empty() && shared.later(SPACE).is_empty());
    assert!(shared.offered(SPACE).is_none() && !shared.offer_refused && host.kept.is_empty());
}

#[test]
fn later_release_is_the_same_node_and_shares_a_key_of_each_vault() {
    let (mut first, mut second) = (Machine::new(1), Machine::new(2));
    let mut host = Host::serving(with_offer(offer_of(&mut second)));
    let (earlier, sharing) = settle(&mut first, &mut host).expect("serves");
    let (offered, with_later) = sharing.offered(SPACE).expect("offered");
    assert_eq!(offered, Offered::from(&network().reference_values[1]));

    let handover = host.handover().expect("handed over");
    let mut host = Host::serving(with_handovers([handover]));
    let (later, shared) = settle(&mut second, &mut host).expect("serves");

    assert_eq!(identity(&later), identity(&earlier));
    assert_eq!(mailbox(&later), mailbox(&earlier));
    let key = |keys: Vec<(u32, SealingKey)>| shown(keys)[0].1;
    assert_eq!(key(shared.earlier(SPACE)), with_later.expose(|key| *key));
    assert_ne!(
        key(shared.earlier(SpaceId([1; 16]))),
        key(shared.earlier(SPACE))
    );
    assert!(shared.later(SPACE).is_empty());
    // What it has taken over is enough from then on.
    let inheritance = host.inheritance().expect("kept");
    let mut host = Host::serving(with_inheritance(inheritance));
    let (again, same) = settle(&mut second, &mut host).expect("serves");
    assert_eq!(identity(&again), identity(&earlier));
    assert_eq!(shown(same.earlier(SPACE)), shown(shared.earlier(SPACE)));
    assert!(host.kept.is_empty(), "nothing new");
}

#[test]
fn handover_that_is_known_changes_nothing() {
    let (mut first, mut second) = (Machine::new(1), Machine::new(2));
    let handover = handed_over(&mut first, &mut second);
    let mut host = Host::serving(with_handovers([handover.clone()]));
    settle(&mut second, &mut host).expect("serves");
    let others = Others {
        inheritance: host.inheritance().map(Into::into),
        ..with_handovers([handover])
    };

    let mut host = Host::serving(others);
    settle(&mut second, &mut host).expect("serves");

    assert!(host.kept.is_empty());
}

#[test]
fn third_release_shares_with_both_before_it() {
    let [mut first, mut second, mut third] = [1, 2, 3].map(Machine::new);
    let mut host = Host::serving(with_handovers([handed_over(&mut first, &mut second)]));
    settle(&mut second, &mut host).expect("serves");
    let inheritance = host.inheritance().expect("kept");
    let mut host = Host::serving(Others {
        offer: Some(offer_of(&mut third).into()),
        ..with_inheritance(inheritance)
    });
    let (earlier, _) = settle(&mut second, &mut host).expect("serves");
    let both = [
        host.handover().expect("handed over"),
        handed_over(&mut first, &mut third),
    ];

    let mut host = Host::serving(with_handovers(both));
    let (later, shared) = settle(&mut third, &mut host).expect("serves");

    assert_eq!(identity(&later), identity(&earlier));
    let earlier: Vec<_> = shared
        .earlier(SPACE)
        .iter()
        .map(|(from, _)| *from)
        .collect();
    assert_eq!(earlier, [2, 1]);
}

#[test]
fn images_that_a_host_names_are_of_later_releases_and_none_of_them_is_offered() {
    let mut second = Machine::new(2);
    let image = |release| LaterImage {
        release,
        image: [7; 32],
    };
    let mut host = Host::serving(Others {
        later: vec![image(1), image(2), image(3)],
        ..Others::default()
    });

    let (_, shared) = settle(&mut second, &mut host).expect("serves");

    let later: Vec<_> = shared.later(SPACE).iter().map(|(to, _)| *to).collect();
    assert_eq!(later, [3]);
    assert!(shared.offered(SPACE).is_none(), "a name is no offer");
}

#[test]
fn two_images_of_one_number_share_different_keys() {
    let mut other = Machine::new(3);
    other.release = 2;
    let mut renumbered = network();
    renumbered.reference_values[2].release = 2;
    let shares = |later: &mut Machine| {
        let mut host = Host {
            others: ToEnclave::MakeOffer,
            durable: true,
            kept: Vec::new(),
        };
        settle_in(&renumbered, later, &mut host).expect("an offer");
        let mut host = Host::serving(with_offer(host.offer().expect("kept")));
        let settled = settle_in(&renumbered, &mut Machine::new(1), &mut host);
        let (_, shared) = settled.expect("serves").expect("serves");
        let (_, key) = shared.offered(SPACE).expect("offered");
        key.expose(|key| *key)
    };

    assert_ne!(shares(&mut Machine::new(2)), shares(&mut other));
}

/// Alters a network.
type Alters = fn(&mut Network);

#[test]
fn nothing_is_handed_over_to_what_the_network_does_not_accept_as_a_later_release() {
    let offer = || offer_of(&mut Machine::new(2));
    let altered = |alter: fn(&mut Offer)| {
        let mut offer: Offer = cbor::decode_exact(&offer()).expect("an offer");
        alter(&mut offer);
        cbor::encode(&offer)
    };
    let same: Alters = |_| ();
    let cases: [(&str, Vec<u8>, Alters); 11] = [
        ("no offer", vec![1, 2, 3], same),
        ("too large", vec![0; limits::HANDOVER + 1], same),
        ("its own", offer_of(&mut Machine::new(1)), same),
        ("another key", altered(|offer| offer.key[0] ^= 1), same),
        ("another number", altered(|offer| offer.release = 3), same),
        ("no document", altered(|offer| offer.document.clear()), same),
        ("another root", offer_of(&mut Machine::of(2, 2)), same),
        ("not listed", offer(), |network| {
            network.reference_values.truncate(1);
        }),
        ("listed as another", offer(), |network| {
            network.reference_values[1].release = 4;
        }),
        ("retired", offer(), |network| {
            network.reference_values[1].status = ReleaseStatus::Retired;
        }),
        ("below the floor", offer(), |network| {
            network.release_floor = 3
        }),
    ];
    for (why, offer, alter) in cases {
        let mut network = network();
        alter(&mut network);
        let mut host = Host::serving(with_offer(offer));

        let settled = settle_in(&network, &mut Machine::new(1), &mut host);

        let Ok(Some((_, shared))) = settled else {
            panic!("{why}: {settled:?}");
        };
        assert!(
            shared.offer_refused && shared.offered(SPACE).is_none(),
            "{why}"
        );
        assert!(host.kept.is_empty(), "{why}: {:?}", host.kept);
    }
}

#[test]
fn later_release_hands_nothing_back() {
    let mut host = Host::serving(with_offer(offer_of(&mut Machine::new(1))));

    let (_, shared) = settle(&mut Machine::new(2), &mut host).expect("serves");

    assert!(shared.offer_refused && host.kept.is_empty());
}

#[test]
fn nothing_is_taken_over_but_from_an_earlier_release_of_the_network() {
    let handover = || handed_over(&mut Machine::new(1), &mut Machine::new(2));
    let altered = |alter: fn(&mut Handover)| {
        let mut handover: Handover = cbor::decode_exact(&handover()).expect("a handover");
        alter(&mut handover);
        cbor::encode(&handover)
    };
    let cases = [
        ("none", vec![1, 2, 3], HandoverError::Damaged),
        (
            "too large",
            vec![0; limits::HANDOVER + 1],
            HandoverError::Damaged,
        ),
        (
            "for another release",
            handed_over(&mut Machine::new(1), &mut Machine::new(3)),
            HandoverError::Damaged,
        ),
        (
            "altered",
            altered(|handover| handover.sealed[0] ^= 1),
            HandoverError::NotEarlier,
        ),
        (
            "said to be of another",
            altered(|handover| handover.from = 3),
            HandoverError::NotEarlier,
        ),
        (
            "said to be for another",
            altered(|handover| handover.to = 3),
            HandoverError::Damaged,
        ),
        (
            "without a document",
            altered(|handover| handover.document.clear()),
            HandoverError::NotEarlier,
        ),
    ];
    for (why, handover, error) in cases {
        let others = with_handovers([handover]);
        assert_eq!(refused(&mut Machine::new(2), others), error, "{why}");
    }
}

/// A handover that anybody could seal, with whatever document he has.
fn forged(document: impl FnOnce(&[u8; 48]) -> Vec<u8>) -> Vec<u8> {
    let offer: Offer = cbor::decode_exact(&offer_of(&mut Machine::new(2))).expect("an offer");
    let secrets = NodeSecrets::first(&SealingRoot::from_bytes([0x66; 32]));
    let plain = Handed::encode(&secrets, &HandoverRoot::from_bytes([0x66; 32]));
    let context: [&[u8]; 2] = [&1_u32.to_be_bytes(), &2_u32.to_be_bytes()];
    let mut entropy = SeededEntropy::dangerous_new(3);
    let sealed = BoxPublic(offer.key)
        .seal(Label::Handover, &context, &plain, &mut entropy)
        .expect("sealed");
    let network = cbor::encode(&network().id());
    let parts: [&[u8]; 4] = [&network, context[0], context[1], &sealed];
    let digest = digest::labeled384(Label::HandoverDocument, &parts);
    cbor::encode(&Handover {
        from: 1,
        to: 2,
        document: document(&digest),
        sealed,
    })
}

#[test]
fn handover_that_no_earlier_image_made_is_refused() {
    let by =
        |mut machine: Machine| forged(|digest| machine.document(digest, None).expect("a document"));

    for (why, machine) in [
        ("an image that nobody lists", Machine::new(7)),
        ("the later image itself", Machine::new(2)),
        ("a later image", Machine::new(3)),
        ("another root", Machine::of(2, 1)),
    ] {
        let others = with_handovers([by(machine)]);
        let error = refused(&mut Machine::new(2), others);
        assert_eq!(error, HandoverError::NotEarlier, "{why}");
    }
    let own = with_handovers([by(Machine::new(1))]);
    let mut host = Host::serving(own);
    assert!(
        settle(&mut Machine::new(2), &mut host).is_ok(),
        "the image itself may"
    );
}

#[test]
fn document_about_something_else_makes_no_handover() {
    let evidence = |_: &[u8; 48]| {
        Machine::new(1)
            .document(&[5; 48], None)
            .expect("a document")
    };

    let error = refused(&mut Machine::new(2), with_handovers([forged(evidence)]));

    assert_eq!(error, HandoverError::NotEarlier);
}

#[test]
fn what_a_retired_release_handed_over_is_taken_all_the_same() {
    let handover = handed_over(&mut Machine::new(1), &mut Machine::new(2));
    let mut network = network();
    network.reference_values[0].status = ReleaseStatus::Retired;
    network.release_floor = 2;
    let mut host = Host::serving(with_handovers([handover]));

    let settled = settle_in(&network, &mut Machine::new(2), &mut host);

    assert!(matches!(settled, Ok(Some(_))), "{settled:?}");
}

#[test]
fn with_an_inheritance_a_handover_that_does_not_count_changes_nothing() {
    let mut second = Machine::new(2);
    let handover = handed_over(&mut Machine::new(1), &mut second);
    let mut host = Host::serving(with_handovers([handover]));
    let (before, _) = settle(&mut second, &mut host).expect("serves");
    let inheritance = host.inheritance().expect("kept");
    // Made by the right image, of another node.
    let foreign = forged(|digest| Machine::new(1).document(digest, None).expect("a document"));
    for handover in [vec![1, 2, 3], foreign] {
        let mut host = Host::serving(Others {
            inheritance: Some(inheritance.clone().into()),
            ..with_handovers([handover])
        });

        let (after, shared) = settle(&mut second, &mut host).expect("serves");

        assert!(shared.handover_refused);
        assert_eq!(identity(&after), identity(&before));
        assert!(host.kept.is_empty(), "{:?}", host.kept);
    }
}

#[test]
fn inheritance_of_another_image_or_altered_is_refused() {
    let mut second = Machine::new(2);
    let handover = handed_over(&mut Machine::new(1), &mut second);
    let mut host = Host::serving(with_handovers([handover]));
    settle(&mut second, &mut host).expect("serves");
    let inheritance = host.inheritance().expect("kept");
    let mut altered = inheritance.clone();
    *altered.last_mut().expect("bytes") ^= 1;

    for (machine, inheritance) in [(&mut Machine::new(3), inheritance), (&mut second, altered)] {
        let error = refused(machine, with_inheritance(inheritance));
        assert_eq!(error, HandoverError::Inheritance);
    }
}

#[test]
fn handover_does_in_the_place_of_an_inheritance_that_does_not_open() {
    let mut second = Machine::new(2);
    let handover = handed_over(&mut Machine::new(1), &mut second);
    let mut host = Host::serving(Others {
        inheritance: Some(vec![0; 100].into()),
        ..with_handovers([handover])
    });

    let (_, shared) = settle(&mut second, &mut host).expect("serves");

    assert!(shared.handover_refused);
    assert_eq!(shared.earlier(SPACE).len(), 1);
    assert!(host.inheritance().is_some(), "another one is kept");
}

#[test]
fn one_bad_handover_beside_a_good_one_is_told_and_keeps_nothing_away() {
    let mut second = Machine::new(2);
    let good = handed_over(&mut Machine::new(1), &mut second);
    for both in [[good.clone(), vec![1]], [vec![1], good]] {
        let mut host = Host::serving(with_handovers(both));

        let (_, shared) = settle(&mut second, &mut host).expect("serves");

        assert!(shared.handover_refused);
        assert_eq!(shared.earlier(SPACE).len(), 1);
    }
}

#[test]
fn what_an_earlier_release_shared_under_an_earlier_root_stays() {
    let mut second = Machine::new(2);
    let first = handed_over(&mut Machine::new(1), &mut second);
    let mut host = Host::serving(with_handovers([first]));
    settle(&mut second, &mut host).expect("serves");
    let inheritance = host.inheritance().expect("kept");
    let mut third = Machine::new(3);
    let of_second = |machine: &mut Machine, third: &mut Machine| {
        let mut host = Host::serving(Others {
            offer: Some(offer_of(third).into()),
            ..with_inheritance(inheritance.clone())
        });
        settle(machine, &mut host).expect("serves");
        host.handover().expect("handed over")
    };
    let before = of_second(&mut second, &mut third);
    // The root of the second is another one by now, and the first has handed over to it again.
    second.root = SealingRoot::from_bytes([0x22; 32]);
    let again = handed_over(&mut Machine::new(1), &mut second);
    let mut host = Host::serving(Others {
        offer: Some(offer_of(&mut third).into()),
        ..with_handovers([again])
    });
    settle(&mut second, &mut host).expect("serves");
    let after = host.handover().expect("handed over");

    let mut host = Host::serving(with_handovers([before, after]));
    let (_, shared) = settle(&mut third, &mut host).expect("serves");

    let keys = shown(shared.earlier(SPACE));
    assert_eq!((keys.len(), keys[0].0, keys[1].0), (2, 2, 2));
    assert_ne!(keys[0].1, keys[1].1);
}

#[test]
fn release_that_is_not_to_serve_or_is_told_too_much_does_not() {
    let mut host = Host::serving(Others::default());
    host.others = ToEnclave::Others(None);
    let error = settle(&mut Machine::new(2), &mut host).expect_err("refused");
    assert_eq!(error, HandoverError::NotToServe(2));

    let many = limits::RELEASES + 1;
    let error = refused(&mut Machine::new(2), with_handovers(vec![vec![]; many]));
    assert_eq!(error, HandoverError::TooMany);
    let image = LaterImage {
        release: 3,
        image: [0; 32],
    };
    let later = Others {
        later: vec![image; many],
        ..Others::default()
    };
    assert_eq!(refused(&mut Machine::new(2), later), HandoverError::TooMany);
}

#[test]
fn what_the_host_does_not_keep_stops_the_boot() {
    let (mut first, mut second) = (Machine::new(1), Machine::new(2));
    let offer = offer_of(&mut second);
    let handover = handed_over(&mut first, &mut second);
    let lossy = |others: ToEnclave| Host {
        others,
        durable: false,
        kept: Vec::new(),
    };
    let serve = |others| ToEnclave::Others(Some(others));

    for (machine, others) in [
        (&mut first, serve(with_offer(offer))),
        (&mut second, serve(with_handovers([handover]))),
        (&mut Machine::new(2), ToEnclave::MakeOffer),
    ] {
        let settled = settle_in(&network(), machine, &mut lossy(others));
        assert_eq!(settled.err(), Some(HandoverError::NotKept));
    }
}
