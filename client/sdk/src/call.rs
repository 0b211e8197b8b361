//! One call: a request type becomes bytes, and the answer becomes its reply type.

use vettid_crypto::sealed_box::BoxPublic;
use vettid_crypto::{Label, ReplyKey, SecretBytes, WipedVec, seal};
use vettid_wire::id::RequestId;
use vettid_wire::request::{
    Operation, Outcome, OwnerProof, OwnerSecret, Proof, Request, TransactionKey, proof_context,
};
use vettid_wire::{Secret, cbor, limits};

use crate::entropy::OsEntropy;
use crate::error::{Error, Fault};

/// A request that is ready to be sent, any number of times.
pub(crate) struct Prepared {
    pub(crate) id: RequestId,
    pub(crate) message: WipedVec,
}

/// What the owner adds to a request.
pub(crate) struct Presence<'a> {
    /// The password itself.
    pub(crate) password: &'a Secret,
    /// Secret input of the operation.
    pub(crate) input: Option<Secret>,
    /// The credential; empty for the first one.
    pub(crate) credential: Vec<u8>,
    /// One-time key of the vault.
    pub(crate) key: &'a TransactionKey,
}

/// A request that needs no more than the session. Does not compile for any other.
pub(crate) fn prepare<O: Operation>(request: &O) -> Result<Prepared, Fault> {
    const {
        assert!(
            matches!(O::PROOF, Proof::Session),
            "this operation needs the owner"
        )
    };
    let id = RequestId::random(&mut OsEntropy);
    prepared(id, O::NAME, Secret::new(cbor::encode(request)), None)
}

/// A request with the owner's proof, and the key that its answer is sealed under. Does not compile
/// for an operation that needs no proof.
pub(crate) fn prepare_with_owner<O: Operation>(
    request: &O,
    presence: Presence<'_>,
) -> Result<(Prepared, ReplyKey), Fault> {
    const {
        assert!(
            matches!(O::PROOF, Proof::Owner),
            "this operation needs no more than the session"
        )
    };
    let id = RequestId::random(&mut OsEntropy);
    let body = Secret::new(cbor::encode(request));
    let reply_key = ReplyKey::generate(&mut OsEntropy);
    let secret = OwnerSecret {
        password: presence.password.clone(),
        reply_key: reply_key.expose(|bytes| Secret::new(bytes.to_vec())),
        input: presence.input,
    };
    let context = proof_context(id, O::NAME, &body);
    let secret = WipedVec::new(cbor::encode(&secret));
    let sealed = BoxPublic(presence.key.public.clone())
        .seal(Label::OwnerProof, &[&context], &secret, &mut OsEntropy)
        .map_err(|_| Fault::Key)?;
    let proof = OwnerProof {
        transaction_key: presence.key.id,
        sealed,
        credential: presence.credential,
    };
    Ok((prepared(id, O::NAME, body, Some(proof))?, reply_key))
}

/// What came of a call.
pub(crate) fn read<O: Operation>(
    id: RequestId,
    outcome: Outcome,
    reply_key: Option<&ReplyKey>,
) -> Result<O::Reply, Error> {
    let reply = match (outcome, reply_key) {
        (Outcome::Refused(refusal), _) => return Err(refusal.into()),
        (Outcome::Done(body), None) => body.expose(|body| cbor::decode(body)),
        (Outcome::Sealed(sealed), Some(key)) => {
            let body = seal::open(key, Label::ReplyOutput, &[&id.0], &sealed)
                .map_err(|_| Fault::Answer)?;
            cbor::decode(&body)
        }
        (Outcome::Done(_), Some(_)) | (Outcome::Sealed(_), None) => {
            return Err(Fault::Answer.into());
        }
    };
    reply.map_err(|_| Fault::Answer.into())
}

fn prepared(
    id: RequestId,
    operation: &str,
    body: Secret,
    proof: Option<OwnerProof>,
) -> Result<Prepared, Fault> {
    let request = Request {
        id,
        operation: operation.to_owned(),
        body,
        proof,
    };
    let message = WipedVec::new(cbor::encode(&request));
    if message.len() > limits::REQUEST {
        return Err(Fault::RequestTooLarge);
    }
    Ok(Prepared { id, message })
}
