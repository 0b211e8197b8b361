//! Releases of the enclave: what the network lists, and what this node keeps for those that it runs.

mod listed;
mod rows;

pub(crate) use listed::accepted;
pub use listed::{Listed, VerifyError, listed, verify};
pub use rows::KeptRelease;
#[cfg(test)]
pub(crate) use rows::NotToServe;
pub(crate) use rows::ReleaseRows;
