//! OwnerSpace: the bus between owners' apps and their vaults on this node.
//!
//! ```text
//! app ── user JWT ──▶ nats-server (child process) ◀── node user ── inbound ──▶ enclave link
//!                                                 ◀────────────── outbound ◀──
//! ```
//!
//! What the bus protects: nothing of value. Its permissions keep strangers' traffic apart and bound
//! what one device can cost; content is authenticated inside the session, which ends in the enclave.

pub mod credentials;
pub mod inbound;
pub mod outbound;
pub mod revocation;
pub mod server;

mod connection;
mod pinned;
mod server_file;
mod token;
mod version;

pub use connection::{BusError, connect};
pub use server_file::Listeners;
pub use token::SignError;
pub use version::{ServerVersion, VersionError};
