//! The payload of an attestation document: what the module says about the enclave.
//!
//! A map with text keys, of definite or indefinite length as older and newer modules write it.
//! Each key at most once, none unknown; every value within the bounds of the format.

use core::fmt;
use std::collections::BTreeMap;

use vettid_wire::cbor::minicbor::Decoder;
use vettid_wire::cbor::minicbor::data::Type;
use vettid_wire::time::UnixMillis;

use super::certificate::MAX_CERTIFICATE;
use super::document::{DocumentError, malformed};

/// Largest `public_key`, `user_data` and `nonce`, bytes. Bound of the document format.
pub const MAX_USER_FIELD: usize = 1024;

/// Most certificates in `cabundle`. Real documents have 4.
pub const MAX_CABUNDLE: usize = 8;

/// Largest `module_id`, bytes. Real ones have up to 39.
pub const MAX_MODULE_ID: usize = 128;

/// Bytes of one platform configuration register: a SHA-384 digest.
pub const PCR: usize = 48;

/// One field of the payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Field {
    /// Authorities between the root and the leaf.
    Cabundle,
    /// The leaf certificate.
    Certificate,
    /// Name of the registers' digest.
    Digest,
    /// Name of the module that signed.
    ModuleId,
    /// The verifier's challenge.
    Nonce,
    /// Platform configuration registers.
    Pcrs,
    /// A key of the enclave's choice.
    PublicKey,
    /// When it was signed.
    Timestamp,
    /// Bytes of the enclave's choice.
    UserData,
}

impl Field {
    const ALL: [Self; 9] = [
        Self::Cabundle,
        Self::Certificate,
        Self::Digest,
        Self::ModuleId,
        Self::Nonce,
        Self::Pcrs,
        Self::PublicKey,
        Self::Timestamp,
        Self::UserData,
    ];

    /// The key in the payload's map.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cabundle => "cabundle",
            Self::Certificate => "certificate",
            Self::Digest => "digest",
            Self::ModuleId => "module_id",
            Self::Nonce => "nonce",
            Self::Pcrs => "pcrs",
            Self::PublicKey => "public_key",
            Self::Timestamp => "timestamp",
            Self::UserData => "user_data",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a document says. Worth nothing before the document is verified.
#[derive(Debug)]
pub struct Claims<'a> {
    /// Name of the module that signed: instance and enclave.
    pub module_id: &'a str,
    /// When it was signed, by the hypervisor's clock.
    pub timestamp: UnixMillis,
    /// Registers by index, 0 to 15 at least.
    pub pcrs: BTreeMap<u8, [u8; PCR]>,
    /// The leaf certificate, DER.
    pub certificate: &'a [u8],
    /// The root, which nobody reads, then the authorities in order, DER.
    pub cabundle: Vec<&'a [u8]>,
    /// A key of the enclave's choice.
    pub public_key: Option<&'a [u8]>,
    /// Bytes of the enclave's choice.
    pub user_data: Option<&'a [u8]>,
    /// The verifier's challenge.
    pub nonce: Option<&'a [u8]>,
}

impl<'a> Claims<'a> {
    /// Parses exactly one payload.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, DocumentError> {
        let mut decoder = Decoder::new(payload);
        let mut seen = Seen::default();
        let length = decoder.map().map_err(malformed)?;
        each(&mut decoder, length, |decoder| seen.read_entry(decoder))?
            .then_some(())
            .ok_or(DocumentError::UnknownField)?;
        if decoder.position() != payload.len() {
            return Err(DocumentError::PayloadSpareBytes);
        }
        seen.complete()
    }
}

/// Fields as they come. `public_key`, `user_data` and `nonce` may be left out or null.
#[derive(Default)]
struct Seen<'a> {
    module_id: Option<&'a str>,
    digest: Option<()>,
    timestamp: Option<UnixMillis>,
    pcrs: Option<BTreeMap<u8, [u8; PCR]>>,
    certificate: Option<&'a [u8]>,
    cabundle: Option<Vec<&'a [u8]>>,
    public_key: Option<Option<&'a [u8]>>,
    user_data: Option<Option<&'a [u8]>>,
    nonce: Option<Option<&'a [u8]>>,
}

impl<'a> Seen<'a> {
    fn read_entry(&mut self, decoder: &mut Decoder<'a>) -> Result<(), DocumentError> {
        let name = decoder.str().map_err(malformed)?;
        let field = Field::of(name).ok_or(DocumentError::UnknownField)?;
        match field {
            Field::Cabundle => once(&mut self.cabundle, field, || cabundle(decoder)),
            Field::Certificate => once(&mut self.certificate, field, || {
                sized(decoder, field, 1, MAX_CERTIFICATE)
            }),
            Field::Digest => once(&mut self.digest, field, || digest(decoder)),
            Field::ModuleId => once(&mut self.module_id, field, || module_id(decoder)),
            Field::Nonce => once(&mut self.nonce, field, || optional(decoder, field)),
            Field::Pcrs => once(&mut self.pcrs, field, || pcrs(decoder)),
            Field::PublicKey => once(&mut self.public_key, field, || optional(decoder, field)),
            Field::Timestamp => once(&mut self.timestamp, field, || timestamp(decoder)),
            Field::UserData => once(&mut self.user_data, field, || optional(decoder, field)),
        }
    }

