//! An owner's device, and what it can ask of the vault.

mod device;
mod operations;
mod presence;
mod settle;

pub use device::Owner;
pub(crate) use device::start;
pub(crate) use presence::is_before_looking;
pub(crate) use settle::repeated;
pub use settle::{Settled, SettledOutcome};
