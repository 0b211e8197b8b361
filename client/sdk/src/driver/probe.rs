//! Whether an enclave of a later release has the vault, asked before anything else is sent to it.
//!
//! A vault moves by its owner's approval. An enclave of a later release that does not have it says so;
//! then the release is not remembered, so that the device goes on at the one that has the vault.

use vettid_wire::id::RequestId;
use vettid_wire::operation::vault::Status;
use vettid_wire::refusal::Code;
use vettid_wire::request::Outcome;

use super::driving::{Driver, lock};
use crate::call::{self, Prepared};
use crate::error::Error;
use crate::transport::Dial;

/// A question that nothing else is sent before.
pub(super) struct Probe {
    question: Prepared,
    sent: bool,
}

impl Probe {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            question: call::prepare(&Status {})?,
            sent: false,
        })
    }
}

impl<D: Dial> Driver<D> {
    /// Asks, once a session.
    pub(super) async fn probe(&mut self) {
        let now = self.parts.clock.now();
        let (Some(probe), Some(session)) = (&mut self.probe, &mut self.session) else {
            return;
        };
        if probe.sent {
            return;
        }
        probe.sent = true;
        match session.seal(now, &[&probe.question.message]) {
            Ok(envelopes) => self.publish(envelopes).await,
            Err(ended) => self.ended(ended).await,
        }
    }

    /// Whether a reply is the answer.
    pub(super) fn is_probe(&self, id: RequestId) -> bool {
        let probe = self.probe.as_ref();
        probe.is_some_and(|probe| probe.question.id == id)
    }

    /// Takes the answer. Only what needs a header that this release has opened shows that the vault is
    /// there; whatever else a host can bring about must not make the device forget where it was.
    pub(super) fn probed(&mut self, outcome: &Outcome) {
        self.probe = None;
        let refused = match outcome {
            Outcome::Done(_) | Outcome::Sealed(_) => None,
            Outcome::Refused(refusal) => match refusal.code {
                Code::UnknownDevice => None,
                Code::NotEnrolled if self.sets_up() => None,
                _ => Some(refusal.clone()),
            },
        };
        if let Some(refusal) = refused {
            return self.failed(&Error::Refused(refusal));
        }
        lock(&self.parts.trust).found();
        if let Err(error) = self.remember() {
            self.failed(&error);
        }
    }
}
