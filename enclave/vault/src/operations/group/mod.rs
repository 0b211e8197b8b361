//! `group.*`.

mod accept;
mod add;
mod create;
mod decline;
mod get;
mod leave;
mod list;
mod remove;
mod rename;

pub(crate) use accept::Accept;
pub(crate) use add::Add;
pub(crate) use create::Create;
pub(crate) use decline::Decline;
pub(crate) use get::Get;
pub(crate) use leave::Leave;
pub(crate) use list::List;
pub(crate) use remove::Remove;
pub(crate) use rename::Rename;

use vettid_wire::id::GroupId;
use vettid_wire::operation::group;
use vettid_wire::refusal::Code;

use crate::circle::shown::shown;
use crate::effect::Changing;
use crate::stop::Stop;

/// A group as it is now.
fn reply(on: &Changing<'_>, id: &GroupId) -> Result<group::Group, Stop> {
    let found = on.change.group(id)?.ok_or(Code::NotFound)?;
    shown(**on.change, found)
}
