//! What an app and its vault say to each other inside a session.

use minicbor::{Decode, Encode};
use vettid_crypto::{Label, digest};

use crate::Secret;
use crate::cbor::{self, Wire};
use crate::id::{RequestId, TransactionKeyId};
use crate::refusal::Refusal;
use crate::time::UnixMillis;

/// A request: which operation, the proof it needs, and its body.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Request {
    /// Random; repeats of one request carry the same id and content.
    #[n(0)]
    pub id: RequestId,
    /// Name, `noun.verb`.
    #[n(1)]
    pub operation: String,
    /// Encoding of the operation's request type.
    #[n(2)]
    pub body: Secret,
    /// Proof of the owner's presence, for the operations that need it.
    #[n(3)]
    pub proof: Option<OwnerProof>,
}

impl Request {
    /// Digest that tells a repeat from another request under the same id. The proof counts too.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest::sha256(&cbor::encode(self))
    }
}

/// Proof that the owner is there now: the password, sealed to a one-time key, and the credential.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct OwnerProof {
    /// One-time key of the vault that `sealed` is for.
    #[n(0)]
    pub transaction_key: TransactionKeyId,
    /// Sealed box ([`Label::OwnerProof`]) of an [`OwnerSecret`]; context from [`proof_context`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// The Protean Credential as the app holds it. Empty only for `credential.create`.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub credential: Vec<u8>,
}

/// What an [`OwnerProof`] seals.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct OwnerSecret {
    /// The password itself, never a hash of it.
    #[n(0)]
    pub password: Secret,
    /// 32 random bytes: the operation's reply comes back sealed under them.
    #[n(1)]
    pub reply_key: Secret,
    /// Secret input of the operation: encoding of the type that the operation names.
    #[n(2)]
    pub input: Option<Secret>,
}

/// Context that binds an [`OwnerProof`] to one request.
#[must_use]
pub fn proof_context(id: RequestId, operation: &str, body: &Secret) -> Vec<u8> {
    let body = body.expose(digest::sha256);
    Label::OwnerProof.frame(&[&id.0, operation.as_bytes(), &body])
}

/// Answer to a request.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Reply {
    /// Id of the request.
    #[n(0)]
    pub id: RequestId,
    /// What came of it.
    #[n(1)]
    pub outcome: Outcome,
    /// Newest record of the vault: the app keeps the newest it has seen.
    #[n(2)]
    pub head: Option<Head>,
    /// Credential that replaces the one enclosed. Present whenever the credential was opened.
    #[n(3)]
    pub credential: Option<Credential>,
}

/// What came of a request.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Outcome {
    /// Encoding of the operation's reply type.
    #[n(0)]
    Done(#[n(0)] Secret),
    /// The same, sealed under the caller's reply key ([`Label::ReplyOutput`], context: request id).
    #[n(1)]
    Sealed(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Refused.
    #[n(2)]
    Refused(#[n(0)] Refusal),
}

/// Newest record of a vault's log.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Head {
    /// Its number.
    #[n(0)]
    pub number: u64,
    /// Its hash.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
}

/// A Protean Credential as it travels to the app.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Credential {
    /// Grows by one at every use.
    #[n(0)]
    pub version: u64,
    /// Opaque to the app.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub blob: Vec<u8>,
}

/// A one-time key of a vault, as it travels to the app.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct TransactionKey {
    /// Its id.
    #[n(0)]
    pub id: TransactionKeyId,
    /// X-Wing public key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub public: Vec<u8>,
    /// Not usable after this.
    #[n(2)]
    pub expires: UnixMillis,
}

/// What a vault sends inside a session.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum FromVault {
    /// Answer to a request.
    #[n(0)]
    Reply(#[n(0)] Reply),
    /// Something new in the feed: fetch from this sequence.
    #[n(1)]
    Feed(#[n(0)] u64),
    /// The vault closed this session; open another to go on.
    #[n(2)]
    Closing,
    /// Messages are new or have changed: fetch changes up to this number.
    #[n(3)]
    Messages(#[n(0)] u64),
}

/// Proof that a caller encloses with a request, and that the operation's grant is earned from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// Nothing but the session.
    Session,
    /// An [`OwnerProof`].
    Owner,
}

/// A request type: it fixes the operation's name, reply and proof.
pub trait Operation: Wire {
    /// Name, `noun.verb`.
    const NAME: &'static str;
    /// Proof that must be enclosed.
    const PROOF: Proof;
    /// Whether doing it again would do harm: who has lost its answer must not take it for not done.
    const ONCE: bool;
    /// Type of the answer.
    type Reply: Wire;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            id: RequestId([1; 16]),
            operation: "item.get".into(),
            body: Secret::from("body"),
            proof: None,
        }
    }

    #[test]
    fn request_travels_in_one_form() {
        let bytes = cbor::encode(&request());

        assert_eq!(cbor::decode(&bytes), Ok(request()));
    }

    #[test]
    fn digest_covers_operation_body_and_proof() {
        let base = request().digest();
        let proof = OwnerProof {
            transaction_key: TransactionKeyId([0; 16]),
            sealed: vec![],
            credential: vec![],
        };

        assert_ne!(
            base,
            Request {
                operation: "item.put".into(),
                ..request()
            }
            .digest()
        );
        assert_ne!(
            base,
            Request {
                body: Secret::from("x"),
                ..request()
            }
            .digest()
        );
        assert_ne!(
            base,
            Request {
                proof: Some(proof),
                ..request()
            }
            .digest()
        );
    }

    #[test]
    fn proof_context_differs_by_request_operation_and_body() {
        let body = Secret::from("b");
        let base = proof_context(RequestId([1; 16]), "key.sign", &body);

        assert_ne!(base, proof_context(RequestId([2; 16]), "key.sign", &body));
        assert_ne!(base, proof_context(RequestId([1; 16]), "key.list", &body));
        assert_ne!(
            base,
            proof_context(RequestId([1; 16]), "key.sign", &Secret::from("c"))
        );
    }
}
