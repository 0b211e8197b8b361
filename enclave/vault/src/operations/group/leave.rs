//! `group.leave`: this vault goes.

use vettid_store::Room;
use vettid_wire::content::GroupChange;
use vettid_wire::operation::{Done, group};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::circle::{self, creator, member};
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Leaves a group. When its creator goes, the group ends.
pub(crate) enum Leave {}

impl Operation for Leave {
    type Request = group::Leave;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: group::Leave) -> Result<Done, Stop> {
        on.about(&request.id.0);
        let group = on.change.group(&request.id)?.ok_or(Code::NotFound)?;
        if group.signer.is_none() && !group.invited {
            return Err(Code::NotMember.into());
        }
        if group.creator.is_some() {
            member::leave(on, group)?;
        } else {
            creator::tell_all(on, &request.id, GroupChange::Over)?;
            circle::leave_behind(on, group)?;
        }
        Ok(Done {})
    }
}
