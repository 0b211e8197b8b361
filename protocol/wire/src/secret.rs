//! Secret bytes inside a structure.

use core::fmt;

use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Decoder, Encode, Encoder};
use vettid_crypto::WipedVec;

/// Secret bytes of any length inside a structure: wiped on drop, never printed.
#[derive(Clone, Default)]
pub struct Secret(WipedVec);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(WipedVec::new(bytes))
    }

    /// Lends the bytes for one computation.
    pub fn expose<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&self.0)
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Compares in constant time, so that tests and idempotency checks can.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        vettid_crypto::digest::same(&self.0, &other.0)
    }
}

impl Eq for Secret {}

impl<C> Encode<C> for Secret {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        <&ByteSlice>::from(self.0.as_slice()).encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Secret {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::new(d.bytes()?.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::from("1234")), "Secret(..)");
    }

    #[test]
    fn secret_travels_as_a_byte_string() {
        let bytes = crate::cbor::encode(&Secret::from("ab"));

        assert_eq!(bytes, [0x42, 0x61, 0x62]);
        assert_eq!(crate::cbor::decode(&bytes), Ok(Secret::from("ab")));
    }
}
