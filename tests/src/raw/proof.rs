//! The owner's proof: password and credential, sealed to a one-time key.

use vettid_crypto::sealed_box::BoxPublic;
use vettid_crypto::{Entropy, Label, ReplyKey, SecretBytes, seal};
use vettid_wire::id::RequestId;
use vettid_wire::request::{
    Operation, Outcome, OwnerProof, OwnerSecret, Reply, Request, TransactionKey, proof_context,
};
use vettid_wire::{Secret, cbor, request};

use super::session::{read, request_of};
use super::{Fault, RawSession, SystemEntropy};

/// What an owner proves his presence with.
#[derive(Clone, Debug)]
pub struct Present {
    /// One-time keys that are left.
    pub keys: Vec<TransactionKey>,
    /// The credential as it is now; empty before the first.
    pub credential: Vec<u8>,
    /// Its password.
    pub password: String,
}

/// A request with the owner's proof, and the key that its reply comes under.
pub struct Proven {
    /// To be sent.
    pub request: Request,
    reply_key: ReplyKey,
}

impl Present {
    /// Encloses a proof, with the next one-time key.
    ///
    /// # Errors
    /// When no key is left or it is none.
    pub fn prove<O: Operation>(
        &mut self,
        body: &O,
        input: Option<Secret>,
    ) -> Result<Proven, Fault> {
        let key = self
            .keys
            .pop()
            .ok_or(Fault::Malformed("no one-time key left"))?;
        self.prove_with(&key, body, input)
    }

    /// Encloses a proof, with this key.
    ///
    /// # Errors
    /// When the key is none.
    pub fn prove_with<O: Operation>(
        &self,
        key: &TransactionKey,
        body: &O,
        input: Option<Secret>,
    ) -> Result<Proven, Fault> {
        let mut request = request_of(body);
        let reply_key: [u8; 32] = SystemEntropy.bytes();
        let secret = OwnerSecret {
            password: Secret::from(self.password.as_str()),
            reply_key: Secret::new(reply_key.to_vec()),
            input,
        };
        let context = proof_context(request.id, O::NAME, &request.body);
        let sealed = BoxPublic(key.public.clone())
            .seal(
                Label::OwnerProof,
                &[&context],
                &cbor::encode(&secret),
                &mut SystemEntropy,
            )
            .map_err(|_| Fault::Malformed("one-time key"))?;
        request.proof = Some(OwnerProof {
            transaction_key: key.id,
            sealed,
            credential: self.credential.clone(),
        });
        Ok(Proven {
            request,
            reply_key: ReplyKey::from_bytes(reply_key),
        })
    }

    /// Calls an operation that needs the owner; keeps the credential that comes back.
    ///
    /// # Errors
    /// When the vault refuses or the session breaks.
    pub fn call<O: Operation>(
        &mut self,
        session: &mut RawSession,
        body: &O,
        input: Option<Secret>,
    ) -> Result<O::Reply, Fault> {
        let proven = self.prove(body, input)?;
        session.send(&proven.request)?;
        let reply = session.reply(proven.request.id)?;
        self.keep(&reply);
        proven.open(reply)
    }

    /// Keeps the credential of a reply, if it carries one.
    pub fn keep(&mut self, reply: &Reply) {
        if let Some(request::Credential { blob, .. }) = &reply.credential {
            self.credential = blob.clone();
        }
    }
}

impl Proven {
    /// The id of the request.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.request.id
    }

    /// Opens the reply.
    ///
    /// # Errors
    /// When the vault refused, or the reply is not under the enclosed key.
    pub fn open<R: cbor::Wire>(&self, reply: Reply) -> Result<R, Fault> {
        match reply.outcome {
            Outcome::Done(_) => Err(Fault::Malformed("reply that is not sealed")),
            Outcome::Refused(refusal) => Err(Fault::Refused(refusal)),
            Outcome::Sealed(sealed) => {
                let context = [&reply.id.0[..]];
                let body = seal::open(&self.reply_key, Label::ReplyOutput, &context, &sealed)
                    .map_err(|_| Fault::Malformed("reply under another key"))?;
                read(&Secret::new(body.to_vec()))
            }
        }
    }
}
