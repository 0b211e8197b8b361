//! The envelope of an attestation document: a COSE_Sign1 with ES384. RFC 9052.
//!
//! ```text
//! [ protected: bstr {1: -35},  unprotected: {},  payload: bstr Claims,  signature: 96 bytes r || s ]
//! ```
//!
//! One form is read: untagged, as the module writes it, lengths in their shortest form, nothing
//! after it. What the signature covers are the protected header and the payload exactly as they
//! came; nothing is encoded again before the check.

use vettid_crypto::p384;
use vettid_wire::cbor::minicbor::Decoder;
use vettid_wire::cbor::minicbor::data::Type;
use vettid_wire::limits;

use super::certificate::PUBLIC_KEY;
use super::claims::{Claims, Field};

/// What is wrong with the form of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Empty, or larger than [`DOCUMENT`](limits::DOCUMENT).
    #[error("document is empty or too large")]
    Size,
    /// Not the CBOR that the format asks for.
    #[error("document is not the CBOR of the format")]
    Malformed,
    /// Lengths are not in their shortest form, or bytes follow the document.
    #[error("document has bytes to spare")]
    SpareBytes,
    /// Carries a CBOR tag; the module writes none.
    #[error("document is tagged")]
    Tagged,
    /// The protected header names another algorithm than ES384, or none.
    #[error("document is not signed with ES384")]
    Algorithm,
    /// The protected header has parameters that must be understood.
    #[error("document has a critical header")]
    CriticalHeader,
    /// A header has parameters that the format does not know.
    #[error("document has an unknown header")]
    UnknownHeader,
    /// The signature is not 96 bytes.
    #[error("signature is not 96 bytes")]
    SignatureLength,
    /// The payload has a field that the format does not know.
    #[error("payload has an unknown field")]
    UnknownField,
    /// Bytes follow the payload's map.
    #[error("bytes follow the payload")]
    PayloadSpareBytes,
    /// A field is there twice.
    #[error("field {0} is there twice")]
    DuplicateField(Field),
    /// A field is not there.
    #[error("field {0} is missing")]
    MissingField(Field),
    /// A field has fewer or more bytes or entries than the format allows.
    #[error("field {0} is too small or too large")]
    FieldSize(Field),
    /// A field is not of the type that the format asks for.
    #[error("field {0} is of the wrong type")]
    FieldType(Field),
    /// The digest is not SHA-384.
    #[error("digest is not SHA384")]
    Digest,
    /// A register's index is above 31.
    #[error("register index is out of range")]
    PcrIndex,
    /// A register is there twice.
    #[error("register {0} is there twice")]
    DuplicatePcr(u8),
    /// A register is not 48 bytes.
    #[error("register {0} is not 48 bytes")]
    PcrLength(u8),
    /// One of the first sixteen registers is not there.
    #[error("register {0} is missing")]
    MissingPcr(u8),
}

/// A document of the right form; nothing about it is verified yet.
#[derive(Debug)]
pub struct Document<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
    claims: Claims<'a>,
}

impl<'a> Document<'a> {
    /// Parses exactly one document. Reads all of it within fixed bounds and without recursion.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DocumentError> {
        let Parts {
            protected,
            payload,
            signature,
        } = Parts::parse(bytes)?;
        check_protected(protected)?;
        if signature.len() != p384::SIGNATURE {
            return Err(DocumentError::SignatureLength);
        }
        Ok(Self {
            protected,
            payload,
            signature,
            claims: Claims::parse(payload)?,
        })
    }

    /// What the document says. Nobody vouches for it until the document is verified.
    #[must_use]
    pub fn unverified_claims(&self) -> &Claims<'a> {
        &self.claims
    }

    /// Whether `key` signed the document.
    pub(crate) fn is_signed_by(&self, key: &[u8; PUBLIC_KEY]) -> bool {
        p384::verify(key, &self.signed_bytes(), self.signature).is_ok()
    }

    /// The `Sig_structure` over the received bytes, with nothing external. RFC 9052, section 4.4.
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        signed_bytes(self.protected, self.payload)
    }

    /// The signature, `r || s`.
    #[cfg(test)]
    pub(crate) fn signature(&self) -> &'a [u8] {
        self.signature
    }
}

