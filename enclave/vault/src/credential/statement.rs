//! The statement by which one identity key follows another.

use vettid_crypto::Label;
use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::VaultId;
use vettid_wire::time::UnixMillis;

/// Says that one identity key of a vault follows another; signed by both.
#[derive(Debug, Decode, Encode)]
#[cbor(map)]
pub(crate) struct Statement {
    #[n(0)]
    vault: VaultId,
    /// Place of the following key in the succession; the first key has number 1.
    #[n(1)]
    number: u32,
    #[cbor(n(2), with = "minicbor::bytes")]
    from: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    to: [u8; 32],
    #[n(4)]
    at: UnixMillis,
    #[cbor(n(5), with = "minicbor::bytes")]
    by_from: [u8; 64],
    #[cbor(n(6), with = "minicbor::bytes")]
    by_to: [u8; 64],
}

impl Statement {
    /// Makes the statement that `to` follows `from`.
    pub(crate) fn new(
        vault: VaultId,
        number: u32,
        from: &SigningKey,
        to: &SigningKey,
        at: UnixMillis,
    ) -> Self {
        let keys = (from.verifying_key().0, to.verifying_key().0);
        let (number_bytes, time) = (number.to_be_bytes(), at.0.to_be_bytes());
        let parts: &[&[u8]] = &[&vault.0, &number_bytes, &keys.0, &keys.1, &time];
        let sign = |key: &SigningKey| key.sign(Label::Rotation, parts).0;
        let (by_from, by_to) = (sign(from), sign(to));
        Self {
            vault,
            number,
            from: keys.0,
            to: keys.1,
            at,
            by_from,
            by_to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::sign::{Signature, VerifyingKey};
    use vettid_wire::cbor;

    #[test]
    fn both_keys_sign_the_same_succession() {
        let (from, to) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let made = Statement::new(VaultId([3; 32]), 2, &from, &to, UnixMillis(9));

        let read: Statement = cbor::decode(&cbor::encode(&made)).expect("decodes");

        let (number, time) = (2_u32.to_be_bytes(), 9_u64.to_be_bytes());
        let parts: &[&[u8]] = &[&[3; 32], &number, &read.from, &read.to, &time];
        for (key, signature) in [(read.from, read.by_from), (read.to, read.by_to)] {
            let verified = VerifyingKey(key).verify(Label::Rotation, parts, &Signature(signature));
            assert_eq!(verified, Ok(()));
        }
        assert_eq!(
            (read.vault, read.number, read.at),
            (made.vault, 2, UnixMillis(9))
        );
    }
}
