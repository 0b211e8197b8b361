//! The life of a vault.
//!
//! ```text
//!  Fresh ── vault.enroll ──▶ Staged ── credential.create ──▶ Unlocked ── vault.lock ──▶ Closed
//!    ╰── 30 min ──▶ Closed ◀── 30 min ──╯                        ▲
//!                              Sealed ── vault.unlock ───────────╯
//! ```
//!
//! A staged vault is in memory only: nothing of it is stored before its password is set. A sealed
//! one is all that can be read without the PIN. Locking is the end of the process.

pub(crate) mod checkpoint;
pub(crate) mod gate;
pub(crate) mod peering;
pub(crate) mod reading;
pub(crate) mod sealed;
pub(crate) mod staged;
pub(crate) mod state;
pub(crate) mod unlocked;
pub(crate) mod upkeep;

pub(crate) use gate::{Gate, Log};
pub(crate) use sealed::{Sealed, Unusable};
pub(crate) use staged::{Fresh, Staged};
pub use state::Phase;
pub(crate) use state::State;
pub(crate) use unlocked::Unlocked;
