//! Payloads of the three handshake messages.
//!
//! | message | payload | readable by |
//! |---|---|---|
//! | 1 | ML-KEM-768 encapsulation key | everybody; the version stands in front of it |
//! | 2 | ML-KEM ciphertext, nonce, known document or none | whoever sent message 1 |
//! | 3 | nonce, known document or none | responder |

use vettid_crypto::ml_kem;
use vettid_wire::cbor::minicbor::bytes::ByteArray;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::{cbor, limits, version};

use crate::error::{Error, Internal, PeerIncompatible, PeerMisbehaved};

/// Payload of message 1.
#[derive(Debug, Decode, Encode)]
pub(crate) struct Hello {
    /// Key that the responder encapsulates a secret to.
    #[n(0)]
    pub(crate) encapsulation_key: ByteArray<{ ml_kem::ENCAPSULATION_KEY }>,
}

/// Payload of message 2.
#[derive(Debug, Decode, Encode)]
pub(crate) struct Reply {
    /// Secret encapsulated to the initiator's key.
    #[n(0)]
    pub(crate) ciphertext: ByteArray<{ ml_kem::CIPHERTEXT }>,
    /// What the responder wants and knows.
    #[n(1)]
    pub(crate) challenge: Challenge,
}

/// Payload of message 3, and part of message 2: what one side wants the other to prove.
#[derive(Clone, Copy, Debug, Decode, Encode)]
pub(crate) struct Challenge {
    /// Random bytes that a document made for this session must contain.
    #[n(0)]
    pub(crate) nonce: ByteArray<32>,
    /// SHA-256 of a document of the peer that was appraised before.
    #[n(1)]
    pub(crate) known_document: Option<ByteArray<32>>,
}

impl Hello {
    pub(crate) fn new(encapsulation_key: Vec<u8>) -> Result<Self, Error> {
        Ok(Self {
            encapsulation_key: sized(encapsulation_key)?,
        })
    }
}

impl Reply {
    pub(crate) fn new(ciphertext: Vec<u8>, challenge: Challenge) -> Result<Self, Error> {
        Ok(Self {
            ciphertext: sized(ciphertext)?,
            challenge,
        })
    }
}

impl Challenge {
    pub(crate) fn new(nonce: [u8; 32], known_document: Option<[u8; 32]>) -> Self {
        Self {
            nonce: nonce.into(),
            known_document: known_document.map(Into::into),
        }
    }
}

/// Message 1 on the wire: the version in plain sight, then the Noise message.
pub(crate) fn with_version(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(1));
    out.push(version::SESSION);
    out.extend_from_slice(message);
    out
}

/// The Noise message in message 1. Another version is named; that it was not changed on the way is
/// only certain because the prologue holds it too.
pub(crate) fn without_version(frame: &[u8]) -> Result<&[u8], Error> {
    match frame.split_first() {
        Some((&version::SESSION, message)) => Ok(message),
        Some((&theirs, _)) => Err(PeerIncompatible::Version { theirs }.into()),
        None => Err(PeerMisbehaved::FrameSize(0).into()),
    }
}

/// Refuses what no handshake message can be.
pub(crate) fn check_size(frame: &[u8]) -> Result<(), Error> {
    if frame.len() > limits::HANDSHAKE {
        return Err(PeerMisbehaved::FrameSize(frame.len()).into());
    }
    Ok(())
}

/// Decodes a payload.
pub(crate) fn decode<'b, T: Decode<'b, ()> + Encode<()>>(payload: &'b [u8]) -> Result<T, Error> {
    cbor::decode(payload).map_err(|_| PeerMisbehaved::Malformed.into())
}

fn sized<const N: usize>(bytes: Vec<u8>) -> Result<ByteArray<N>, Error> {
    let bytes: [u8; N] = bytes.try_into().map_err(|_| Internal::KemSize)?;
    Ok(bytes.into())
}
