//! One request and who makes it.

use vettid_crypto::Label;
use vettid_crypto::digest;
use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::sign::VerifyingKey;
use vettid_wire::cbor::{self, Wire};
use vettid_wire::id::{DeviceId, DeviceRoute, SessionId};
use vettid_wire::refusal::Code;
use vettid_wire::request::{OwnerProof, OwnerSecret, Request, proof_context};

use crate::stop::Stop;

/// Who makes a request: the other end of an open session, which has proven its device key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The device's key. Whether it is registered is the vault's question.
    pub device_key: VerifyingKey,
    /// Its route on the bus.
    pub route: DeviceRoute,
    /// Its session.
    pub session: SessionId,
}

/// One request, decoded, with who makes it.
pub(crate) struct Call<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) device: DeviceId,
    pub(crate) request: &'a Request,
    bytes: &'a [u8],
}

impl<'a> Call<'a> {
    /// The request that `bytes` are the encoding of.
    pub(crate) fn new(caller: &'a Caller, request: &'a Request, bytes: &'a [u8]) -> Self {
        Self {
            caller,
            device: DeviceId::of(&caller.device_key),
            request,
            bytes,
        }
    }

    /// Tells a repeat from another request under the same id. There is one encoding of a request,
    /// so this is [`Request::digest`].
    pub(crate) fn digest(&self) -> [u8; 32] {
        digest::sha256(self.bytes)
    }

    /// Decodes the body.
    pub(crate) fn body<T: Wire>(&self) -> Result<T, Stop> {
        self.request
            .body
            .expose(|body| cbor::decode(body))
            .map_err(|_| Code::Malformed.into())
    }

    /// The owner's proof, for an operation that needs one.
    pub(crate) fn proof(&self) -> Result<&'a OwnerProof, Stop> {
        self.request
            .proof
            .as_ref()
            .ok_or_else(|| Code::ProofInvalid.into())
    }

    /// Opens the owner's proof with the one-time key that it was sealed to.
    pub(crate) fn open_proof(&self, key: &BoxSecret) -> Result<OwnerSecret, Stop> {
        let invalid = || Stop::from(Code::ProofInvalid);
        let Request {
            id,
            operation,
            body,
            ..
        } = self.request;
        let context = proof_context(*id, operation, body);
        let plain = key
            .open(Label::OwnerProof, &[&context], &self.proof()?.sealed)
            .map_err(|_| invalid())?;
        let secret: OwnerSecret = cbor::decode(&plain).map_err(|_| invalid())?;
        if secret.reply_key.len() == 32 {
            Ok(secret)
        } else {
            Err(invalid())
        }
    }
}
