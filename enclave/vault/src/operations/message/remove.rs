//! `message.remove`: takes a message away.

use vettid_store::Room;
use vettid_wire::content::Content;
use vettid_wire::operation::{Done, message};

use super::{own, present, say};
use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Takes a message away: here, or on every side if this owner has sent it.
pub(crate) enum Remove {}

impl Operation for Remove {
    type Request = message::Remove;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Never;
    const ROOM: Room = Room::Reserve;

    fn run(on: &mut Changing<'_>, _: App, request: message::Remove) -> Result<Done, Stop> {
        if request.everywhere {
            // Also of one that was removed here before: the others have it still.
            let message = own(on, &request.id)?;
            let content = Content::Remove(request.id);
            say(on, &message.conversation, &content, None)?;
            if message.removed.is_some() {
                return Ok(Done {});
            }
        } else {
            present(on, &request.id)?;
        }
        on.change.remove_message(&request.id, on.now)?;
        on.change.index_message(&request.id)?;
        on.message_changed()?;
        Ok(Done {})
    }
}
