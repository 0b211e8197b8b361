//! `vault.*`, `pin.*`: opening and closing a vault.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::Secret;
use crate::home::HomeNode;
use crate::id::{DeviceRoute, VaultId};
use crate::request::{Head, TransactionKey};
use crate::time::UnixMillis;

/// `vault.enroll`: proves the invitation and stages a new vault in memory. Nothing is stored until
/// `credential.create`.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Enroll {
    /// Vault's half of the invitation's secret, 32 bytes.
    #[n(0)]
    pub token: Secret,
    /// Name of this device, as the owner will see it.
    #[n(1)]
    pub device_name: String,
    /// Route of this device on the bus.
    #[n(2)]
    pub route: DeviceRoute,
    /// PIN, 6 to 32 decimal digits.
    #[n(3)]
    pub pin: Secret,
}
operation!(Enroll => Enrolled, "vault.enroll", Session);

/// A staged vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Enrolled {
    /// Its id.
    #[n(0)]
    pub vault: VaultId,
    /// First one-time keys; the password for `credential.create` is sealed to one.
    #[n(1)]
    pub transaction_keys: Vec<TransactionKey>,
}

/// `vault.unlock`: proves the PIN and opens the vault, or proves it again for what needs it fresh.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Unlock {
    /// PIN.
    #[n(0)]
    pub pin: Secret,
    /// Newest record that this device has seen.
    #[n(1)]
    pub seen: Option<Head>,
}
operation!(Unlock => Unlocked, "vault.unlock", Session);

/// An open vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Unlocked {
    /// Its id.
    #[n(0)]
    pub vault: VaultId,
    /// One-time keys that are left for this device.
    #[n(1)]
    pub transaction_keys_left: u32,
    /// Newest entry of the feed.
    #[n(2)]
    pub feed: u64,
    /// Wrong PINs since the last right one, this one not counted.
    #[n(3)]
    pub failed_attempts: u32,
}

/// `vault.lock`: closes the vault for everybody. Its keys leave memory.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Lock {}
operation!(Lock => Done, "vault.lock", Session, once);

/// `vault.status`: what can be said with or without the PIN.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Status {
    /// Newest record that this device has seen: a vault that does not have it refuses with
    /// `rolled-back`.
    #[n(0)]
    pub seen: Option<Head>,
}
operation!(Status => StatusReport, "vault.status", Session);

/// State of a vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct StatusReport {
    /// Whether it waits for the PIN.
    #[n(0)]
    pub locked: bool,
    /// Wrong PINs since the last right one.
    #[n(1)]
    pub failed_attempts: u32,
    /// No PIN is tried before this.
    #[n(2)]
    pub wait_until: Option<UnixMillis>,
    /// What only an open vault knows.
    #[n(3)]
    pub open: Option<OpenStatus>,
}

/// What only an open vault knows about itself.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct OpenStatus {
    /// Its id.
    #[n(0)]
    pub vault: VaultId,
    /// Items that are not in the trash.
    #[n(1)]
    pub items: u32,
    /// Database size, bytes.
    #[n(2)]
    pub bytes: u64,
    /// Current version of the credential.
    #[n(3)]
    pub credential_version: u64,
    /// Whether credential operations are frozen after an alarm.
    #[n(4)]
    pub credential_frozen: bool,
    /// One-time keys that are left for this device.
    #[n(5)]
    pub transaction_keys_left: u32,
    /// Newest entry of the feed.
    #[n(6)]
    pub feed: u64,
    /// Devices that are not revoked.
    #[n(7)]
    pub devices: u32,
    /// Newest change of a message.
    #[n(8)]
    pub messages: u64,
    /// Node that stores what this vault's devices attach; absent for one that keeps to itself.
    #[n(9)]
    pub home: Option<HomeNode>,
}

/// `pin.change`: replaces the PIN.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ChangePin {
    /// PIN that is valid now.
    #[n(0)]
    pub current: Secret,
    /// PIN from now on.
    #[n(1)]
    pub replacement: Secret,
}
operation!(ChangePin => Done, "pin.change", Session, once);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn question_for_the_state_may_name_what_was_seen() {
        let hash = [7; 32];
        let named = Status {
            seen: Some(Head { number: 5, hash }),
        };
        let bytes = cbor::encode(&named);

        assert_eq!(bytes[..6], [0xa1, 0x00, 0x82, 0x05, 0x58, 0x20]);
        assert_eq!(bytes[6..], hash);
        assert_eq!(cbor::decode(&bytes), Ok(named));
    }

    #[test]
    fn question_for_the_state_that_names_nothing_is_an_empty_map() {
        let unnamed = Status { seen: None };

        assert_eq!(cbor::encode(&unnamed), [0xa0]);
        assert_eq!(cbor::decode(&[0xa0]), Ok(unnamed));
    }
}
