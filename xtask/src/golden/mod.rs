//! Files that are written by the code and reviewed by people: tables, ledgers, vectors.
//!
//! They are committed. Checking them means writing them again elsewhere and comparing.

mod ledger;
mod written;

pub(crate) use written::{Mode, tables, vectors};
