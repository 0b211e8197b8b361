//! The network between nodes: who can be reached and how, and bytes from host to host.
//!
//! A host carries what its enclave says to other enclaves. This crate finds their hosts, connects
//! to them, and keeps everything else away from a peer until the two enclaves have admitted each
//! other.
//!
//! ```text
//!            commands                    streams of one connection
//!  host ──▶ Handle ──▶ driver (swarm) ──▶ attest ─▶ link (task) ─┐
//!   ▲                      │              attachment             │ frames, bounded
//!   └────── Event ◀────────┴─────────────────────────────────────┘
//! ```
//!
//! | question | module |
//! |---|---|
//! | what can a host choose? | [`config`] |
//! | what can it ask, and what is it told? | [`handle`], [`event`] |
//! | what is served to whom, and who is kept out? | `gate`, `backoff` |
//! | how do frames travel? | `link`, `frame` |
//! | which protocols are spoken? | `behaviour`, `transport` |
//! | can an address be listened on? | [`listen`] |
//! | where do homes lie? | `records` |
//! | from where is this host reached? | `identified`, `reachability`, `punch` |
//! | who gets how much of a relay? | `circuits` |
//!
//! Provided: bounded queues and deadlines toward every peer; a peer that is slow, silent or hostile
//! costs its own connection and delays no other. Not provided: any judgment of what an enclave says;
//! secrecy of who talks to which node, when and how much.

pub mod address;
mod attachment;
mod backoff;
mod behaviour;
mod boxed;
mod bucket;
mod circuits;
pub mod config;
mod driver;
pub mod event;
mod exposition;
mod frame;
mod gate;
pub mod handle;
mod identified;
pub mod introducer;
pub mod key;
mod link;
pub mod listen;
pub mod log;
pub mod metrics;
mod neighbors;
mod punch;
mod reachability;
mod records;
pub mod signals;
mod status;
mod streams;
#[cfg(test)]
mod tests;
mod transport;

pub use attachment::{AttachmentBody, Responder, Sending};
pub use config::{Config, Limits, RelayLimits, Role};
pub use driver::{Federation, StartError};
pub use event::Event;
pub use exposition::serve_metrics;
pub use handle::Handle;
pub use key::HostKey;
pub use status::{PeerStatus, Status};
