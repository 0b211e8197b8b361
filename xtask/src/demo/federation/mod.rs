//! The second part of the story: two owners at nodes of different operators.
//!
//! ```text
//!  Cleo ── north (node, enclave, bus) ──┬── bootstrap ──┬── south (node, enclave, bus) ── Dan
//!                                       └──── relay ────┘
//!                         east: a changed enclave, which nobody admits
//! ```

mod bond;
mod governance;
mod introducer;
mod setting;
mod sight;
mod steps;
mod talk;
mod trials;

pub(crate) use setting::Federation;
pub(crate) use steps::STEPS;
