//! `feed.*`.

mod list;
mod read;

pub(crate) use list::List;
pub(crate) use read::Read;
