//! Fixed inputs of this crate's tests.
