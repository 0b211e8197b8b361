//! The tables, one module a noun. No SQL is written outside this crate.
//!
//! Reading methods are on [`crate::View`], writing ones on [`crate::Change`]. They keep the tables
//! consistent; who may do what, and every limit of the protocol, is the vault's to decide.

pub(crate) mod column;

pub mod audit;
pub mod channel;
pub mod cleared;
pub mod connection;
pub mod credential;
mod device;
pub mod early;
pub mod feed;
pub mod group;
pub mod heard;
pub mod home;
pub mod identity;
pub mod invitation;
pub mod item;
pub mod key;
pub mod message;
mod message_page;
pub mod mls;
pub mod outbox;
pub mod reaction;
pub mod receipt;
mod removed;
pub mod request;
mod said;
pub mod tag;
pub mod taken;
pub mod transaction_key;
pub mod unsaid;
pub mod vault;
mod weight;
