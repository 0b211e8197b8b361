//! Who may depend on whom: the arrow table, compared with what cargo knows.
//!
//! The dependency graph is the security argument: the host cannot read a vault because it links
//! nothing that could, and a primitive is used in one place because only that place may name it.

mod graph;
mod purity;
mod rules;
mod table;

pub(crate) use graph::members;
pub(crate) use purity::check as check_purity;
pub(crate) use rules::check;
