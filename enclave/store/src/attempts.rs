//! Attempts at a PIN or password.

use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::DeviceId;
use vettid_wire::time::UnixMillis;

/// Account of wrong PINs or passwords. Charged durably before one is tried, so that no crash and
/// no restart gives an attempt back; what follows from the numbers is the vault's to decide.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attempts {
    /// Charged and not taken back.
    pub failed: u32,
    /// Nothing is tried before this.
    pub not_before: UnixMillis,
}

/// An attempt that was charged and is not in the audit chain yet: of a PIN, because the chain is
/// behind it; of a password, because its use is under way. What ends without an outcome on record
/// was refused.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Attempt {
    /// When it was charged.
    #[n(0)]
    pub at: UnixMillis,
    /// Device that made it.
    #[n(1)]
    pub device: DeviceId,
    /// Operation that it was made for, as in the table.
    #[n(2)]
    pub operation: String,
}
