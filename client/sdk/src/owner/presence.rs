//! Calls that need the owner: password, credential and a one-time key.

use vettid_crypto::ReplyKey;
use vettid_wire::Secret;
use vettid_wire::operation::transaction_keys;
use vettid_wire::refusal::Code;
use vettid_wire::request::{Credential, Operation, Outcome, Reply, TransactionKey};

use super::device::{Owner, SENDS};
use crate::call::{self, Prepared, Presence};
use crate::driver::Answered;
use crate::error::{Error, Unreachable};
use crate::keystore::{KeystoreError, Pending};

impl Owner {
    /// Calls an operation that needs the owner's presence. `input` is its secret input, encoded.
    ///
    /// The credential that comes back is kept before this returns. The request is kept before it is
    /// sent, so that one whose answer was lost is repeated, also by the next program, and never
    /// made anew. Such calls run one after another.
    pub async fn call_with_owner<O: Operation>(
        &self,
        password: &Secret,
        request: &O,
        input: Option<Secret>,
    ) -> Result<O::Reply, Error> {
        let _turn = self.turn().await;
        self.settle_in_turn().await?;
        self.call_in_turn(password, request, input).await
    }

    /// The same, for one who has the turn, with nothing left to settle.
    pub(crate) async fn call_in_turn<O: Operation>(
        &self,
        password: &Secret,
        request: &O,
        input: Option<Secret>,
    ) -> Result<O::Reply, Error> {
        let mut outcome = self.use_credential(password, request, input.clone()).await;
        if is_spent_key(&outcome) {
            // The pool here is not what the vault's is: nothing was done, and another key will do.
            self.refill_in_turn().await?;
            outcome = self.use_credential(password, request, input).await;
        }
        if is_behind(&outcome) {
            // The vault still has what this device has missed: with it the identity can be rotated.
            let _ = self.fetch_credential().await;
        }
        if self.keys_left() < FEW {
            // The answer matters more than the pool, which the next call fills.
            let _ = self.refill_in_turn().await;
        }
        outcome
    }

    /// Makes, keeps and sends one request with the owner's proof. The turn is the caller's.
    pub(crate) async fn use_credential<O: Operation>(
        &self,
        password: &Secret,
        request: &O,
        input: Option<Secret>,
    ) -> Result<O::Reply, Error> {
        let key = self.next_key().await?;
        let credential = self.keeper().read(|state| state.credential.clone());
        let presence = Presence {
            password,
            input,
            credential: credential
                .map(|credential| credential.blob)
                .unwrap_or_default(),
            key: &key,
        };
        let (prepared, reply_key) = call::prepare_with_owner(request, presence)?;
        let made = self.now();
        self.keeper().change(|state| {
            state.drop_transaction_key(key.id);
            state.pending = Some(Pending {
                made,
                operation: O::NAME.to_owned(),
                request: Secret::new(prepared.message.to_vec()),
            });
        })?;
        self.finish::<O>(prepared, &reply_key, key).await
    }

    async fn finish<O: Operation>(
        &self,
        prepared: Prepared,
        reply_key: &ReplyKey,
        key: TransactionKey,
    ) -> Result<O::Reply, Error> {
        let id = prepared.id;
        let answered = self.ask(prepared, SENDS).await;
        if let Err(Error::Unreachable(Unreachable::Absent)) = answered {
            // It was never sent, and so it is not settled later.
            self.keep(None, Some(key))?;
            return Err(Unreachable::Absent.into());
        }
        let Answered { reply, repeated } = answered?;
        let unlooked = match &reply.outcome {
            Outcome::Refused(refusal) if is_before_looking(refusal.code) => Some(refusal.clone()),
            _ => None,
        };
        if let (true, Some(refusal)) = (repeated, unlooked.clone()) {
            // It may have been done the first time: it stays, and is settled when the vault looks again.
            return Err(Unreachable::Since(refusal).into());
        }
        let outcome = self.keep_answer(reply, unlooked.map(|_| key))?;
        call::read::<O>(id, outcome, Some(reply_key))
    }

    /// Keeps what an answer brought, and that it came.
    pub(crate) fn keep_answer(
        &self,
        reply: Reply,
        unused: Option<TransactionKey>,
    ) -> Result<Outcome, KeystoreError> {
        let Reply {
            outcome,
            credential,
            ..
        } = reply;
        self.keep(credential, unused)?;
        Ok(outcome)
    }

    /// Keeps that nothing is to be settled.
    fn keep(
        &self,
        credential: Option<Credential>,
        unused: Option<TransactionKey>,
    ) -> Result<(), KeystoreError> {
        self.keeper().change(|state| {
            state.pending = None;
            if let Some(credential) = credential {
                state.take_credential(credential);
            }
            state.transaction_keys.extend(unused);
        })
    }

    /// One-time keys left here.
    fn keys_left(&self) -> usize {
        self.keeper().read(|state| state.transaction_keys.len())
    }

    async fn next_key(&self) -> Result<TransactionKey, Error> {
        let now = self.now();
        let next = || {
            self.keeper()
                .change(|state| state.next_transaction_key(now))
        };
        if let Some(key) = next()? {
            return Ok(key);
        }
        self.refill_in_turn().await?;
        next()?.ok_or_else(|| Error::Refused(Code::TransactionKeySpent.into()))
    }

    /// Fetches one-time keys.
    pub(crate) async fn refill_in_turn(&self) -> Result<(), Error> {
        let refilled = self.call(&transaction_keys::Refill {}).await?;
        let now = self.now();
        self.keeper()
            .change(|state| state.set_transaction_keys(refilled.keys, now))?;
        Ok(())
    }
}

/// Whether a refusal comes before the vault looks at a request, or for what it has done before: of a request
/// that it may have done before it says nothing, and any other can be sent later.
pub(crate) const fn is_before_looking(code: Code) -> bool {
    matches!(
        code,
        Code::AlreadyEnrolled
            | Code::Damaged
            | Code::Locked
            | Code::NotEnrolled
            | Code::OtherRelease
            | Code::RolledBack
            | Code::TooFast
            | Code::Unavailable
            | Code::UnknownDevice
    )
}

/// Whether this device has an older credential than the vault.
fn is_behind<T>(outcome: &Result<T, Error>) -> bool {
    let code = match outcome {
        Err(Error::Refused(refusal)) => Some(refusal.code),
        _ => None,
    };
    matches!(code, Some(Code::CredentialStale | Code::CredentialFrozen))
}

fn is_spent_key<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Refused(refusal)) if refusal.code == Code::TransactionKeySpent)
}

/// With fewer keys than this, the pool is filled up.
const FEW: usize = 5;
