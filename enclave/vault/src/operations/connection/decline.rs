//! `connection.decline`: this owner does not want it.

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

/// Declines a connection that is not active. Its keys are destroyed.
pub(crate) enum Decline {}

impl Operation for Decline {
    type Request = connection::Decline;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: connection::Decline) -> Result<Done, Stop> {
        on.about(&request.id.0);
        let connection = ending::undecided(on, &request.id)?;
        ending::end_and_say(on, &connection, Ended::Declined, &Content::Decline)?;
        Ok(Done {})
    }
}
