//! Answering side of a session: frames and time in; frames, a claim or a session out.

use vettid_crypto::{Entropy, ml_kem};
use vettid_wire::time::UnixMillis;
use vettid_wire::{cbor, limits};

use crate::bound::{Bound, ProvenPeer, Wanted};
use crate::channel::Channel;
use crate::error::{Error, PeerMisbehaved};
use crate::established::Established;
use crate::evidence::{Evidence, Shown};
use crate::identity::Role;
use crate::initiator::{open_evidence, seal_evidence};
use crate::message::{self, Challenge, Hello, Reply};
use crate::noise::{Handshake, Psk};
use crate::prologue::Prologue;
use crate::rekey::Schedule;
use crate::statement::Claim;
use crate::terms::ResponderTerms;
use crate::verifier::Verifier;

/// Answering side of a session that is not open yet. An error ends it; there is no second attempt.
#[derive(Debug)]
pub struct Responder {
    deadline: UnixMillis,
    state: State,
}

/// What a responder's driver does next.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart as soon as it is returned"
)]
pub enum ResponderProgress {
    /// Obtain this side's evidence for `claim`, and supply it. The peer is proven.
    NeedEvidence {
        /// What must be proven.
        claim: Claim,
        /// Takes the evidence.
        state: ProvingResponder,
    },
    /// Nothing to send: the initiator's evidence is next.
    Wait(Responder),
}

/// A responder that owes its evidence. It knows the initiator.
#[derive(Debug)]
pub struct ProvingResponder {
    pub(crate) bound: Bound,
    pub(crate) channel: Channel,
    peer: ProvenPeer,
}

#[derive(Debug)]
enum State {
    ExpectEvidence(Box<ExpectEvidence>),
    ExpectFinish(Box<ExpectFinish>),
}

#[derive(Debug)]
struct ExpectFinish {
    noise: Handshake,
    asking: Challenge,
    prologue: Prologue,
    wanted: Wanted,
    policy_epoch: u64,
    schedule: Schedule,
}

#[derive(Debug)]
struct ExpectEvidence {
    bound: Bound,
    channel: Channel,
}

impl Responder {
    /// Answers the first frame of an initiator; the frame to send. The handshake must be complete
    /// within [`limits::HANDSHAKE_TIME`].
    pub fn accept(
        terms: &ResponderTerms<'_>,
        now: UnixMillis,
        frame: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(Self, Vec<u8>), Error> {
        message::check_size(frame)?;
        let first = message::without_version(frame)?;
        let prologue = terms.prologue.to_bytes();
        let mut noise = Handshake::new(Role::Responder, terms.static_key, &prologue, entropy)?;
        let hello: Hello = message::decode(&noise.read(first)?)?;
        let (ciphertext, shared) = ml_kem::encapsulate(&*hello.encapsulation_key, entropy)
            .map_err(|_| PeerMisbehaved::Malformed)?;
        let mut nonce = [0; 32];
        entropy.fill(&mut nonce);
        let asking = Challenge::new(nonce, terms.known_document(now));
        let frame = noise.write(&cbor::encode(&Reply::new(ciphertext, asking)?))?;
        noise.set_psk(&Psk::derive(&shared))?;
        let state = State::ExpectFinish(Box::new(ExpectFinish {
            noise,
            asking,
            prologue: terms.prologue,
            wanted: terms.wanted,
            policy_epoch: terms.policy_epoch,
            schedule: terms.schedule,
        }));
        Ok((
            Self {
                deadline: now.plus(limits::HANDSHAKE_TIME),
                state,
            },
            frame,
        ))
    }

    /// Takes the initiator's next frame. `verifier` decides on the evidence of an enclave; a device
    /// or backend needs none.
    pub fn handle(
        self,
        now: UnixMillis,
        frame: &[u8],
        verifier: Option<&mut Verifier>,
    ) -> Result<ResponderProgress, Error> {
        let deadline = self.deadline;
        if now >= deadline {
            return Err(PeerMisbehaved::TooSlow.into());
        }
        match self.state {
            State::ExpectFinish(state) => {
                let state = State::ExpectEvidence(Box::new(state.handle(now, frame, deadline)?));
                Ok(ResponderProgress::Wait(Self { deadline, state }))
            }
            State::ExpectEvidence(state) => {
                let ExpectEvidence { bound, mut channel } = *state;
                let evidence = open_evidence(&mut channel, frame, now)?;
                let peer = bound.prove(Shown::parse(&evidence)?, verifier, now)?;
                let claim = bound.claim(peer.identity());
                let state = ProvingResponder {
                    bound,
                    channel,
                    peer,
                };
                Ok(ResponderProgress::NeedEvidence { claim, state })
            }
        }
    }
}

impl ProvingResponder {
    /// The initiator. A caller that does not want it drops the session here.
    #[must_use]
    pub const fn peer(&self) -> &ProvenPeer {
        &self.peer
    }

    /// Takes this side's evidence; the open session, and the frame to send.
    pub fn supply(
        mut self,
        now: UnixMillis,
        evidence: &Evidence,
    ) -> Result<(Established, Vec<u8>), Error> {
        let frame = seal_evidence(&mut self.channel, &self.bound, evidence, now)?;
        Ok((
            Established::new(self.channel, &self.bound, self.peer, now),
            frame,
        ))
    }
}

impl ExpectFinish {
    fn handle(
        mut self,
        now: UnixMillis,
        frame: &[u8],
        deadline: UnixMillis,
    ) -> Result<ExpectEvidence, Error> {
        message::check_size(frame)?;
        let asked_by_peer: Challenge = message::decode(&self.noise.read(frame)?)?;
        let (transcript, transport) = self.noise.finish()?;
        let bound = Bound {
            prologue: self.prologue,
            role: Role::Responder,
            own: self.prologue.responder,
            wanted: self.wanted,
            policy_epoch: self.policy_epoch,
            transcript,
            asked: self.asking,
            asked_by_peer,
            deadline,
        };
        let channel = Channel::new(transport, self.schedule, now);
        Ok(ExpectEvidence { bound, channel })
    }
}
