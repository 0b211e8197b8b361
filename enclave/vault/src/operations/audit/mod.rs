//! `audit.*`.

mod export;
mod query;
mod verify;

pub(crate) use export::Export;
pub(crate) use query::Query;
pub(crate) use verify::Verify;
