//! `password.*`.

mod change;

pub(crate) use change::Change;
