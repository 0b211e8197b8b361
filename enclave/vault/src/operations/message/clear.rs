//! `message.clear`: empties a conversation.

use vettid_store::Room;
use vettid_wire::operation::message::Conversation;
use vettid_wire::operation::{Done, message};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Empties a conversation up to a place, for this owner alone: nothing of it is shown from now on, and
/// its rows go in what follows. The other side is not asked.
pub(crate) enum Clear {}

impl Operation for Clear {
    type Request = message::Clear;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: message::Clear) -> Result<Done, Stop> {
        let is_known = match &request.conversation {
            Conversation::Connection(id) => {
                on.about(&id.0);
                on.change.connection(id)?.is_some()
            }
            Conversation::Group(id) => {
                on.about(&id.0);
                on.change.group(id)?.is_some()
            }
        };
        if !is_known {
            return Err(Code::NotFound.into());
        }
        if on
            .change
            .clear_messages(&request.conversation, request.through)?
        {
            on.message_changed()?;
        }
        Ok(Done {})
    }
}
