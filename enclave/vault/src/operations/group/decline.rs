//! `group.decline`: this owner does not want to be in.

use vettid_store::Room;
use vettid_wire::operation::{Done, group};

use crate::audit::Audit;
use crate::circle::member;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Declines to be in a group; its creator's vault is told.
pub(crate) enum Decline {}

impl Operation for Decline {
    type Request = group::Decline;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: group::Decline) -> Result<Done, Stop> {
        on.about(&request.id.0);
        member::decline(on, &request.id)?;
        Ok(Done {})
    }
}
