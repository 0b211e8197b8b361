//! Calls that need the owner: password, credential and a one-time key.

use vettid_crypto::ReplyKey;
use vettid_wire::Secret;
use vettid_wire::operation::transaction_keys;
use vettid_wire::refusal::Code;
use vettid_wire::request::{Operation, Outcome, Reply, TransactionKey};

use super::device::{Owner, SENDS};
use crate::call::{self, Prepared, Presence};
use crate::error::Error;
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
        let mut outcome = self.use_credential(password, request, input.clone()).await;
        if is_spent_key(&outcome) {
            // The pool here is not what the vault's is: nothing was done, and another key will do.
            self.refill_in_turn().await?;
            outcome = self.use_credential(password, request, input).await;
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
        let reply = self.ask(prepared, SENDS).await?;
        let not_tried = was_not_tried(&reply.outcome);
        let outcome = self.keep_answer(reply, not_tried.then_some(key))?;
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
        self.keeper().change(|state| {
            state.pending = None;
            if let Some(credential) = credential {
                state.take_credential(credential);
            }
            state.transaction_keys.extend(unused);
        })?;
        Ok(outcome)
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

/// Whether a refusal says that the request was not looked at: the same one can be sent later.
pub(crate) const fn was_not_tried(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Refused(refusal) => {
            matches!(
                refusal.code,
                Code::Locked | Code::TooFast | Code::Unavailable
            )
        }
        Outcome::Done(_) | Outcome::Sealed(_) => false,
    }
}

fn is_spent_key<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Refused(refusal)) if refusal.code == Code::TransactionKeySpent)
}

/// With fewer keys than this, the pool is filled up.
const FEW: usize = 5;
