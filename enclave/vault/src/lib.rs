//! One owner's vault: who may do what, what it does, and what it leaves behind.
//!
//! ```text
//!  request ──▶ dispatch ──▶ table row ──▶ grant earned ──▶ run, in one transaction ──▶ reply
//!                                │                               │
//!                    refused ◀───┘                one record ────┴──▶ host
//! ```
//!
//! The vault is synchronous and has no I/O, clock or entropy of its own: [`Host`], [`Clock`] and
//! [`vettid_crypto::Entropy`] are lent to it for each call. Nothing it replies may leave before the
//! record that the answer names is durable.
//!
//! | question | module |
//! |---|---|
//! | who may call what? | `grant`, `table` |
//! | what does an operation do? | `operations/<noun>/<verb>` |
//! | how does a vault come to life and open? | `lifecycle` |
//! | what happens at a use of the credential? | `credential` |
//! | how often may a PIN be tried? | `attempts` |
//! | how fast may a device ask? | `pace` |

mod attempts;
mod audit;
mod bucket;
mod call;
mod circle;
mod connect;
mod credential;
mod dispatch;
mod effect;
mod event;
#[cfg(test)]
mod fixture;
mod grant;
mod header_keys;
mod host;
mod identity;
mod kept;
mod lifecycle;
mod mls;
mod operation;
mod operations;
mod outside;
mod pace;
mod peer;
mod stop;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod transaction_keys;
mod vault;

pub use audit::Audit;
pub use call::Caller;
pub use event::Answer;
pub use grant::Kind;
pub use header_keys::HeaderKeys;
pub use host::{Clock, Host, Lost, Unreadable};
pub use lifecycle::Phase;
#[cfg(feature = "simulation")]
pub use mls::MeasuredPair;
pub use peer::{Inbound, KnownHome, Outbound, Place, Received};
pub use table::{Row, table};
pub use vault::Vault;
