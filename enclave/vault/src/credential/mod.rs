//! The Protean Credential: what the owner's app holds, and what happens at every use.
//!
//! ```text
//!  app                                        vault
//!   password + reply key, sealed to a
//!   one-time key; credential          ──▶     frozen?
//!                                             one-time key spent      ┐
//!                                             genuine? current?       │ one record, durable
//!                                             attempt charged         ┘
//!                                             opened: CEK, then password
//!                                             operation               ┐
//!                                             version + 1, new CEK    │ one record
//!   reply under the reply key;                                        │
//!   next credential                   ◀──     reply kept              ┘
//! ```
//!
//! A thief of the blob cannot guess passwords: the outer layer needs the CEK. The vault cannot open
//! it alone: the inner layer needs the password. A copy is worth nothing after the next use, and
//! shows itself when it is presented.

mod blob;
mod critical;
mod presence;
mod renewal;
mod spending;

pub(crate) use blob::{Blob, Contents};
pub(crate) use critical::Presence;
pub(crate) use presence::{Present, seal_reply};
pub(crate) use renewal::{Renewal, Secrets};
