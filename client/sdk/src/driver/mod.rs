//! The task that keeps one device connected to its vault.
//!
//! ```text
//!  callers ──Ask──▶ outstanding ──seal──▶ session ──envelopes──▶ transport
//!          ◀─Reply── (by id)    ◀─open──          ◀────────────
//! ```
//!
//! Nothing is connected before something is asked. Requests are pipelined and answered by id. When a
//! session ends (reset by the node, frames lost, connection broken, expired, silent for too long),
//! another is opened and every request without an answer is repeated under its id, a bounded number
//! of times: the vault does each once. What a reply says is kept before its caller hears it.

mod absence;
mod driving;
mod news;
mod outstanding;
mod pause;
mod probe;
mod release;

mod timing;

pub(crate) use driving::{Command, Driver, Parts};
pub(crate) use outstanding::{Answered, Ask};
