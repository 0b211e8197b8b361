//! The daemon beside the enclave: bus, enclave link, vault log, object store, HTTP.
//!
//! It carries and keeps ciphertext and is trusted for availability alone. [`node::Node`] wires the
//! parts together; each part stands alone and is tested alone.

pub mod addresses;
pub mod admin;
mod attachment;
pub mod audit;
mod backoff;
pub mod bus;
pub mod child;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod enclave_link;
pub mod entropy;
pub mod federation;
pub mod folder;
pub mod health;
pub mod http;
pub mod invitation;
mod mailbox;
pub mod metrics;
pub mod network;
pub mod node;
pub mod object_store;
pub mod release;
pub mod shutdown;
#[cfg(feature = "simulation")]
pub mod simulated;
pub mod space;
mod spool;
mod upkeep;
pub mod vault_log;
