//! What both vaults sign, and the digits.

use vettid_crypto::sign::{Signature, SigningKey, VerifyingKey};
use vettid_crypto::{Label, digest};
use vettid_wire::content::Signed;
use vettid_wire::id::VaultId;

/// Which side of a meeting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// Was invited.
    Invited,
    /// Has invited.
    Inviting,
}

impl Side {
    /// The byte that is signed.
    pub(crate) const fn byte(self) -> [u8; 1] {
        match self {
            Self::Invited => [1],
            Self::Inviting => [2],
        }
    }
}

/// Digest of everything said before keys: both sides' first words, who invites, and what whoever was
/// invited states. Nothing in it is chosen after a random number was shown.
pub(super) fn transcript(
    hello: &[u8],
    offer: &[u8],
    inviting: &VaultId,
    invited: &VaultId,
    answer: &[u8],
) -> [u8; 32] {
    let parts: &[&[u8]] = &[hello, offer, &inviting.0, &invited.0, answer];
    digest::labeled(Label::ConnectTranscript, parts)
}

/// What a side states: the transcript, its own words and its MLS signature key.
pub(super) struct Stated<'a> {
    pub(super) side: Side,
    pub(super) transcript: &'a [u8; 32],
    pub(super) core: &'a [u8],
    pub(super) key: &'a [u8; 32],
}

impl Stated<'_> {
    /// Signs it with the vault's identity.
    pub(super) fn sign(&self, identity: &SigningKey) -> Signed {
        let side = self.side.byte();
        let parts: &[&[u8]] = &[&side, self.transcript, self.core, self.key];
        Signed {
            core: self.core.to_vec(),
            signature: identity.sign(Label::ConnectSignature, parts).0,
        }
    }

    /// Whether an identity has signed it.
    pub(super) fn is_signed(&self, identity: &VerifyingKey, signature: &[u8; 64]) -> bool {
        let side = self.side.byte();
        let parts: &[&[u8]] = &[&side, self.transcript, self.core, self.key];
        identity
            .verify(Label::ConnectSignature, parts, &Signature(*signature))
            .is_ok()
    }
}

/// The digits that both owners compare.
pub(super) fn code(transcript: &[u8; 32], inviting: &[u8; 32], invited: &[u8; 32]) -> String {
    let parts: &[&[u8]] = &[transcript, inviting, invited];
    let digest = digest::labeled(Label::SafetyCode, parts);
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// Commitment to a random number.
pub(super) fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    digest::labeled(Label::ConnectNonce, &[nonce])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_six_digits_and_follows_from_all_that_was_said() {
        let base = code(&[1; 32], &[2; 32], &[3; 32]);

        assert!(base.len() == 6 && base.bytes().all(|byte| byte.is_ascii_digit()));
        for other in [
            code(&[9; 32], &[2; 32], &[3; 32]),
            code(&[1; 32], &[9; 32], &[3; 32]),
            code(&[1; 32], &[2; 32], &[9; 32]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn statement_of_one_side_is_not_one_of_the_other() {
        let identity = SigningKey::from_seed(&[1; 32]);
        let stated = |side| Stated {
            side,
            transcript: &[2; 32],
            core: b"words",
            key: &[3; 32],
        };
        let signed = stated(Side::Invited).sign(&identity);
        let key = identity.verifying_key();

        assert!(stated(Side::Invited).is_signed(&key, &signed.signature));
        assert!(!stated(Side::Inviting).is_signed(&key, &signed.signature));
    }
}
