//! One certificate of a document's chain: strict DER, P-384 only. RFC 5280.

use x509_cert::der::asn1::{BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

/// Largest certificate, bytes. Bound of the Nitro attestation document format; real ones have
/// up to 804.
pub const MAX_CERTIFICATE: usize = 1024;

/// Bytes of an uncompressed P-384 point, SEC 1.
pub(crate) const PUBLIC_KEY: usize = 97;

/// What is wrong with one certificate of a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Not one strict DER certificate of version 3, or bytes follow it.
    #[error("not a version 3 certificate in DER")]
    Malformed,
    /// Empty, or larger than [`MAX_CERTIFICATE`].
    #[error("certificate is empty or too large")]
    Size,
    /// Signed with something other than ECDSA and SHA-384, or the two statements of it differ.
    #[error("signature algorithm is not ecdsa-with-SHA384")]
    SignatureAlgorithm,
    /// The key is not an uncompressed point on P-384.
    #[error("key is not on P-384")]
    Curve,
    /// The same extension is there twice.
    #[error("extension is there twice")]
    DuplicateExtension,
    /// An extension must be understood, and is not.
    #[error("unknown critical extension")]
    UnknownCriticalExtension,
    /// The issuer's name is not the subject of the certificate before, or is its own subject.
    #[error("issuer is not the certificate before")]
    Issuer,
    /// An issuing certificate lacks the CA bit.
    #[error("issuing certificate is no authority")]
    NotAuthority,
    /// An issuing certificate may not sign certificates.
    #[error("issuing certificate may not sign certificates")]
    NoCertSign,
    /// More authorities follow than the path length allows.
    #[error("path length is exceeded")]
    PathLength,
    /// The leaf has the CA bit, a path length, or no basic constraints at all.
    #[error("leaf is an authority")]
    LeafAuthority,
    /// The leaf may not sign, or may sign certificates or revocation lists.
    #[error("leaf has wrong key usage")]
    LeafUsage,
    /// The time of verification is before the window of validity.
    #[error("certificate is not valid yet")]
    NotYetValid,
    /// The time of verification is after the window of validity.
    #[error("certificate has expired")]
    Expired,
    /// The issuer's signature does not verify.
    #[error("certificate signature does not verify")]
    Signature,
}

/// A parsed certificate; nothing about it is verified yet.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    /// The whole certificate, as received.
    pub(crate) der: &'a [u8],
    /// The bytes that the issuer signed, as received.
    pub(crate) signed: &'a [u8],
    /// The issuer's signature, DER.
    pub(crate) signature: &'a [u8],
    /// The issuer's name, DER.
    pub(crate) issuer: &'a [u8],
    /// The subject's name, DER.
    pub(crate) subject: &'a [u8],
    /// The subject's key, SEC 1 uncompressed.
    pub(crate) key: [u8; PUBLIC_KEY],
    /// First second of validity, Unix time.
    pub(crate) not_before: u64,
    /// Last second of validity, Unix time.
    pub(crate) not_after: u64,
    constraints: Option<BasicConstraints>,
    usage: Option<KeyUsage>,
}

impl<'a> Certificate<'a> {
    /// Parses exactly one certificate.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, CertificateFault> {
        if der.is_empty() || der.len() > MAX_CERTIFICATE {
            return Err(CertificateFault::Size);
        }
        let envelope = Envelope::read(der).map_err(|_| CertificateFault::Malformed)?;
        let body = Body::read(envelope.signed).map_err(|_| CertificateFault::Malformed)?;
        if envelope.algorithm != body.algorithm || !is_ecdsa_sha384(&body.algorithm) {
            return Err(CertificateFault::SignatureAlgorithm);
        }
        let key = p384_point(&body.key).ok_or(CertificateFault::Curve)?;
        let (constraints, usage) = known_extensions(&body.extensions)?;
        Ok(Self {
            der,
            signed: envelope.signed,
            signature: envelope.signature,
            issuer: body.issuer,
            subject: body.subject,
            key,
            not_before: body.validity.not_before.to_unix_duration().as_secs(),
            not_after: body.validity.not_after.to_unix_duration().as_secs(),
            constraints,
            usage,
        })
    }

    /// Checks that it may issue, with `following` authorities between it and the leaf.
    pub(crate) fn check_authority(&self, following: usize) -> Result<(), CertificateFault> {
        let constraints = self
            .constraints
            .as_ref()
            .filter(|constraints| constraints.ca)
            .ok_or(CertificateFault::NotAuthority)?;
        if !self.usage.is_some_and(|usage| usage.key_cert_sign()) {
            return Err(CertificateFault::NoCertSign);
        }
        match constraints.path_len_constraint {
            Some(most) if usize::from(most) < following => Err(CertificateFault::PathLength),
            _ => Ok(()),
        }
    }

    /// How many authorities may follow it, where it says so.
    pub(crate) fn path_length(&self) -> Option<u8> {
        self.constraints.as_ref()?.path_len_constraint
    }

    /// Checks that it may sign documents and nothing else.
    pub(crate) fn check_leaf(&self) -> Result<(), CertificateFault> {
        let plain = BasicConstraints {
            ca: false,
            path_len_constraint: None,
        };
        if self.constraints.as_ref() != Some(&plain) {
            return Err(CertificateFault::LeafAuthority);
        }
        match self.usage {
            Some(usage)
                if usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign() =>
            {
                Ok(())
            }
            _ => Err(CertificateFault::LeafUsage),
        }
    }
}