/// What the module beside this program says in a document that it has just made.
///
/// Nobody stands between the two, so neither algorithm nor signature is looked at: whoever gets the
/// document from somebody else parses and verifies a [`Document`]. A machine whose module signs
/// nothing comes up and is refused by everybody else.
///
/// # Errors
/// When the bytes have not the form of a document.
pub fn own_claims(bytes: &[u8]) -> Result<Claims<'_>, DocumentError> {
    Claims::parse(Parts::parse(bytes)?.payload)
}

/// The envelope's three byte strings.
struct Parts<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, DocumentError> {
        if bytes.is_empty() || bytes.len() > limits::DOCUMENT {
            return Err(DocumentError::Size);
        }
        let mut decoder = Decoder::new(bytes);
        if matches!(decoder.datatype(), Ok(Type::Tag)) {
            return Err(DocumentError::Tagged);
        }
        if decoder.array().map_err(malformed)? != Some(4) {
            return Err(DocumentError::Malformed);
        }
        let protected = decoder.bytes().map_err(malformed)?;
        if decoder.map().map_err(malformed)? != Some(0) {
            return Err(DocumentError::UnknownHeader);
        }
        let payload = decoder.bytes().map_err(malformed)?;
        let signature = decoder.bytes().map_err(malformed)?;
        if bytes.len() != shortest(protected, payload, signature) {
            return Err(DocumentError::SpareBytes);
        }
        Ok(Self {
            protected,
            payload,
            signature,
        })
    }
}

/// What a COSE_Sign1 signature covers.
pub(crate) fn signed_bytes(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len().saturating_add(32));
    out.extend_from_slice(SIGNED_ARRAY);
    append_bytes(&mut out, protected);
    append_bytes(&mut out, &[]);
    append_bytes(&mut out, payload);
    out
}

/// Appends a CBOR byte string with its length in the shortest form.
pub(crate) fn append_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(length @ 0..=23) => out.push(0x40 | length),
        Ok(length) => out.extend_from_slice(&[0x58, length]),
        Err(_) => {
            // A document is bounded far below this type's range.
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            out.push(0x59);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// The one header that means what it should: `{1: -35}`.
fn check_protected(bytes: &[u8]) -> Result<(), DocumentError> {
    let mut decoder = Decoder::new(bytes);
    let entries = decoder.map().map_err(malformed)?;
    let mut algorithm = None;
    for _ in 0..entries.ok_or(DocumentError::Malformed)? {
        match decoder.i64() {
            Ok(ALGORITHM) if algorithm.is_none() => {
                algorithm = Some(decoder.i64().map_err(|_| DocumentError::Algorithm)?);
            }
            Ok(CRITICAL) => return Err(DocumentError::CriticalHeader),
            _ => return Err(DocumentError::UnknownHeader),
        }
    }
    if algorithm != Some(ES384) {
        return Err(DocumentError::Algorithm);
    }
    if decoder.position() != bytes.len() {
        return Err(DocumentError::SpareBytes);
    }
    Ok(())
}

/// How long a document of these parts is when no length is written longer than need be.
fn shortest(protected: &[u8], payload: &[u8], signature: &[u8]) -> usize {
    [protected, payload, signature].iter().fold(2, |sum, part| {
        let head = match part.len() {
            0..=23 => 1,
            24..=255 => 2,
            _ => 3,
        };
        part.len().saturating_add(sum).saturating_add(head)
    })
}

pub(super) fn malformed<E>(_: E) -> DocumentError {
    DocumentError::Malformed
}

/// An array of four whose first entry is the text "Signature1".
const SIGNED_ARRAY: &[u8] = b"\x84\x6aSignature1";
const ALGORITHM: i64 = 1;
const CRITICAL: i64 = 2;
const ES384: i64 = -35;
