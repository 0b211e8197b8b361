//! MLS (RFC 9420) by OpenMLS, made to fit a vault: no clock, no entropy, no threads and no storage
//! of its own.
//!
//! | OpenMLS needs | it gets |
//! |---|---|
//! | primitives | [`vettid_crypto::mls`] |
//! | random bytes | stretched from what the vault's entropy gives at each call |
//! | storage | the vault's tables, in the transaction under way: keys and message commit together |
//! | time | nothing of it counts: key packages are used once, at once, and bounded by the vault's clock |
//! | threads | the caller's ([`one_thread`]) |

mod at_hand;
mod config;
mod current;
mod framing;
mod group;
mod hear;
#[cfg(test)]
mod large;
#[cfg(feature = "simulation")]
mod measured;
mod member;
mod one_thread;
mod packed;
mod primitives;
mod provider;
mod storage;
#[cfg(test)]
mod tests;
mod usable;

pub(crate) use at_hand::AtHand;
pub(crate) use config::Window;
pub(crate) use current::is_current;
pub(crate) use group::{Found, Mls, NotMls};
pub(crate) use hear::Heard;
#[cfg(feature = "simulation")]
pub use measured::MeasuredPair;
pub(crate) use member::{Keys, Member};
pub(crate) use primitives::Suite;
