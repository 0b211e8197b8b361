//! What one enclave says to another inside their session (MessageSpace).
//!
//! ```text
//!  vault A ── record with outbox row ──▶ durable ──▶ enclave A ── Deliver ──▶ enclave B
//!                                                                              │ open: vault B applies it,
//!                                                                              │ record durable
//!                                                                              │ closed: sealed in its mailbox
//!  vault A drops its outbox row ◀── Answer { applied | stored | refused } ◀────┘
//! ```
//!
//! Messages longer than a session frame travel in fragments ([`crate::fragment`]). A delivery is
//! answered only when what became of it is durable, and may be repeated until then: its id tells a
//! repeat. The bodies are sealed between the two vaults; no enclave's supervisor opens them.

use minicbor::{Decode, Encode};

use crate::id::{DeliveryId, VaultId};
use crate::time::UnixMillis;

/// One message of the session between two enclaves.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum PeerMessage {
    /// Hand something to a vault.
    #[n(0)]
    Deliver(#[n(0)] Delivery),
    /// What became of a delivery.
    #[n(1)]
    Answer {
        /// Which.
        #[n(0)]
        id: DeliveryId,
        /// What became of it.
        #[n(1)]
        outcome: Delivered,
    },
}

/// Something for a vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Delivery {
    /// Repeats carry the same id.
    #[n(0)]
    pub id: DeliveryId,
    /// For which vault.
    #[n(1)]
    pub to: VaultId,
    /// Useless after this; neither kept nor tried longer.
    #[n(2)]
    pub expires: UnixMillis,
    /// Sealed between the two vaults, at most [`crate::limits::DELIVERY`] bytes.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub body: Vec<u8>,
}

/// What became of a delivery, durably.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Delivered {
    /// Its vault has it.
    #[n(0)]
    Applied,
    /// It is kept but not applied: by the host until its vault is unlocked, or by the vault until what
    /// is missing before it has come. What has a sequence its sender keeps until the other vault says
    /// that it has it.
    #[n(1)]
    Stored,
    /// It was not taken.
    #[n(2)]
    Refused(#[n(0)] NotTaken),
}

/// Why a delivery was not taken: all that a sender may be told.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum NotTaken {
    /// The vault is not at this node.
    #[n(0)]
    NotHere,
    /// Its mailbox is full: try again later.
    #[n(1)]
    Full,
    /// The node cannot take it now: try again later.
    #[n(2)]
    Busy,
    /// The vault will never take it: malformed, of no connection, or expired.
    #[n(3)]
    Never,
}

impl NotTaken {
    /// Whether it is worth trying again.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::NotHere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn messages_come_back_and_are_pinned() {
        let deliver = PeerMessage::Deliver(Delivery {
            id: DeliveryId([1; 16]),
            to: VaultId([2; 32]),
            expires: UnixMillis(3),
            body: vec![4; 5],
        });
        let answer = PeerMessage::Answer {
            id: DeliveryId([1; 16]),
            outcome: Delivered::Refused(NotTaken::Full),
        };

        for message in [deliver, answer.clone()] {
            assert_eq!(cbor::decode(&cbor::encode(&message)), Ok(message));
        }
        let mut expected = vec![0x82, 0x01, 0x82, 0x50];
        expected.extend([1; 16]);
        expected.extend([0x82, 0x02, 0x81, 0x01]);
        assert_eq!(cbor::encode(&answer), expected);
    }

    #[test]
    fn what_can_change_is_tried_again_and_what_cannot_is_not() {
        assert!(NotTaken::Full.is_temporary() && NotTaken::Busy.is_temporary());
        assert!(NotTaken::NotHere.is_temporary());
        assert!(!NotTaken::Never.is_temporary());
    }
}
