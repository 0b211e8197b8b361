//! `connection.revoke`: ends it at once.

use vettid_store::Room;
use vettid_wire::content::Content;
use vettid_wire::operation::Done;
use vettid_wire::operation::connection::{self, Ended};

use crate::audit::Audit;
use crate::connect::ending;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Ends a connection. Its keys are destroyed; the other side is told when it can be.
pub(crate) enum Revoke {}

impl Operation for Revoke {
    type Request = connection::Revoke;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: connection::Revoke) -> Result<Done, Stop> {
        on.about(&request.id.0);
        let found = ending::lasting(on, &request.id)?;
        ending::end_and_say(on, &found, Ended::Revoked, &Content::Revoke)?;
        Ok(Done {})
    }
}
