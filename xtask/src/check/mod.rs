//! `cargo xtask check`: everything that is true of the tree besides its tests.

mod lints;
mod list;
mod marks;
mod paths;
mod reasons;
mod supply;

pub(crate) use list::run;
