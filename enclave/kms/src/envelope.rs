//! An answer for one recipient: CMS `EnvelopedData`. RFC 5652, section 6.
//!
//! The key service writes BER with indefinite lengths, and its content in pieces when it is long. One
//! recipient is read, whose content key is under RSA-OAEP with SHA-256 throughout, and one content,
//! under AES-256-CBC; every other algorithm is refused, not tried.

use cms::cert::x509::der::asn1::{ContextSpecific, ObjectIdentifier, OctetString};
use cms::cert::x509::der::{self, Decode, Encode, EncodingRules, Reader, SliceReader, TagNumber};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::CmsVersion;
use cms::enveloped_data::{EnvelopedData, RecipientInfo};
use vettid_crypto::WipedVec;
use vettid_crypto::recipient::{IV, RecipientKey, WRAPPED};

use crate::failure::KmsError;

/// Most bytes of an envelope.
const LIMIT: usize = 8 * 1024;

const ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

/// `RSAES-OAEP-params` with SHA-256, MGF1 with SHA-256 and the empty label, in DER. RFC 4055, section 4.1.
#[rustfmt::skip]
const OAEP_SHA256: &[u8] = &[
    0x30, 0x2f,
    0xa0, 0x0f, 0x30, 0x0d,
        0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a,
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
        0x30, 0x0d,
        0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
];

/// What of an envelope is opened.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Parts {
    wrapped: [u8; WRAPPED],
    iv: [u8; IV],
    content: Vec<u8>,
}

/// Opens an envelope for `key`.
pub(crate) fn open(envelope: &[u8], key: &RecipientKey) -> Result<WipedVec, KmsError> {
    let parts = parse(envelope).ok_or(KmsError::Envelope)?;
    key.open(&parts.wrapped, &parts.iv, &parts.content)
        .map_err(|_| KmsError::Envelope)
}

pub(crate) fn parse(envelope: &[u8]) -> Option<Parts> {
    if envelope.len() > LIMIT {
        return None;
    }
    let data = read(envelope).ok()?;
    if data.version != CmsVersion::V2
        || data.originator_info.is_some()
        || data.unprotected_attrs.is_some()
    {
        return None;
    }
    let [RecipientInfo::Ktri(recipient)] = data.recip_infos.0.as_slice() else {
        return None;
    };
    let key_algorithm = &recipient.key_enc_alg;
    if key_algorithm.oid != RSAES_OAEP || parameters(key_algorithm)? != OAEP_SHA256 {
        return None;
    }
    let content = &data.encrypted_content;
    if content.content_type != DATA || content.content_enc_alg.oid != AES_256_CBC {
        return None;
    }
    let iv = OctetString::from_der(&parameters(&content.content_enc_alg)?).ok()?;
    Some(Parts {
        wrapped: recipient.enc_key.as_bytes().try_into().ok()?,
        iv: iv.as_bytes().try_into().ok()?,
        content: content.encrypted_content.as_ref()?.as_bytes().to_vec(),
    })
}

/// Reads a `ContentInfo` whose content is `EnvelopedData`, and nothing behind it.
fn read(envelope: &[u8]) -> der::Result<EnvelopedData> {
    let mut reader = SliceReader::new_with_encoding_rules(envelope, EncodingRules::Ber)?;
    let content = reader.sequence(|reader| {
        let kind: ObjectIdentifier = reader.decode()?;
        let content = ContextSpecific::<EnvelopedData>::decode_explicit(reader, TagNumber(0))?;
        Ok::<_, der::Error>(content.filter(|_| kind == ENVELOPED_DATA))
    })?;
    let content = content.ok_or_else(|| der::ErrorKind::Failed.to_error())?;
    reader.finish()?;
    Ok(content.value)
}

fn parameters(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    algorithm.parameters.as_ref()?.to_der().ok()
}

#[cfg(test)]
mod tests;
