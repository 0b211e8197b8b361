//! One session with a vault, frame by frame.

use std::collections::VecDeque;
use std::time::Duration;

use vettid_attestation::Policy;
use vettid_crypto::{Entropy, WipedVec};
use vettid_session::{
    Established, Initiator, InitiatorProgress, InitiatorTerms, KnownEnclave, Verifier,
};
use vettid_wire::cbor;
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, RequestId, SessionId};
use vettid_wire::operation::vault;
use vettid_wire::request::{FromVault, Operation, Outcome, Reply, Request};
use vettid_wire::subject;
use vettid_wire::{Secret, request};

use super::{BusLine, Fault, RawApp, Said, SystemEntropy, now};
use crate::wait;

/// An open session.
pub struct RawSession {
    /// The connection it goes over.
    pub line: BusLine,
    /// Newest head that a reply told.
    pub head: Option<request::Head>,
    /// How long an answer may take.
    pub patience: Duration,
    /// Numbers of feed notices, as they came.
    pub notices: Vec<u64>,
    established: Established,
    /// Messages that came together with an earlier one.
    waiting: VecDeque<WipedVec>,
    session: SessionId,
    route: DeviceRoute,
    subject: String,
}

impl RawSession {
    /// Opens a session over a connection that hears the device's subject; `patience` is for
    /// each answer, then and later.
    ///
    /// # Errors
    /// When the vault cannot be opened or refuses the device.
    pub fn open(app: &RawApp, line: BusLine, patience: Duration) -> Result<Self, Fault> {
        let policy = Policy::of_network(&app.network).map_err(|_| Fault::Malformed("network"))?;
        let mut verifier = Verifier::new(policy);
        let mut opening = Opening {
            line,
            session: SessionId(SystemEntropy.bytes()),
            route: app.route,
            subject: subject::for_vault(app.space),
            patience,
        };
        let key = app.device.verifying_key();
        let terms =
            InitiatorTerms::app(app.network.id(), app.space, app.node, key, &app.session_key);
        let (initiator, frame) = Initiator::start(&terms, &verifier, now(), &mut SystemEntropy)?;
        opening.send(&frame)?;
        let progress = initiator.handle(now(), &opening.next()?, &mut verifier)?;
        let InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        } = progress
        else {
            return Err(Fault::Malformed("session without evidence"));
        };
        opening.send(&frame)?;
        let (initiator, frame) = state.supply(now(), &claim.prove_with_key(&app.device))?;
        opening.send(&frame)?;
        let progress = initiator.handle(now(), &opening.next()?, &mut verifier)?;
        let InitiatorProgress::Open(established) = progress else {
            return Err(Fault::Malformed("session without evidence"));
        };
        let Opening {
            line,
            session,
            route,
            subject,
            patience,
        } = opening;
        Ok(Self {
            line,
            head: None,
            patience,
            notices: vec![],
            established,
            waiting: VecDeque::new(),
            session,
            route,
            subject,
        })
    }

    /// What the enclave showed.
    #[must_use]
    pub fn enclave(&self) -> Option<KnownEnclave> {
        self.established.known_enclave()
    }

    /// Calls an operation that needs no proof.
    ///
    /// # Errors
    /// When the vault refuses or the session breaks.
    pub fn call<O: Operation>(&mut self, body: &O) -> Result<O::Reply, Fault> {
        self.ask(&request_of(body))
    }

    /// Sends a request and reads the reply to it.
    ///
    /// # Errors
    /// When the vault refuses or the session breaks.
    pub fn ask<R: cbor::Wire>(&mut self, request: &Request) -> Result<R, Fault> {
        self.send(request)?;
        match self.reply(request.id)?.outcome {
            Outcome::Done(body) => read(&body),
            Outcome::Refused(refusal) => Err(Fault::Refused(refusal)),
            Outcome::Sealed(_) => Err(Fault::Malformed("sealed reply")),
        }
    }

    /// Unlocks with a PIN and the newest head that was seen.
    ///
    /// # Errors
    /// When the vault refuses or the session breaks.
    pub fn unlock(
        &mut self,
        pin: &str,
        seen: Option<request::Head>,
    ) -> Result<vault::Unlocked, Fault> {
        self.call(&vault::Unlock {
            pin: Secret::from(pin),
            seen,
        })
    }

    /// Seals and sends a request.
    ///
    /// # Errors
    /// When the session or the connection broke.
    pub fn send(&mut self, request: &Request) -> Result<(), Fault> {
        self.send_bytes(&cbor::encode(request))
    }

    /// Seals and sends anything as a message.
    ///
    /// # Errors
    /// When the session or the connection broke.
    pub fn send_bytes(&mut self, message: &[u8]) -> Result<(), Fault> {
        self.seal(message)?
            .iter()
            .try_for_each(|envelope| self.publish(envelope))
    }

    /// The envelopes that carry a message, not sent yet.
    ///
    /// # Errors
    /// When the session broke.
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let frames = self.established.seal(now(), message)?;
        let envelope = |body: &Vec<u8>| {
            let (device, session) = (self.route, self.session);
            Envelope {
                kind: Kind::Transport,
                device,
                session,
                body,
            }
            .to_bytes()
        };
        Ok(frames.iter().map(envelope).collect())
    }

    /// Sends an envelope as it is.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn publish(&mut self, envelope: &[u8]) -> Result<(), Fault> {
        self.line.publish(&self.subject, envelope)
    }

    /// The reply to one request; other replies are passed over.
    ///
    /// # Errors
    /// When none comes, the session is reset or breaks.
    pub fn reply(&mut self, id: RequestId) -> Result<Reply, Fault> {
        loop {
            match self.hear(self.patience)? {
                FromVault::Reply(reply) if reply.id == id => return Ok(reply),
                FromVault::Closing => return Err(Fault::Closed),
                FromVault::Feed(_) | FromVault::Messages(_) | FromVault::Reply(_) => {}
            }
        }
    }

    /// What ends the session; all that comes before is passed over.
    ///
    /// # Panics
    /// When it goes on for ever.
    pub fn end(&mut self) -> Fault {
        wait::until("an end of the session", || self.hear(self.patience).err())
    }

    /// What the vault says next.
    ///
    /// # Errors
    /// When nothing comes, the session is reset or breaks.
    pub fn hear(&mut self, patience: Duration) -> Result<FromVault, Fault> {
        loop {
            let Some(message) = self.waiting.pop_front() else {
                let frame = next_frame(&mut self.line, self.session, patience)?;
                self.waiting
                    .extend(self.established.open_all(now(), &frame)?);
                continue;
            };
            let heard = cbor::decode(&message).map_err(|_| Fault::Malformed("message"))?;
            match &heard {
                FromVault::Reply(reply) => self.head = reply.head.or(self.head),
                FromVault::Feed(sequence) => self.notices.push(*sequence),
                FromVault::Closing | FromVault::Messages(_) => {}
            }
            return Ok(heard);
        }
    }
}

