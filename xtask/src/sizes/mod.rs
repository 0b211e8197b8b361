//! How large files and functions are and how much is documented and tested, against targets.
//!
//! A line counts as production if it is neither blank nor a comment and stands outside tests.
//! Exceptions are in `xtask/sizes-allowed.toml`, each with its reason; one that is not needed any
//! more fails the check like a missing one.

mod allowed;
mod count;
mod figures;
mod report;

pub(crate) use report::check;
