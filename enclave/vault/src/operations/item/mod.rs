//! `item.*`.

mod base32;
mod body;
mod draft;
mod find;
mod get;
mod history;
pub(crate) mod index;
mod list;
mod merge;
mod otp;
mod otp_seed;
mod put;
mod put_critical;
mod remove;
mod restore;
mod reveal;
mod reveal_critical;
mod search;
mod value;
mod write;

pub(crate) use get::Get;
pub(crate) use history::History;
pub(crate) use list::List;
pub(crate) use otp::Otp;
pub(crate) use put::Put;
pub(crate) use put_critical::PutCritical;
pub(crate) use remove::Remove;
pub(crate) use restore::Restore;
pub(crate) use reveal::Reveal;
pub(crate) use reveal_critical::RevealCritical;
pub(crate) use search::Search;
