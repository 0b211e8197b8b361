//! Public signed objects: COSE_Sign1 (RFC 9052) with Ed25519 (RFC 9053), untagged.
//!
//! Protected header: algorithm, content type, and the domain label under a private key, so that an
//! object signed as one thing is nothing else. The signer's key is the unprotected `kid`. What is
//! checked is the bytes received.

use minicbor::{Decoder, Encoder};
use vettid_crypto::Label;
use vettid_crypto::sign::{Signature, SigningKey, VerifyingKey};

/// Why a signed object is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignedError {
    /// Not a COSE_Sign1 of ours.
    #[error("not a signed object")]
    Malformed,
    /// Signed as something else.
    #[error("signed for another purpose")]
    Purpose,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
}

/// Signs `payload` as `purpose`.
#[must_use]
pub fn sign(purpose: Label, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let protected = protected(purpose);
    let signature = key.sign_structure(&sig_structure(&protected, payload));
    build(|e| {
        e.array(4)?.bytes(&protected)?;
        e.map(1)?.u8(KEY_ID)?.bytes(&key.verifying_key().0)?;
        e.bytes(payload)?.bytes(&signature.0)?;
        Ok(())
    })
}

/// Checks an object and its purpose; the payload and who signed it. Whether that signer may is the
/// caller's question.
pub fn verify(purpose: Label, object: &[u8]) -> Result<(&[u8], VerifyingKey), SignedError> {
    let parts = parse(object).ok_or(SignedError::Malformed)?;
    if parts.protected != protected(purpose) {
        return Err(SignedError::Purpose);
    }
    parts
        .signer
        .verify_structure(
            &sig_structure(parts.protected, parts.payload),
            &parts.signature,
        )
        .map_err(|_| SignedError::Signature)?;
    Ok((parts.payload, parts.signer))
}

/// The payload of an object that is not checked: what it claims, to see whether to check it.
#[must_use]
pub fn claimed(purpose: Label, object: &[u8]) -> Option<&[u8]> {
    let parts = parse(object)?;
    (parts.protected == protected(purpose)).then_some(parts.payload)
}

struct Parts<'a> {
    protected: &'a [u8],
    signer: VerifyingKey,
    payload: &'a [u8],
    signature: Signature,
}

fn parse(object: &[u8]) -> Option<Parts<'_>> {
    let mut d = Decoder::new(object);
    let is_array = d.array().ok()? == Some(4);
    let protected = d.bytes().ok()?;
    let is_map = d.map().ok()? == Some(1) && d.u8().ok()? == KEY_ID;
    let signer = VerifyingKey(d.bytes().ok()?.try_into().ok()?);
    let payload = d.bytes().ok()?;
    let signature = Signature(d.bytes().ok()?.try_into().ok()?);
    (is_array && is_map && d.position() == object.len()).then_some(Parts {
        protected,
        signer,
        payload,
        signature,
    })
}

fn protected(purpose: Label) -> Vec<u8> {
    build(|e| {
        e.map(3)?.u8(ALGORITHM)?.i8(EDDSA)?;
        e.u8(CONTENT_TYPE)?.str("application/cbor")?;
        e.i32(DOMAIN)?.str(purpose.as_str())?;
        Ok(())
    })
}

fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    build(|e| {
        e.array(4)?
            .str("Signature1")?
            .bytes(protected)?
            .bytes(&[])?
            .bytes(payload)?;
        Ok(())
    })
}

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn build(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Written) -> Vec<u8> {
    let mut out = Vec::new();
    let written = write(&mut Encoder::new(&mut out));
    debug_assert!(written.is_ok());
    out
}

const ALGORITHM: u8 = 1;
const EDDSA: i8 = -8;
const CONTENT_TYPE: u8 = 3;
const KEY_ID: u8 = 4;
const DOMAIN: i32 = -65_537;

/// Signed objects in a structure.
#[derive(Clone, Debug, Eq, PartialEq, minicbor::Decode, minicbor::Encode)]
#[cbor(transparent)]
pub struct SignedBytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[3; 32])
    }

    #[test]
    fn signed_payload_and_signer_come_back() {
        let object = sign(Label::NetworkFile, b"payload", &key());

        assert_eq!(
            verify(Label::NetworkFile, &object),
            Ok((&b"payload"[..], key().verifying_key()))
        );
    }

    #[test]
    fn other_purpose_is_refused() {
        let object = sign(Label::NetworkFile, b"payload", &key());

        assert_eq!(verify(Label::Rotation, &object), Err(SignedError::Purpose));
    }

    #[test]
    fn every_altered_byte_is_refused() {
        let good = sign(Label::NetworkFile, b"payload", &key());
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert!(verify(Label::NetworkFile, &bad).is_err(), "byte {index}");
        }
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let mut object = sign(Label::NetworkFile, b"payload", &key());
        for length in 0..object.len() {
            assert_eq!(
                verify(Label::NetworkFile, &object[..length]),
                Err(SignedError::Malformed)
            );
        }
        object.push(0);
        assert_eq!(
            verify(Label::NetworkFile, &object),
            Err(SignedError::Malformed)
        );
    }
}
