//! Whether an enclave has the vault that this device has seen, asked before anything else is sent to it.
//!
//! The question names the newest record seen. A vault that does not have it, since it was rolled back
//! or is a copy that went its own way, says so: then nothing of what was asked is sent to it.
//!
//! A vault moves by its owner's approval. An enclave of a later release that does not have it says so;
//! then the release is not remembered, so that the device goes on at the one that has the vault.

use tokio::time::Instant;
use vettid_wire::id::RequestId;
use vettid_wire::operation::vault::Status;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{Head, Outcome};

use super::driving::{Driver, lock};
use crate::call::{self, Prepared};
use crate::error::Error;
use crate::transport::Dial;

/// A question that nothing else is sent before.
pub(super) struct Probe {
    question: Prepared,
    /// Whether it names a record that was seen.
    names_head: bool,
    /// Whether it is asked of a later release than the vault was found at.
    new_release: bool,
    sent: bool,
}

impl Probe {
    fn new(seen: Option<Head>, new_release: bool) -> Result<Self, Error> {
        Ok(Self {
            question: call::prepare(&Status { seen })?,
            names_head: seen.is_some(),
            new_release,
            sent: false,
        })
    }

    /// Whether a refusal says that the log is not the one of which something was seen. A vault without
    /// any is none of which something was.
    const fn shows_another_log(&self, code: Code) -> bool {
        matches!(code, Code::RolledBack) || matches!(code, Code::NotEnrolled) && self.names_head
    }

    /// Whether its answer is due.
    pub(super) const fn is_sent(&self) -> bool {
        self.sent
    }
}

impl<D: Dial> Driver<D> {
    /// Has the session that was opened begin with the question, if there is anything to ask.
    pub(super) fn begin_with_probe(&mut self) -> Result<(), Error> {
        let seen = self.parts.keeper.head();
        let new_release = lock(&self.parts.trust).is_new_release();
        if seen.is_some() || new_release {
            self.probe = Some(Probe::new(seen, new_release)?);
        }
        Ok(())
    }

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
        self.quiet_since = Instant::now();
        match session.seal(now, &[&probe.question.message]) {
            Ok(envelopes) => self.publish(envelopes).await,
            Err(ended) => self.ended(ended).await,
        }
    }

    /// Takes the question back whose answer this reply is.
    pub(super) fn probe_answered(&mut self, id: RequestId) -> Option<Probe> {
        self.probe.take_if(|probe| probe.question.id == id)
    }

    /// Takes the answer. Any but that the vault has not what was seen, or did not look, lets requests find
    /// out by themselves, unless the release is a later one.
    pub(super) fn probed(&mut self, probe: &Probe, outcome: &Outcome) {
        match outcome {
            Outcome::Refused(refusal) if probe.shows_another_log(refusal.code) => {
                return self.refuse_all(&Code::RolledBack.into());
            }
            // It was not looked at.
            Outcome::Refused(refusal)
                if matches!(refusal.code, Code::TooFast | Code::Unavailable) =>
            {
                return self.refuse_all(refusal);
            }
            _ if !probe.new_release => return,
            _ => {}
        }
        if let Some(refusal) = self.shows_no_vault(outcome) {
            return self.refuse_all(&refusal);
        }
        lock(&self.parts.trust).found();
        if let Err(error) = self.remember() {
            self.failed(&error);
        }
    }

    /// Nothing of this session has carried out what waits.
    fn refuse_all(&mut self, refusal: &Refusal) {
        self.outstanding.refuse(refusal);
        self.failed(&Error::Refused(refusal.clone()));
    }

    /// Why a later release is not known to have the vault. Only what needs a header that it has opened
    /// shows that the vault is there; whatever else a host can bring about must not make the device
    /// forget where it was.
    fn shows_no_vault(&self, outcome: &Outcome) -> Option<Refusal> {
        match outcome {
            Outcome::Done(_) | Outcome::Sealed(_) => None,
            Outcome::Refused(refusal) => match refusal.code {
                Code::UnknownDevice => None,
                Code::NotEnrolled if self.sets_up() => None,
                _ => Some(refusal.clone()),
            },
        }
    }
}
