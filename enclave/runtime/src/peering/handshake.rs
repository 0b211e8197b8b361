//! One session until both sides have proven who they are.

use core::fmt;

use vettid_crypto::Entropy;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{
    Claim, Established, Evidence, Initiator, InitiatorProgress, InitiatorTerms, KnownEnclave,
    Responder, ResponderProgress, ResponderTerms, Verifier,
};
use vettid_wire::id::{NetworkId, NodeId};
use vettid_wire::link::federation::{Admitted, NotAdmitted};
use vettid_wire::time::UnixMillis;

use super::admission::{Wanted, admit, reason};

/// What a machine is given for one step: the time, randomness, and this enclave's evidence.
pub(crate) struct Turn<'a> {
    /// Time of day.
    pub(crate) now: UnixMillis,
    /// Fresh randomness.
    pub(crate) entropy: &'a mut dyn Entropy,
    /// Makes this enclave's evidence as its node; none when none can be made now.
    pub(crate) prove: &'a mut dyn FnMut(&Claim) -> Option<Evidence>,
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What every session of this enclave brings.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) network: NetworkId,
    pub(super) node: NodeId,
    pub(super) static_key: X25519Secret,
    pub(super) verifier: Verifier,
}

/// A session that is not open yet.
#[derive(Debug)]
pub(super) enum Handshake {
    /// The other side begins.
    ExpectHello,
    /// This side has begun.
    Initiating(Initiator),
    /// The other side has.
    Responding(Responder),
}

/// What a frame led to.
#[derive(Debug)]
pub(super) enum Step {
    /// Both sides are proven and the peer is admitted.
    Open(Box<Established>, Admitted, Vec<u8>),
    /// More is to come; frames to send first.
    Wait(Handshake, Vec<Vec<u8>>),
}

impl Handshake {
    /// Begins a session with the node that is wanted; the first frame.
    pub(super) fn begin(
        own: &Own,
        wanted: &Wanted,
        known: Option<KnownEnclave>,
        turn: &mut Turn<'_>,
    ) -> Result<(Self, Vec<u8>), NotAdmitted> {
        let mut terms =
            InitiatorTerms::enclave(own.network, own.node, wanted.node, &own.static_key)
                .introduced();
        if let Some(known) = known {
            terms = terms.knowing(known);
        }
        let started = Initiator::start(&terms, &own.verifier, turn.now, turn.entropy);
        let (initiator, frame) = started.map_err(|error| reason(&error))?;
        Ok((Self::Initiating(initiator), frame))
    }

    /// Takes the next frame of the other side.
    pub(super) fn step(
        self,
        own: &mut Own,
        wanted: &Wanted,
        known: impl FnOnce() -> Option<KnownEnclave>,
        frame: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<Step, NotAdmitted> {
        match self {
            Self::ExpectHello => accept(own, wanted, known(), frame, turn),
            Self::Initiating(initiator) => initiate(initiator, own, wanted, frame, turn),
            Self::Responding(responder) => respond(responder, own, wanted, frame, turn),
        }
    }
}

fn accept(
    own: &Own,
    wanted: &Wanted,
    known: Option<KnownEnclave>,
    frame: &[u8],
    turn: &mut Turn<'_>,
) -> Result<Step, NotAdmitted> {
    let epoch = own.verifier.policy.epoch();
    let mut terms = ResponderTerms::enclave(own.network, own.node, epoch, &own.static_key)
        .expecting(wanted.node);
    if let Some(known) = known {
        terms = terms.knowing(known);
    }
    let accepted = Responder::accept(&terms, turn.now, frame, turn.entropy);
    let (responder, frame) = accepted.map_err(|error| reason(&error))?;
    Ok(Step::Wait(Handshake::Responding(responder), vec![frame]))
}

fn initiate(
    initiator: Initiator,
    own: &mut Own,
    wanted: &Wanted,
    frame: &[u8],
    turn: &mut Turn<'_>,
) -> Result<Step, NotAdmitted> {
    match initiator
        .handle(turn.now, frame, &mut own.verifier)
        .map_err(|error| reason(&error))?
    {
        InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        } => {
            let evidence = (turn.prove)(&claim).ok_or(NotAdmitted::Unready)?;
            let supplied = state.supply(turn.now, &evidence);
            let (initiator, shown) = supplied.map_err(|error| reason(&error))?;
            let frames = vec![frame, shown];
            Ok(Step::Wait(Handshake::Initiating(initiator), frames))
        }
        InitiatorProgress::Open(session) => {
            let admitted = admit(session.peer(), wanted, turn.now)?;
            Ok(Step::Open(Box::new(session), admitted, Vec::new()))
        }
    }
}

fn respond(
    responder: Responder,
    own: &mut Own,
    wanted: &Wanted,
    frame: &[u8],
    turn: &mut Turn<'_>,
) -> Result<Step, NotAdmitted> {
    match responder
        .handle(turn.now, frame, Some(&mut own.verifier))
        .map_err(|error| reason(&error))?
    {
        ResponderProgress::Wait(responder) => {
            Ok(Step::Wait(Handshake::Responding(responder), Vec::new()))
        }
        ResponderProgress::NeedEvidence { claim, state } => {
            // Whoever is not admitted gets no evidence of this enclave.
            let admitted = admit(state.peer(), wanted, turn.now)?;
            let evidence = (turn.prove)(&claim).ok_or(NotAdmitted::Unready)?;
            let supplied = state.supply(turn.now, &evidence);
            let (session, frame) = supplied.map_err(|error| reason(&error))?;
            Ok(Step::Open(Box::new(session), admitted, frame))
        }
    }
}
