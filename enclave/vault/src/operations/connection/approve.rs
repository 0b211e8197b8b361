//! `connection.approve`: this owner wants it.

use vettid_wire::content::Content;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::refusal::Code;

use super::reply;
use crate::audit::Audit;
use crate::connect::{Progress, channel, ending};
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Approves a connection whose digits the owner has been shown. It is active when both owners have.
pub(crate) enum Approve {}

impl Operation for Approve {
    type Request = connection::Approve;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Changing<'_>,
        _: App,
        request: connection::Approve,
    ) -> Result<connection::Connection, Stop> {
        on.about(&request.id.0);
        let mut found = ending::met(on, &request.id)?;
        if found.state != State::Pending {
            // This owner has approved it before.
            return reply(on, &request.id);
        }
        // Whoever is in between could have had the keys made anew, to take the digits away.
        if found.safety_code.is_none() {
            return Err(Code::DigitsLost.into());
        }
        channel::say(on, &request.id, &Content::Approve, None)?;
        let progress = Progress::of(found.progress.as_ref())?;
        if matches!(progress, Some(Progress::Agreed { approved: true, .. })) {
            ending::begin(on, found)?;
        } else {
            found.state = State::Approved;
            on.change.put_connection(&found)?;
        }
        reply(on, &request.id)
    }
}
