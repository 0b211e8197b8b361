//! The daemon beside the enclave: bus, enclave link, vault log, object store, HTTP.
//!
//! It carries and keeps ciphertext and is trusted for availability alone.

pub mod bus;
pub mod child;
pub mod clock;
pub mod database;
pub mod entropy;
pub mod folder;
pub mod object_store;
pub mod shutdown;
pub mod vault_log;
