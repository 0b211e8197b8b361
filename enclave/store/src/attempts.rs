//! Attempts at a PIN or password.

use vettid_wire::time::UnixMillis;

/// Account of wrong PINs or passwords. Charged durably before one is tried, so that no crash and
/// no restart gives an attempt back; what follows from the numbers is the vault's to decide.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attempts {
    /// Charged and not refunded.
    pub failed: u32,
    /// Nothing is tried before this.
    pub not_before: UnixMillis,
}
