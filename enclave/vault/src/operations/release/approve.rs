//! `release.approve`: the vault may move to a later release.

use vettid_store::Room;
use vettid_wire::operation::{Done, feed, release};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::credential::Present;
use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::operation::Operation;
use crate::stop::Stop;

/// Seals the header for the release that is offered, in the same record as the event and the next
/// credential. What the owner names must be what is offered, to the last register: it is the app that
/// has looked it up in the network's file.
pub(crate) enum Approve {}

impl Operation for Approve {
    type Request = release::Approve;
    type Grant = OwnerPresent;
    type Effect = Present;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(
        on: &mut Changing<'_>,
        by: OwnerPresent,
        request: release::Approve,
    ) -> Result<Done, Stop> {
        let wanted = request.offered;
        on.about(&wanted.release.to_be_bytes());
        let offered = on.offered.ok_or(Code::NotFound)?;
        if wanted != offered {
            return Err(Code::Conflict.into());
        }
        on.tell(feed::Kind::ReleaseApproved, by.device())?;
        on.approve(by);
        Ok(Done {})
    }
}
