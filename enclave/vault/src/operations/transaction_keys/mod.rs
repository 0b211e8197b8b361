//! `transaction-keys.*`.

mod refill;

pub(crate) use refill::Refill;
