//! `credential.*`.

mod create;
mod report_lost;
mod rotate_identity;
mod version;

pub(crate) use create::Create;
pub(crate) use report_lost::ReportLost;
pub(crate) use rotate_identity::RotateIdentity;
pub(crate) use version::Version;
