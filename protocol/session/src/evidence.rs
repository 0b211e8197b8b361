//! What each side shows after the handshake, and its frame.

use vettid_crypto::sign::{Signature, VerifyingKey};
use vettid_wire::cbor::minicbor::bytes::{ByteArray, ByteSlice};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::{cbor, limits};

use crate::error::{Error, Misuse, PeerMisbehaved};
use crate::identity::Identity;

/// What one side shows for itself, bound to one session by its signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Evidence {
    /// Of an enclave.
    Enclave {
        /// Attestation document; absent where the peer named the current one as known.
        document: Option<Vec<u8>>,
        /// What the document is bound to.
        bundle: Vec<u8>,
        /// By the binding key in the bundle.
        signature: Signature,
    },
    /// Of a device or a backend.
    Key {
        /// The key that identifies it.
        key: VerifyingKey,
        /// By that key.
        signature: Signature,
    },
}

/// Largest encoded evidence, bytes: its padded frame is [`limits::EVIDENCE`] at most.
pub(crate) const LARGEST: usize = limits::EVIDENCE - 1 - vettid_wire::fragment::HEADER;

/// Evidence in its frame.
#[derive(Debug, Decode, Encode)]
pub(crate) struct Shown<'a> {
    /// Epoch that the sender signed: so that a difference is found by name.
    #[n(0)]
    pub(crate) policy_epoch: u64,
    /// The evidence.
    #[b(1)]
    pub(crate) kind: Kind<'a>,
}

/// The two kinds of evidence.
#[derive(Debug, Decode, Encode)]
pub(crate) enum Kind<'a> {
    #[n(0)]
    Key {
        #[n(0)]
        key: ByteArray<32>,
        #[n(1)]
        signature: ByteArray<64>,
    },
    #[n(1)]
    Enclave {
        #[b(0)]
        document: Option<&'a ByteSlice>,
        #[b(1)]
        bundle: &'a ByteSlice,
        #[n(2)]
        signature: ByteArray<64>,
    },
}

impl<'a> Shown<'a> {
    /// Reads the body of an evidence frame.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Error> {
        cbor::decode(body).map_err(|_| PeerMisbehaved::Malformed.into())
    }
}

impl Evidence {
    /// The body of an evidence frame. Refused if it is not of `own`, or does not fit.
    pub(crate) fn to_body(&self, own: Identity, policy_epoch: u64) -> Result<Vec<u8>, Error> {
        let kind = match (self, own.key()) {
            (Self::Key { key, signature }, Some(own)) if key == own => Kind::Key {
                key: key.0.into(),
                signature: signature.0.into(),
            },
            (
                Self::Enclave {
                    document,
                    bundle,
                    signature,
                },
                None,
            ) => Kind::Enclave {
                document: document.as_deref().map(Into::into),
                bundle: bundle.as_slice().into(),
                signature: signature.0.into(),
            },
            _ => return Err(Misuse::WrongEvidence.into()),
        };
        let body = cbor::encode(&Shown { policy_epoch, kind });
        if body.len() > LARGEST {
            let size = body.len();
            return Err(Misuse::EvidenceTooLarge {
                limit: LARGEST,
                size,
            }
            .into());
        }
        Ok(body)
    }
}
