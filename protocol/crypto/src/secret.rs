//! Secret values, one type a role.

use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::entropy::{Entropy, draw};

/// A secret of fixed length: lent by closure, wiped on drop, never printed.
pub trait SecretBytes<const N: usize>: Sized {
    /// Takes the bytes over; the caller's copy must be wiped by the caller.
    fn from_bytes(bytes: [u8; N]) -> Self;

    /// Draws a fresh secret.
    fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        let mut bytes = draw(entropy);
        let secret = Self::from_bytes(bytes);
        bytes.zeroize();
        secret
    }

    /// Lends the bytes for one computation.
    fn expose<T>(&self, f: impl FnOnce(&[u8; N]) -> T) -> T;
}

/// A 32-byte secret that seals or authenticates.
pub trait SymmetricKey: SecretBytes<32> {}

/// Makes a secret type, and the test that its `Debug` shows nothing.
macro_rules! secrets {
    ($($(#[$doc:meta])+ $name:ident / $test:ident,)+) => {
        $(
            $(#[$doc])+
            #[derive(ZeroizeOnDrop)]
            pub struct $name([u8; 32]);

            impl SecretBytes<32> for $name {
                fn from_bytes(bytes: [u8; 32]) -> Self {
                    Self(bytes)
                }

                fn expose<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
                    f(&self.0)
                }
            }

            impl SymmetricKey for $name {}

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(concat!(stringify!($name), "(..)"))
                }
            }
        )+

        #[cfg(test)]
        mod redaction {
            use super::*;

            $(
                #[test]
                fn $test() {
                    let secret = $name::from_bytes([0x5a; 32]);

                    assert_eq!(format!("{secret:?}"), concat!(stringify!($name), "(..)"));
                }
            )+
        }
    };
}

secrets! {
    /// Key of one attachment; its chunks' keys are derived from it.
    AttachmentKey / attachment_key_is_not_printed,
    /// Seed of the Ed25519 key that binds sessions to an enclave's evidence; one a boot.
    BindingSeed / binding_seed_is_not_printed,
    /// Root of the keys of critical values; exists only inside the Protean Credential.
    CriticalRoot / critical_root_is_not_printed,
    /// What an invitation to connect carries: proves to the inviting vault that it was seen.
    ConnectToken / connect_token_is_not_printed,
    /// Seals a sealing root; the platform's key service makes it and alone can unwrap it.
    DataKey / data_key_is_not_printed,
    /// What vaults may be moved with from one release to another; both releases know it.
    HandoverRoot / handover_root_is_not_printed,
    /// Seals home records of one vault; whoever knows the vault's id knows it.
    HomeKey / home_key_is_not_printed,
    /// Seals what an enclave has taken over from earlier releases.
    InheritanceKey / inheritance_key_is_not_printed,
    /// What an invitation link carries; its two halves prove it to host and vault.
    InvitationSecret / invitation_secret_is_not_printed,
    /// Seals what an enclave leaves with its host for closed vaults and absent peers.
    MailboxKey / mailbox_key_is_not_printed,
    /// Authenticates what a vault made itself and gave away.
    MacKey / mac_key_is_not_printed,
    /// Result of Argon2id over a PIN or password.
    PinKey / pin_key_is_not_printed,
    /// Random half of the vault key's wrapping; lives in the sealed header.
    Pepper / pepper_is_not_printed,
    /// Seed of the key that earlier releases seal to.
    OfferSeed / offer_seed_is_not_printed,
    /// Key that a caller encloses for the secret output of one operation.
    ReplyKey / reply_key_is_not_printed,
    /// Seals the header of one vault; derived from the platform's root and the space.
    SealingKey / sealing_key_is_not_printed,
    /// Platform's sealing root: of one enclave image on one node.
    SealingRoot / sealing_root_is_not_printed,
    /// Seals one owner's log records and snapshots.
    VaultKey / vault_key_is_not_printed,
    /// Wraps another key.
    WrappingKey / wrapping_key_is_not_printed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn two_generated_secrets_differ() {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let first = VaultKey::generate(&mut entropy);
        let second = VaultKey::generate(&mut entropy);

        assert!(first.expose(|a| second.expose(|b| a != b)));
    }
}
