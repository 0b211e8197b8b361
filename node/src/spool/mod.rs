//! The spool: deliveries of this node's vaults for other vaults, sealed, until they are settled.
//!
//! A delivery is stored in the transaction of the record that it depends on, or a later one: a
//! crash never leaves a delivery whose vault does not know of it. The other way round the vault's
//! own outbox hands it over again.
//!
//! ```text
//! enclave ──Spool──▶ rows (behind its record) ──stored──▶ Lanes ──Offer──▶ enclave
//!                                        rows ◀──Load──── Lanes ◀─Settled── (done: forgotten)
//! ```
//!
//! [`lanes::Lanes`] decides what is offered when, without I/O, and [`turns`] in whose turn; [`rows`] are
//! the table.

mod jitter;
mod lane;
mod lanes;
mod resting;
mod rows;
mod step;
mod turns;

pub(crate) use lanes::{LANES, Lanes};
pub(crate) use rows::{Keep, Kept, Known, SpoolRows, Spooled};
pub(crate) use step::{Load, Step};