    fn complete(self) -> Result<Claims<'a>, DocumentError> {
        present(self.digest, Field::Digest)?;
        Ok(Claims {
            module_id: present(self.module_id, Field::ModuleId)?,
            timestamp: present(self.timestamp, Field::Timestamp)?,
            pcrs: present(self.pcrs, Field::Pcrs)?,
            certificate: present(self.certificate, Field::Certificate)?,
            cabundle: present(self.cabundle, Field::Cabundle)?,
            public_key: self.public_key.flatten(),
            user_data: self.user_data.flatten(),
            nonce: self.nonce.flatten(),
        })
    }
}

/// Reads a field into its slot, if nothing is in there yet.
fn once<T>(
    slot: &mut Option<T>,
    field: Field,
    read: impl FnOnce() -> Result<T, DocumentError>,
) -> Result<(), DocumentError> {
    if slot.is_some() {
        return Err(DocumentError::DuplicateField(field));
    }
    *slot = Some(read()?);
    Ok(())
}

fn present<T>(slot: Option<T>, field: Field) -> Result<T, DocumentError> {
    slot.ok_or(DocumentError::MissingField(field))
}

fn module_id<'a>(decoder: &mut Decoder<'a>) -> Result<&'a str, DocumentError> {
    let text = decoder
        .str()
        .map_err(|_| DocumentError::FieldType(Field::ModuleId))?;
    if text.is_empty() || text.len() > MAX_MODULE_ID {
        return Err(DocumentError::FieldSize(Field::ModuleId));
    }
    Ok(text)
}

fn digest(decoder: &mut Decoder<'_>) -> Result<(), DocumentError> {
    match decoder.str() {
        Ok("SHA384") => Ok(()),
        _ => Err(DocumentError::Digest),
    }
}

fn timestamp(decoder: &mut Decoder<'_>) -> Result<UnixMillis, DocumentError> {
    decoder
        .u64()
        .map(UnixMillis)
        .map_err(|_| DocumentError::FieldType(Field::Timestamp))
}

/// Registers by index, each once, the first sixteen all there.
fn pcrs(decoder: &mut Decoder<'_>) -> Result<BTreeMap<u8, [u8; PCR]>, DocumentError> {
    let mut pcrs = BTreeMap::new();
    let length = decoder
        .map()
        .map_err(|_| DocumentError::FieldType(Field::Pcrs))?;
    let complete = each(decoder, length, |decoder| {
        let index = decoder.u8().map_err(|_| DocumentError::PcrIndex)?;
        if index > LAST_PCR {
            return Err(DocumentError::PcrIndex);
        }
        let value = decoder
            .bytes()
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(DocumentError::PcrLength(index))?;
        match pcrs.insert(index, value) {
            None => Ok(()),
            Some(_) => Err(DocumentError::DuplicatePcr(index)),
        }
    })?;
    if !complete {
        return Err(DocumentError::FieldSize(Field::Pcrs));
    }
    match (0..FIRST_PCRS).find(|index| !pcrs.contains_key(index)) {
        Some(missing) => Err(DocumentError::MissingPcr(missing)),
        None => Ok(pcrs),
    }
}

fn cabundle<'a>(decoder: &mut Decoder<'a>) -> Result<Vec<&'a [u8]>, DocumentError> {
    const FIELD: Field = Field::Cabundle;
    let mut bundle = Vec::new();
    let length = decoder
        .array()
        .map_err(|_| DocumentError::FieldType(FIELD))?;
    let complete = each(decoder, length, |decoder| {
        if bundle.len() == MAX_CABUNDLE {
            return Err(DocumentError::FieldSize(FIELD));
        }
        bundle.push(sized(decoder, FIELD, 1, MAX_CERTIFICATE)?);
        Ok(())
    })?;
    if bundle.is_empty() || !complete {
        return Err(DocumentError::FieldSize(FIELD));
    }
    Ok(bundle)
}

fn optional<'a>(
    decoder: &mut Decoder<'a>,
    field: Field,
) -> Result<Option<&'a [u8]>, DocumentError> {
    match decoder.datatype() {
        Ok(Type::Null) => decoder.null().map(|()| None).map_err(malformed),
        _ => sized(decoder, field, 0, MAX_USER_FIELD).map(Some),
    }
}

fn sized<'a>(
    decoder: &mut Decoder<'a>,
    field: Field,
    least: usize,
    most: usize,
) -> Result<&'a [u8], DocumentError> {
    let bytes = decoder
        .bytes()
        .map_err(|_| DocumentError::FieldType(field))?;
    if (least..=most).contains(&bytes.len()) {
        Ok(bytes)
    } else {
        Err(DocumentError::FieldSize(field))
    }
}

/// Reads the entries of a map or array, of definite or indefinite length; false if it claims, or
/// has, more than any of them may have.
fn each<'a>(
    decoder: &mut Decoder<'a>,
    length: Option<u64>,
    mut read: impl FnMut(&mut Decoder<'a>) -> Result<(), DocumentError>,
) -> Result<bool, DocumentError> {
    for count in 0..=MAX_ENTRIES {
        let done = match length {
            Some(length) => count == length,
            None => matches!(decoder.datatype(), Ok(Type::Break)),
        };
        if done {
            if length.is_none() {
                decoder.set_position(decoder.position().saturating_add(1));
            }
            return Ok(true);
        }
        read(decoder)?;
    }
    Ok(false)
}

const MAX_ENTRIES: u64 = 32;
const LAST_PCR: u8 = 31;
const FIRST_PCRS: u8 = 16;
