//! Opening side of a session: frames and time in; frames, a claim or a session out.

use vettid_crypto::ml_kem::DecapsulationKey;
use vettid_crypto::{Entropy, WipedVec};
use vettid_wire::time::UnixMillis;
use vettid_wire::{cbor, limits};

use crate::bound::{Bound, Wanted};
use crate::channel::{Channel, Content, EVIDENCE, LARGEST_EVIDENCE_FRAME};
use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::established::Established;
use crate::evidence::{Evidence, Shown};
use crate::identity::{Identity, Role};
use crate::message::{self, Challenge, Hello, Reply};
use crate::noise::{Handshake, Psk};
use crate::prologue::Prologue;
use crate::rekey::Schedule;
use crate::statement::Claim;
use crate::terms::InitiatorTerms;
use crate::verifier::Verifier;

/// Opening side of a session that is not open yet. An error ends it; there is no second attempt.
#[derive(Debug)]
pub struct Initiator {
    deadline: UnixMillis,
    state: State,
}

/// What an initiator's driver does next.
#[derive(Debug)]
pub enum InitiatorProgress {
    /// Send `frame`, obtain this side's evidence for `claim`, and supply it.
    NeedEvidence {
        /// The third handshake message.
        frame: Vec<u8>,
        /// What must be proven.
        claim: Claim,
        /// Takes the evidence.
        state: ProvingInitiator,
    },
    /// Both sides are proven.
    Open(Established),
}

/// An initiator that owes its evidence.
#[derive(Debug)]
pub struct ProvingInitiator {
    pub(crate) bound: Bound,
    pub(crate) channel: Channel,
}

#[derive(Debug)]
enum State {
    ExpectEvidence(Box<ProvingInitiator>),
    ExpectReply(Box<ExpectReply>),
}

#[derive(Debug)]
struct ExpectReply {
    noise: Handshake,
    kem: DecapsulationKey,
    asking: Challenge,
    prologue: Prologue,
    own: Identity,
    wanted: Wanted,
    policy_epoch: u64,
    schedule: Schedule,
}

impl Initiator {
    /// Begins a session; the first frame to send. The handshake must be complete within
    /// [`limits::HANDSHAKE_TIME`].
    pub fn start(
        terms: &InitiatorTerms<'_>,
        verifier: &Verifier,
        now: UnixMillis,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, Vec<u8>), Error> {
        let policy_epoch = verifier.policy.epoch();
        let known = terms.known_document(policy_epoch, now);
        let mut nonce = [0; 32];
        entropy.fill(&mut nonce);
        let kem = DecapsulationKey::generate(entropy);
        let prologue = terms.prologue.to_bytes();
        let mut noise = Handshake::new(Role::Initiator, terms.static_key, &prologue, entropy)?;
        let hello = Hello::new(kem.encapsulation_key())?;
        let message = noise.write(&cbor::encode(&hello))?;
        let state = State::ExpectReply(Box::new(ExpectReply {
            noise,
            kem,
            asking: Challenge::new(nonce, known),
            prologue: terms.prologue,
            own: terms.own,
            wanted: Wanted::Enclave {
                node: Some(terms.node),
                identity: Some(terms.prologue.responder),
            },
            policy_epoch,
            schedule: terms.schedule,
        }));
        let deadline = now.plus(limits::HANDSHAKE_TIME);
        Ok((Self { deadline, state }, message::with_version(&message)))
    }

    /// Takes the responder's next frame. `verifier` decides on its evidence.
    pub fn handle(
        self,
        now: UnixMillis,
        frame: &[u8],
        verifier: &mut Verifier,
    ) -> Result<InitiatorProgress, Error> {
        if now >= self.deadline {
            return Err(PeerMisbehaved::TooSlow.into());
        }
        match self.state {
            State::ExpectReply(state) => state.handle(now, frame, self.deadline),
            State::ExpectEvidence(state) => {
                let ProvingInitiator { bound, mut channel } = *state;
                let evidence = open_evidence(&mut channel, frame, now)?;
                let peer = bound.prove(Shown::parse(&evidence)?, Some(verifier), now)?;
                Ok(InitiatorProgress::Open(Established::new(
                    channel, &bound, peer, now,
                )))
            }
        }
    }
}

impl ProvingInitiator {
    /// Takes this side's evidence; the frame to send. The responder's evidence is next.
    pub fn supply(
        mut self,
        now: UnixMillis,
        evidence: &Evidence,
    ) -> Result<(Initiator, Vec<u8>), Error> {
        let frame = seal_evidence(&mut self.channel, &self.bound, evidence, now)?;
        let deadline = self.bound.deadline;
        Ok((
            Initiator {
                deadline,
                state: State::ExpectEvidence(Box::new(self)),
            },
            frame,
        ))
    }
}

impl ExpectReply {
    fn handle(
        mut self,
        now: UnixMillis,
        frame: &[u8],
        deadline: UnixMillis,
    ) -> Result<InitiatorProgress, Error> {
        message::check_size(frame)?;
        let reply: Reply = message::decode(&self.noise.read(frame)?)?;
        let shared = self
            .kem
            .decapsulate(&*reply.ciphertext)
            .map_err(|_| PeerMisbehaved::Malformed)?;
        self.noise.set_psk(&Psk::derive(&shared))?;
        let frame = self.noise.write(&cbor::encode(&self.asking))?;
        let (transcript, transport) = self.noise.finish()?;
        let bound = Bound {
            prologue: self.prologue,
            role: Role::Initiator,
            own: self.own,
            wanted: self.wanted,
            policy_epoch: self.policy_epoch,
            transcript,
            asked: self.asking,
            asked_by_peer: reply.challenge,
            deadline,
        };
        let claim = bound.claim(self.prologue.responder);
        let channel = Channel::new(transport, self.schedule, now);
        let state = ProvingInitiator { bound, channel };
        Ok(InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        })
    }
}

/// Seals this side's evidence, if it comes in time.
pub(crate) fn seal_evidence(
    channel: &mut Channel,
    bound: &Bound,
    evidence: &Evidence,
    now: UnixMillis,
) -> Result<Vec<u8>, Error> {
    if now >= bound.deadline {
        return Err(Misuse::TooLate.into());
    }
    let body = evidence.to_body(bound.own, bound.policy_epoch)?;
    channel.seal(EVIDENCE, &body, now)
}

/// Opens the frame that must hold evidence.
pub(crate) fn open_evidence(
    channel: &mut Channel,
    frame: &[u8],
    now: UnixMillis,
) -> Result<WipedVec, Error> {
    match channel.open(frame, LARGEST_EVIDENCE_FRAME, now)? {
        Content::Evidence(body) => Ok(body),
        Content::Batch(_) | Content::Piece(_) => Err(PeerMisbehaved::ApplicationTooEarly.into()),
        Content::Rekey => Err(PeerMisbehaved::Malformed.into()),
    }
}
