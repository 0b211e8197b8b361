//! Deterministic CBOR. RFC 8949, section 4.2.
//!
//! Types derive `Encode` and `Decode` with integer map keys. There is one accepted encoding of
//! every value: [`decode`] encodes what it read once more and compares, so that duplicate keys,
//! unknown keys, longer forms of integers, other key orders and indefinite lengths are all refused.

use core::convert::Infallible;

use minicbor::encode::Write;
use minicbor::{Decode, Encode};

pub use minicbor;

/// Bytes are not the one encoding of the type that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Not this type, or cut short.
    #[error("not the expected structure")]
    Structure,
    /// Bytes follow the value.
    #[error("bytes follow the value")]
    Trailing,
    /// Readable, but not in its deterministic form.
    #[error("not in deterministic form")]
    NotDeterministic,
}

/// Encodes a value. Writing to memory does not fail, and no type of ours refuses its own encoding.
#[must_use]
pub fn encode(value: &impl Encode<()>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(value, &mut out);
    out
}

/// Appends the encoding of a value to `out`.
///
/// Room is made for all of it at once: a vector that grows copies, and leaves what may be secret
/// behind in each place that it had.
pub fn encode_into(value: &impl Encode<()>, out: &mut Vec<u8>) {
    let mut length = Length(0);
    let counted = minicbor::encode(value, &mut length);
    debug_assert!(counted.is_ok());
    out.reserve(length.0);
    let written = minicbor::encode(value, &mut *out);
    debug_assert!(written.is_ok());
}

/// Decodes a value from exactly its deterministic encoding.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    let value: T = decode_exact(bytes)?;
    let mut expected = Expected(bytes);
    match minicbor::encode(&value, &mut expected) {
        Ok(()) if expected.0.is_empty() => Ok(value),
        _ => Err(Malformed::NotDeterministic),
    }
}

/// Decodes a value that fills `bytes`, in any encoding. For large frames between two programs of
/// one node, where nothing is signed or compared.
pub fn decode_exact<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| Malformed::Structure)?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(Malformed::Trailing)
    }
}

/// A structure of the wire: both directions, owning what it read.
pub trait Wire: Encode<()> + for<'b> Decode<'b, ()> {}

impl<T: Encode<()> + for<'b> Decode<'b, ()>> Wire for T {}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

/// Compares what is written with bytes that are there, up to the first difference.
struct Expected<'b>(&'b [u8]);

/// What was written is not what was expected.
struct Different;

impl Write for Expected<'_> {
    type Error = Different;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Different> {
        self.0 = self.0.strip_prefix(bytes).ok_or(Different)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Decode, Encode, PartialEq)]
    #[cbor(map)]
    struct Sample {
        #[n(0)]
        number: u64,
        #[n(1)]
        text: Option<String>,
    }

    #[test]
    fn encoding_comes_back() {
        let sample = Sample {
            number: 5,
            text: Some("x".into()),
        };

        assert_eq!(decode::<Sample>(&encode(&sample)), Ok(sample));
    }

    #[test]
    fn encoding_takes_no_more_room_than_it_needs() {
        let sample = Sample {
            number: 70_000,
            text: Some("x".repeat(1_000)),
        };

        let bytes = encode(&sample);

        assert_eq!(bytes.capacity(), bytes.len());
    }

    #[test]
    fn every_other_encoding_of_the_same_value_is_refused() {
        for (bytes, why) in [
            (&[0xa1, 0x00, 0x18, 0x05][..], "longer integer"),
            (&[0xa2, 0x00, 0x05, 0x00, 0x05], "duplicate key"),
            (&[0xbf, 0x00, 0x05, 0xff], "indefinite length"),
            (&[0xa2, 0x00, 0x05, 0x09, 0x01], "unknown key"),
            (&[0xa2, 0x01, 0x61, 0x78, 0x00, 0x05], "other key order"),
            (&[0xa2, 0x00, 0x05, 0x01, 0xf6], "null for absent"),
        ] {
            assert_eq!(
                decode::<Sample>(bytes),
                Err(Malformed::NotDeterministic),
                "{why}"
            );
        }
    }

    #[test]
    fn trailing_and_missing_bytes_are_refused() {
        assert_eq!(
            decode::<Sample>(&[0xa1, 0x00, 0x05, 0x00]),
            Err(Malformed::Trailing)
        );
        assert_eq!(decode::<Sample>(&[0xa1, 0x00]), Err(Malformed::Structure));
        assert_eq!(decode::<Sample>(&[]), Err(Malformed::Structure));
    }

    #[test]
    fn claimed_length_allocates_nothing() {
        let huge = [
            0xa1, 0x01, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ];

        assert_eq!(decode::<Sample>(&huge), Err(Malformed::Structure));
    }

    #[test]
    fn deep_nesting_under_an_unknown_key_is_refused() {
        let mut bytes = vec![0xa2, 0x00, 0x05, 0x09];
        bytes.extend(std::iter::repeat_n(0x81, 60_000));
        bytes.push(0x00);

        assert_eq!(decode::<Sample>(&bytes), Err(Malformed::NotDeterministic));
    }
}
