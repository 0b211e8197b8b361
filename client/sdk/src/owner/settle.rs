//! What becomes of a request whose answer was lost with the program that asked.

use vettid_wire::operation::credential;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{Outcome, Request};
use vettid_wire::{cbor, limits};

use super::device::Owner;
use super::presence::is_before_looking;
use crate::call::Prepared;
use crate::error::Error;
use crate::keystore::Pending;

/// An earlier request with the owner's proof, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settled {
    /// Its operation.
    pub operation: String,
    /// What came of it. Its result can no longer be read: the key to it died with the program.
    pub outcome: SettledOutcome,
}

/// What came of an earlier request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SettledOutcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused(Refusal),
    /// The vault no longer remembers it. The credential at hand is the current one.
    Forgotten,
}

impl Owner {
    /// Settles an earlier request whose answer was lost, if there is one. The vault must be open.
    ///
    /// [`call_with_owner`](Self::call_with_owner) does the same first.
    pub async fn settle(&self) -> Result<Option<Settled>, Error> {
        let _turn = self.turn().await;
        self.settle_in_turn().await
    }

    /// Whether a request waits to be settled.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.keeper().read(|state| state.pending.is_some())
    }

    pub(crate) async fn settle_in_turn(&self) -> Result<Option<Settled>, Error> {
        let Some(pending) = self.keeper().read(|state| state.pending.clone()) else {
            return Ok(None);
        };
        let operation = pending.operation.clone();
        let is_remembered = self.now().since(pending.made) < limits::IDEMPOTENCY;
        let outcome = match repeated(&pending) {
            Some(prepared) if is_remembered => self.repeat(prepared).await?,
            _ => SettledOutcome::Forgotten,
        };
        let is_unclear = match &outcome {
            SettledOutcome::Done => false,
            SettledOutcome::Forgotten => true,
            SettledOutcome::Refused(refusal) => refusal.code == Code::TransactionKeySpent,
        };
        if is_unclear {
            self.fetch_credential().await?;
        }
        Ok(Some(Settled { operation, outcome }))
    }

    async fn repeat(&self, prepared: Prepared) -> Result<SettledOutcome, Error> {
        let reply = self.ask_again(prepared).await?.reply;
        if let Outcome::Refused(refusal) = &reply.outcome
            && is_before_looking(refusal.code)
        {
            return Err(refusal.clone().into());
        }
        if is_spent_key(&reply.outcome) {
            // The request stays until the credential is fetched: it may have been replaced.
            return Ok(SettledOutcome::Refused(Code::TransactionKeySpent.into()));
        }
        Ok(match self.keep_answer(reply, None)? {
            Outcome::Refused(refusal) => SettledOutcome::Refused(refusal),
            Outcome::Done(_) | Outcome::Sealed(_) => SettledOutcome::Done,
        })
    }

    /// Takes the credential whose reply this device may have missed.
    pub(crate) async fn fetch_credential(&self) -> Result<(), Error> {
        let report = self.call(&credential::Version {}).await?;
        self.keeper().change(|state| {
            state.pending = None;
            if let Some(credential) = report.unconfirmed {
                state.take_credential(credential);
            }
        })?;
        Ok(())
    }
}

/// The kept request, ready to be sent again.
pub(crate) fn repeated(pending: &Pending) -> Option<Prepared> {
    pending.request.expose(|message| {
        let request: Request = cbor::decode(message).ok()?;
        Some(Prepared {
            id: request.id,
            message: message.to_vec().into(),
        })
    })
}

fn is_spent_key(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.code == Code::TransactionKeySpent)
}
