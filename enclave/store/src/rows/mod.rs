//! The tables, one module a noun. No SQL is written outside this crate.
//!
//! Reading methods are on [`crate::View`], writing ones on [`crate::Change`]. They keep the tables
//! consistent; who may do what, and every limit of the protocol, is the vault's to decide.

pub(crate) mod column;

pub mod audit;
pub mod credential;
mod device;
pub mod feed;
pub mod identity;
pub mod item;
pub mod key;
pub mod request;
pub mod tag;
pub mod transaction_key;
pub mod vault;
