//! `group.remove`: puts one out.

use vettid_store::Room;
use vettid_wire::operation::group;
use vettid_wire::refusal::Code;

use super::reply;
use crate::audit::Audit;
use crate::circle::creator;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Puts a member out of a group of this vault; it reads nothing later.
pub(crate) enum Remove {}

impl Operation for Remove {
    type Request = group::Remove;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: group::Remove) -> Result<group::Group, Stop> {
        on.about(&request.id.0);
        let group = creator::own(on, &request.id)?;
        if on
            .change
            .group_member(&request.id, &request.member)?
            .is_none()
        {
            return Err(Code::NotFound.into());
        }
        creator::put_out(on, &group.id, &request.member, true)?;
        reply(on, &request.id)
    }
}
