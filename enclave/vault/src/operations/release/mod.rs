//! `release.*`.

mod approve;
mod status;

pub(crate) use approve::Approve;
pub(crate) use status::Status;
