//! One session with the vault, on its envelopes: bytes and time in, bytes and messages out.

use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{
    Error, Established, Initiator, InitiatorProgress, InitiatorTerms, KnownEnclave,
};
use vettid_wire::cbor;
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, SessionId, SpaceId};
use vettid_wire::request::FromVault;
use vettid_wire::time::UnixMillis;

use crate::entropy::OsEntropy;
use crate::trust::{Trust, TrustError, forgets_document, verdict};

/// Keys of the device and its place on the bus.
pub(crate) struct Endpoint {
    pub(crate) key: SigningKey,
    pub(crate) static_key: X25519Secret,
    pub(crate) space: SpaceId,
    pub(crate) route: DeviceRoute,
}

/// One session. An error or a reset ends it.
pub(crate) struct Session {
    id: SessionId,
    route: DeviceRoute,
    state: State,
}

enum State {
    Open(Box<Established>),
    Opening(Box<Initiator>),
    Ended,
}

/// What came of one envelope.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// Of another session, or a part of something: nothing to do.
    Nothing,
    /// Send these; the handshake goes on.
    Send(Vec<Vec<u8>>),
    /// Both sides are proven. What to remember is in the trust.
    Opened,
    /// Messages of the vault, in their order.
    Messages(Vec<FromVault>),
}

/// Why a session ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Frames were lost or altered, time is up, or the vault said so: open another.
    Broken,
    /// The node names a document that is forgotten here: open another without it.
    Forgotten,
    /// The peer does not know the session, or cannot open the vault.
    Reset,
    /// A message of the vault cannot be read.
    Unreadable,
    /// The peer is not to be trusted.
    Untrusted(TrustError),
}

impl Session {
    /// Begins a session; the first envelope to send.
    pub(crate) fn start(
        endpoint: &Endpoint,
        trust: &mut Trust,
        known: Option<KnownEnclave>,
        now: UnixMillis,
    ) -> Result<(Self, Vec<u8>), Ended> {
        let anchor = trust.anchor();
        let mut terms = InitiatorTerms::app(
            anchor.network,
            endpoint.space,
            anchor.node,
            endpoint.key.verifying_key(),
            &endpoint.static_key,
        );
        if let Some(known) = known {
            terms = terms.knowing(known);
        }
        let (initiator, frame) = Initiator::start(&terms, trust.verifier(), now, &mut OsEntropy)
            .map_err(|error| ended(&error))?;
        let session = Self {
            id: SessionId::random(&mut OsEntropy),
            route: endpoint.route,
            state: State::Opening(Box::new(initiator)),
        };
        let envelope = session.wrap(Kind::Handshake, &frame);
        Ok((session, envelope))
    }

    /// Whether requests can be sealed.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Takes an envelope from the bus. Whatever is not of this session says nothing.
    pub(crate) fn handle(
        &mut self,
        bytes: &[u8],
        endpoint: &Endpoint,
        trust: &mut Trust,
        now: UnixMillis,
    ) -> Result<Arrived, Ended> {
        let Ok(envelope) = Envelope::parse(bytes) else {
            return Ok(Arrived::Nothing);
        };
        if envelope.session != self.id || envelope.device != self.route {
            return Ok(Arrived::Nothing);
        }
        match (
            envelope.kind,
            core::mem::replace(&mut self.state, State::Ended),
        ) {
            (Kind::Reset, _) => Err(Ended::Reset),
            (Kind::Handshake, State::Opening(initiator)) => {
                self.opening(*initiator, envelope.body, endpoint, trust, now)
            }
            (Kind::Transport, State::Open(established)) => {
                self.open_frame(established, envelope.body, now)
            }
            // A handshake frame in an open session, or the other way round: a host that repeats or
            // invents. The session can go on without it.
            (_, state) => {
                self.state = state;
                Ok(Arrived::Nothing)
            }
        }
    }

    /// Seals requests, in their order, into as few envelopes as they fit.
    pub(crate) fn seal(
        &mut self,
        now: UnixMillis,
        messages: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, Ended> {
        let State::Open(established) = &mut self.state else {
            return Err(Ended::Broken);
        };
        let frames = established
            .seal_all(now, messages)
            .map_err(|error| ended(&error))?;
        Ok(frames
            .iter()
            .map(|frame| self.wrap(Kind::Transport, frame))
            .collect())
    }

    /// What spares the next session the document.
    pub(crate) fn known_enclave(&self) -> Option<KnownEnclave> {
        match &self.state {
            State::Open(established) => established.known_enclave(),
            State::Opening(_) | State::Ended => None,
        }
    }

    fn opening(
        &mut self,
        initiator: Initiator,
        frame: &[u8],
        endpoint: &Endpoint,
        trust: &mut Trust,
        now: UnixMillis,
    ) -> Result<Arrived, Ended> {
        let progress = initiator.handle(now, frame, trust.verifier());
        match progress.map_err(|error| ended(&error))? {
            InitiatorProgress::NeedEvidence {
                frame,
                claim,
                state,
            } => {
                let evidence = claim.prove_with_key(&endpoint.key);
                let (initiator, shown) = state
                    .supply(now, &evidence)
                    .map_err(|error| ended(&error))?;
                self.state = State::Opening(Box::new(initiator));
                let frames = [frame, shown];
                Ok(Arrived::Send(
                    frames
                        .iter()
                        .map(|frame| self.wrap(Kind::Handshake, frame))
                        .collect(),
                ))
            }
            InitiatorProgress::Open(established) => {
                trust
                    .admit(established.peer(), now)
                    .map_err(Ended::Untrusted)?;
                self.state = State::Open(Box::new(established));
                Ok(Arrived::Opened)
            }
        }
    }

    fn open_frame(
        &mut self,
        mut established: Box<Established>,
        frame: &[u8],
        now: UnixMillis,
    ) -> Result<Arrived, Ended> {
        let messages = established
            .open_all(now, frame)
            .map_err(|error| ended(&error))?;
        self.state = State::Open(established);
        let messages: Result<Vec<FromVault>, _> = messages
            .iter()
            .map(|message| cbor::decode(message))
            .collect();
        messages
            .map(Arrived::Messages)
            .map_err(|_| Ended::Unreadable)
    }

    fn wrap(&self, kind: Kind, body: &[u8]) -> Vec<u8> {
        Envelope {
            kind,
            device: self.route,
            session: self.id,
            body,
        }
        .to_bytes()
    }
}

fn ended(error: &Error) -> Ended {
    if forgets_document(error) {
        return Ended::Forgotten;
    }
    verdict(error).map_or(Ended::Broken, Ended::Untrusted)
}
