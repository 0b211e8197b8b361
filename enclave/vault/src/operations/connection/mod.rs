//! `connection.*`.

mod approve;
mod block;
mod decline;
mod get;
mod list;
mod revoke;
mod rotate;
mod unblock;
mod update;
mod verify;

pub(crate) use approve::Approve;
pub(crate) use block::Block;
pub(crate) use decline::Decline;
pub(crate) use get::Get;
pub(crate) use list::List;
pub(crate) use revoke::Revoke;
pub(crate) use rotate::Rotate;
pub(crate) use unblock::Unblock;
pub(crate) use update::Update;
pub(crate) use verify::Verify;

use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection;
use vettid_wire::refusal::Code;

use crate::connect::shown::shown;
use crate::effect::Changing;
use crate::stop::Stop;

/// A connection as it is now.
fn reply(on: &Changing<'_>, id: &ConnectionId) -> Result<connection::Connection, Stop> {
    let found = on.change.connection(id)?.ok_or(Code::NotFound)?;
    shown(**on.change, found)
}
