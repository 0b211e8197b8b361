//! Scenarios over real processes: a node, its enclave and its bus, started, killed and lied to.
//!
//! ```text
//! scenario ── Owner ──▶ sdk ────────────┐
//!          ── CommandLine ──▶ `vettid` ─┤══ NATS ══ vettid-node ══ vettid-enclave-emulated
//!          ── RawApp ──▶ own frames ────┘               │
//!          ── HostDisk ─────────────────────────▶ node.db, objects (while the node is stopped)
//! ```
//!
//! | question | module |
//! |---|---|
//! | how is a node started, killed, restarted? | [`node`] |
//! | how does an owner act? | [`owner`], [`phone`], [`command_line`] |
//! | what does an operator ask? | [`operator`] |
//! | how does a hostile app act? | [`raw`] |
//! | how do nodes behind address translation meet? | [`nat`] |
//! | how does an image boot, and a home in one? | [`machine`], [`booted`] |
//! | what does time do to a vault? | [`memory`] |
//! | how do many nodes behave over days? | [`simulation`] |
//! | how does a lying host act? | [`host_disk`], [`fake_enclave`] |
//! | how far has a vault come? | [`progress`] |
//! | what waits, and how long? | [`wait`], [`first_wait`] |
//! | what is in `tests/vectors/`? | [`vectors`] |
//! | what is in the generated tables under `docs/`? | [`tables`] |
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness of tests: to fail loudly at the first surprise is its way to report"
)]

pub mod booted;
pub mod command_line;
pub mod door;
pub mod fake_enclave;
pub mod first_wait;
pub mod host_disk;
pub mod items;
pub mod kms;
pub mod machine;
pub mod memory;
pub mod nat;
pub mod node;
pub mod noise;
pub mod operator;
pub mod owner;
pub mod phone;
pub mod plaintext;
pub mod processes;
pub mod programs;
pub mod progress;
pub mod raw;
pub mod release;
pub mod simulation;
mod spoken;
pub mod tables;
pub mod tokens;
pub mod vectors;
pub mod wait;
