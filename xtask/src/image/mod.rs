//! `cargo xtask image`: the enclave image, from this repository and package registries alone.
//!
//! ```text
//! enclave/image/{image.toml, kernel.config} ─▶ kernel ──────────┐
//! enclave/init, enclave/runtime ─▶ static programs ─▶ vettid-image pack ─▶ vettid-enclave.eif
//!                                                                       └▶ release.toml
//! ```

mod elsewhere;
mod inputs;
mod kernel;
mod pack;
mod programs;
mod release;
mod run;

pub(crate) use run::{Options, build_for_tests, run};
