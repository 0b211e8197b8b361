//! `connection.block`: nothing of that vault gets through any more.

use vettid_store::Room;
use vettid_wire::operation::Done;
use vettid_wire::operation::connection::{self, Ended, State};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::connect::ending;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Blocks a vault. Keys are destroyed, and it is not told: what it sends is answered as if it were
/// taken.
pub(crate) enum Block {}

impl Operation for Block {
    type Request = connection::Block;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: connection::Block) -> Result<Done, Stop> {
        on.about(&request.id.0);
        let found = on.change.connection(&request.id)?.ok_or(Code::NotFound)?;
        for (id, state) in on.change.connections_with(&found.vault)? {
            let ended = matches!(state, State::Declined | State::Revoked | State::Blocked);
            if (id == found.id || !ended)
                && let Some(other) = on.change.connection(&id)?
            {
                ending::end(on, &other, Ended::Blocked, None)?;
            }
        }
        Ok(Done {})
    }
}
