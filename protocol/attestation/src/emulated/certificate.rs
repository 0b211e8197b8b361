//! Certificates of an emulated chain, in the same shape as the hardware's.

use vettid_crypto::p384::SigningKey;

use super::der;

/// A certificate that is not signed yet.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Serial number.
    pub(crate) serial: u64,
    /// Name of the issuer, DER.
    pub(crate) issuer: Vec<u8>,
    /// Name of the subject, DER.
    pub(crate) subject: Vec<u8>,
    /// First second of validity, Unix time.
    pub(crate) not_before: u64,
    /// Last second of validity, Unix time.
    pub(crate) not_after: u64,
    /// The subject's key, SEC 1 uncompressed.
    pub(crate) key: Vec<u8>,
    /// Content of the curve's object identifier.
    pub(crate) curve: Vec<u8>,
    /// Content of the signature algorithm's object identifier.
    pub(crate) algorithm: Vec<u8>,
    /// Extensions, each DER.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Template {
    /// A certificate for a P-384 key, to be signed with ECDSA and SHA-384.
    pub(crate) fn new(issuer: &[u8], subject: &[u8], key: &SigningKey) -> Self {
        Self {
            serial: 1,
            issuer: issuer.into(),
            subject: subject.into(),
            not_before: 0,
            not_after: 0,
            key: key.public_key(),
            curve: SECP384R1.into(),
            algorithm: ECDSA_WITH_SHA384.into(),
            extensions: Vec::new(),
        }
    }

    /// The same, valid from one second to another, both included.
    pub(crate) fn valid(mut self, not_before: u64, not_after: u64) -> Self {
        (self.not_before, self.not_after) = (not_before, not_after);
        self
    }

    /// The same with extensions.
    pub(crate) fn with(mut self, extensions: Vec<Vec<u8>>) -> Self {
        self.extensions = extensions;
        self
    }

    /// Signs it.
    pub(crate) fn sign(&self, issuer: &SigningKey) -> Vec<u8> {
        let algorithm = der::sequence(&[&der::identifier(&self.algorithm)]);
        let body = self.body(&algorithm);
        let signature = der::bits(&issuer.sign_der(&body));
        der::sequence(&[&body, &algorithm, &signature])
    }

    /// What the issuer signs.
    fn body(&self, algorithm: &[u8]) -> Vec<u8> {
        let key_algorithm = der::sequence(&[
            &der::identifier(EC_PUBLIC_KEY),
            &der::identifier(&self.curve),
        ]);
        let extensions: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        der::sequence(&[
            &der::value(0xa0, &[&der::integer(VERSION_3)]),
            &der::integer(self.serial),
            algorithm,
            &self.issuer,
            &der::sequence(&[&der::time(self.not_before), &der::time(self.not_after)]),
            &self.subject,
            &der::sequence(&[&key_algorithm, &der::bits(&self.key)]),
            &der::value(0xa3, &[&der::sequence(&extensions)]),
        ])
    }
}

/// Extensions of an authority.
pub(crate) fn authority(path_length: Option<u8>) -> Vec<Vec<u8>> {
    vec![
        basic_constraints(true, path_length),
        key_usage(CERT_SIGN | CRL_SIGN | DIGITAL_SIGNATURE),
    ]
}

/// Extensions of a leaf.
pub(crate) fn leaf() -> Vec<Vec<u8>> {
    vec![basic_constraints(false, None), key_usage(DIGITAL_SIGNATURE)]
}

/// Critical extension that says whether the subject is an authority.
pub(crate) fn basic_constraints(is_authority: bool, path_length: Option<u8>) -> Vec<u8> {
    // DER leaves out what equals the default, and false is the default.
    let authority = if is_authority {
        der::boolean(true)
    } else {
        Vec::new()
    };
    let path_length = path_length
        .map(|most| der::integer(most.into()))
        .unwrap_or_default();
    extension(
        BASIC_CONSTRAINTS,
        true,
        &der::sequence(&[&authority, &path_length]),
    )
}

/// Critical extension that says what the key may do; `bits` as in RFC 5280, first bit highest.
pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros().min(7)).unwrap_or_default();
    extension(KEY_USAGE, true, &der::value(0x03, &[&[unused, bits]]))
}

/// Any extension; `identifier` is the content of its object identifier.
pub(crate) fn extension(identifier: &[u8], is_critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if is_critical {
        der::boolean(true)
    } else {
        Vec::new()
    };
    der::sequence(&[
        &der::identifier(identifier),
        &critical,
        &der::octets(content),
    ])
}

/// Key usage: may sign data.
pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
/// Key usage: may sign certificates.
pub(crate) const CERT_SIGN: u8 = 0x04;
/// Key usage: may sign revocation lists.
pub(crate) const CRL_SIGN: u8 = 0x02;

const VERSION_3: u64 = 2;
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.132.0.34
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.2.840.10045.4.3.3
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// 2.5.29.15
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
