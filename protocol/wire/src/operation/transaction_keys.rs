//! `transaction-keys.*`: one-time keys that secrets are sealed to.

use minicbor::{Decode, Encode};

use super::operation;
use crate::request::TransactionKey;

/// `transaction-keys.refill`: fills this device's pool up.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Refill {}
operation!(Refill => Refilled, "transaction-keys.refill", Session);

/// One-time keys.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Refilled {
    /// All that this device may use, old and new.
    #[n(0)]
    pub keys: Vec<TransactionKey>,
}
