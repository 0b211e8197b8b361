//! `connection.unblock`: that vault may be connected with again.

use vettid_wire::operation::Done;
use vettid_wire::operation::connection::{self, Ended, State};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Takes a block back. The connection stays ended: a new invitation makes another one.
pub(crate) enum Unblock {}

impl Operation for Unblock {
    type Request = connection::Unblock;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;

    fn run(on: &mut Changing<'_>, _: App, request: connection::Unblock) -> Result<Done, Stop> {
        on.about(&request.id.0);
        let found = on.change.connection(&request.id)?.ok_or(Code::NotFound)?;
        if found.state != State::Blocked {
            return Err(Code::InvalidValue.into());
        }
        for (id, state) in on.change.connections_with(&found.vault)? {
            if state == State::Blocked
                && let Some(mut blocked) = on.change.connection(&id)?
            {
                blocked.state = State::Revoked;
                blocked.ended = Some(Ended::Revoked);
                on.change.put_connection(&blocked)?;
            }
        }
        Ok(Done {})
    }
}
