//! `vault.*`.

mod enroll;
mod lock;
mod status;
mod unlock;

pub(crate) use enroll::Enroll;
pub(crate) use lock::Lock;
pub(crate) use status::Status;
pub(crate) use unlock::Unlock;
