//! Secrets as text that people hand over: bech32m (BIP 350) over deterministic CBOR. A letter that is
//! mistyped is noticed, and what is secret is wiped on the way.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use minicbor::{Decode, Encode};
use vettid_crypto::WipedVec;

use crate::cbor;

/// A value under a prefix of its kind; empty when it is longer than [`LONGEST`] allows.
pub(crate) fn encode(prefix: &str, value: &impl Encode<()>) -> String {
    let bytes = WipedVec::new(cbor::encode(value));
    bech32::encode::<Bech32m>(Hrp::parse_unchecked(prefix), &bytes).unwrap_or_default()
}

/// Reads a value under a prefix; nothing when it is none, mistyped or of another kind.
pub(crate) fn decode<T>(prefix: &str, text: &str) -> Option<T>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    if text.len() > LONGEST {
        return None;
    }
    let parsed = CheckedHrpstring::new::<Bech32m>(text).ok()?;
    if parsed.hrp().as_str() != prefix {
        return None;
    }
    let mut bytes = WipedVec::new(Vec::with_capacity(LONGEST));
    for byte in parsed.byte_iter() {
        bytes.append(&[byte]);
    }
    cbor::decode(&bytes).ok()
}

/// Characters of a bech32m string, BCH code length.
const LONGEST: usize = 1023;