/// A request of an operation that needs no proof, under a fresh id.
pub fn request_of<O: Operation>(body: &O) -> Request {
    Request {
        id: RequestId(SystemEntropy.bytes()),
        operation: O::NAME.to_owned(),
        body: Secret::new(cbor::encode(body)),
        proof: None,
    }
}

pub(super) fn read<R: cbor::Wire>(body: &Secret) -> Result<R, Fault> {
    body.expose(|body| cbor::decode(body).map_err(|_| Fault::Malformed("reply")))
}

/// A session that is not open yet.
struct Opening {
    line: BusLine,
    session: SessionId,
    route: DeviceRoute,
    subject: String,
    patience: Duration,
}

impl Opening {
    fn send(&mut self, body: &[u8]) -> Result<(), Fault> {
        let (device, session) = (self.route, self.session);
        let envelope = Envelope {
            kind: Kind::Handshake,
            device,
            session,
            body,
        };
        self.line.publish(&self.subject, &envelope.to_bytes())
    }

    fn next(&mut self) -> Result<Vec<u8>, Fault> {
        next_frame(&mut self.line, self.session, self.patience)
    }
}

/// The body of the next envelope of a session.
fn next_frame(
    line: &mut BusLine,
    session: SessionId,
    patience: Duration,
) -> Result<Vec<u8>, Fault> {
    loop {
        match line.next(patience)? {
            Said::Closed => return Err(Fault::Closed),
            Said::Error(error) => return Err(Fault::Bus(error)),
            Said::Pong => {}
            Said::Message(_, payload) => {
                let envelope =
                    Envelope::parse(&payload).map_err(|_| Fault::Malformed("envelope"))?;
                if envelope.session != session {
                    continue;
                }
                if envelope.kind == Kind::Reset {
                    return Err(Fault::Reset);
                }
                return Ok(envelope.body.to_vec());
            }
        }
    }
}
