//! Documents as a module writes them.

use std::collections::BTreeMap;

use vettid_crypto::p384::SigningKey;
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::bytes::{ByteArray, ByteSlice};
use vettid_wire::time::UnixMillis;

use crate::attester::AttestedClaims;
use crate::nitro::document::{append_bytes, signed_bytes};
use crate::nitro::{Field, PCR};

/// The protected header `{1: -35}`: ES384.
pub(crate) const ES384_HEADER: &[u8] = &[0xa1, 0x01, 0x38, 0x22];

/// What goes into a payload.
pub(crate) struct Fields<'a> {
    pub(crate) module_id: &'a str,
    pub(crate) timestamp: UnixMillis,
    pub(crate) pcrs: &'a BTreeMap<u8, [u8; PCR]>,
    pub(crate) certificate: &'a [u8],
    pub(crate) cabundle: &'a [Vec<u8>],
    pub(crate) claims: AttestedClaims<'a>,
}

impl Fields<'_> {
    /// Names and encoded values, in the module's order.
    pub(crate) fn entries(&self) -> Vec<(&'static str, Vec<u8>)> {
        let pcrs: BTreeMap<u8, ByteArray<PCR>> = self
            .pcrs
            .iter()
            .map(|(index, value)| (*index, (*value).into()))
            .collect();
        let cabundle: Vec<&ByteSlice> = self
            .cabundle
            .iter()
            .map(|one| one.as_slice().into())
            .collect();
        let entry = |field: Field, value| (field.name(), value);
        vec![
            entry(Field::ModuleId, cbor::encode(&self.module_id)),
            entry(Field::Digest, cbor::encode(&"SHA384")),
            entry(Field::Timestamp, cbor::encode(&self.timestamp)),
            entry(Field::Pcrs, cbor::encode(&pcrs)),
            entry(Field::Certificate, bytes(Some(self.certificate))),
            entry(Field::Cabundle, cbor::encode(&cabundle)),
            entry(Field::PublicKey, bytes(self.claims.public_key)),
            entry(Field::UserData, bytes(self.claims.user_data)),
            entry(Field::Nonce, bytes(self.claims.nonce)),
        ]
    }
}

/// A map of indefinite length, as newer modules write it.
pub(crate) fn payload(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0xbf];
    for (name, value) in entries {
        cbor::encode_into(name, &mut out);
        out.extend_from_slice(value);
    }
    out.push(0xff);
    out
}

/// The whole document over a payload.
pub(crate) fn sign(protected: &[u8], payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let mut out = vec![0x84];
    append_bytes(&mut out, protected);
    out.push(0xa0);
    append_bytes(&mut out, payload);
    append_bytes(&mut out, &key.sign(&signed_bytes(protected, payload)));
    out
}

fn bytes(value: Option<&[u8]>) -> Vec<u8> {
    cbor::encode(&value.map(<&ByteSlice>::from))
}
