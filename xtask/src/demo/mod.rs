//! `cargo xtask demo`: the main story, on real processes.
//!
//! Two owners enroll at a fresh node through invitations, keep things in their vaults, survive a
//! crash of node and enclave, and look at everything the host ever saw. Then two owners at nodes of
//! different operators meet and talk, through closed vaults, a crash and a relay, while a changed
//! enclave stays outside. Each step says in plain words what it shows and fails the command if it
//! is not as told.

mod federation;
mod owner;
mod scene;
mod step;
mod story;
mod traces;
mod wait;
mod wiretap;

pub(crate) use story::{Options, run};
