//! `key.*`.

mod generate;
mod import;
mod list;
mod public;
mod remove;
mod sign;
mod stored;

pub(crate) use generate::Generate;
pub(crate) use import::Import;
pub(crate) use list::List;
pub(crate) use public::Public;
pub(crate) use remove::Remove;
pub(crate) use sign::Sign;
