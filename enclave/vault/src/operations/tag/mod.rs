//! `tag.*`.

mod list;
mod merge;
mod name;
mod put;
mod remove;
mod rename;

pub(crate) use list::List;
pub(crate) use merge::Merge;
pub(crate) use name::{check_name, check_room};
pub(crate) use put::Put;
pub(crate) use remove::Remove;
pub(crate) use rename::Rename;