/// The outer structure: signed bytes, algorithm, signature.
struct Envelope<'a> {
    signed: &'a [u8],
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(der: &'a [u8]) -> x509_cert::der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let envelope = reader.sequence(|inner| -> x509_cert::der::Result<_> {
            Ok(Self {
                signed: inner.tlv_bytes()?,
                algorithm: AlgorithmIdentifierRef::decode(inner)?,
                signature: whole_bytes(BitStringRef::decode(inner)?)?,
            })
        })?;
        reader.finish()?;
        Ok(envelope)
    }
}

/// The signed structure, with names left as they came.
struct Body<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: &'a [u8],
    validity: Validity,
    subject: &'a [u8],
    key: SubjectPublicKeyInfoRef<'a>,
    extensions: Vec<Extension>,
}

impl<'a> Body<'a> {
    fn read(der: &'a [u8]) -> x509_cert::der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let body = reader.sequence(|inner| -> x509_cert::der::Result<_> {
            let version = inner.context_specific::<u8>(TagNumber(0), EXPLICIT)?;
            if version != Some(VERSION_3) {
                return Err(Tag::Integer.value_error().into());
            }
            SerialNumber::<x509_cert::certificate::Rfc5280>::decode(inner)?;
            Ok(Self {
                algorithm: AlgorithmIdentifierRef::decode(inner)?,
                issuer: name_bytes(inner)?,
                validity: Validity::decode(inner)?,
                subject: name_bytes(inner)?,
                key: SubjectPublicKeyInfoRef::decode(inner)?,
                extensions: inner
                    .context_specific::<Vec<Extension>>(TagNumber(3), EXPLICIT)?
                    .unwrap_or_default(),
            })
        })?;
        reader.finish()?;
        Ok(body)
    }
}

/// A name as it came, after a look that it is one.
fn name_bytes<'a>(reader: &mut SliceReader<'a>) -> x509_cert::der::Result<&'a [u8]> {
    let bytes = reader.tlv_bytes()?;
    x509_cert::name::Name::from_der(bytes)?;
    Ok(bytes)
}

fn whole_bytes(bits: BitStringRef<'_>) -> x509_cert::der::Result<&[u8]> {
    bits.as_bytes()
        .ok_or_else(|| Tag::BitString.value_error().into())
}

fn is_ecdsa_sha384(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    algorithm.oid == ECDSA_WITH_SHA384 && algorithm.parameters.is_none()
}

fn p384_point(key: &SubjectPublicKeyInfoRef<'_>) -> Option<[u8; PUBLIC_KEY]> {
    let curve = key.algorithm.parameters?.decode_as::<ObjectIdentifier>();
    if key.algorithm.oid != EC_PUBLIC_KEY || curve != Ok(SECP384R1) {
        return None;
    }
    let point: [u8; PUBLIC_KEY] = key.subject_public_key.as_bytes()?.try_into().ok()?;
    (point.first() == Some(&UNCOMPRESSED)).then_some(point)
}

fn known_extensions(
    extensions: &[Extension],
) -> Result<(Option<BasicConstraints>, Option<KeyUsage>), CertificateFault> {
    let (mut constraints, mut usage) = (None, None);
    for (index, extension) in extensions.iter().enumerate() {
        if extensions
            .iter()
            .take(index)
            .any(|earlier| earlier.extn_id == extension.extn_id)
        {
            return Err(CertificateFault::DuplicateExtension);
        }
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            BASIC_CONSTRAINTS => constraints = Some(decoded(value)?),
            KEY_USAGE => usage = Some(decoded(value)?),
            _ if extension.critical => return Err(CertificateFault::UnknownCriticalExtension),
            _ => {}
        }
    }
    Ok((constraints, usage))
}

fn decoded<'a, T: Decode<'a>>(value: &'a [u8]) -> Result<T, CertificateFault> {
    T::from_der(value).map_err(|_| CertificateFault::Malformed)
}

const EXPLICIT: x509_cert::der::TagMode = x509_cert::der::TagMode::Explicit;
const VERSION_3: u8 = 2;
const UNCOMPRESSED: u8 = 4;
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
