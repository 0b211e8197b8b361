//! `message.edit`: replaces the text of a message of this owner.

use vettid_store::rows::message::Body;
use vettid_wire::content::Content;
use vettid_wire::limits;
use vettid_wire::operation::{Done, message};
use vettid_wire::refusal::Code;

use super::{own, say, still};
use crate::audit::Audit;
use crate::connect::said;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;
use crate::text;

/// Replaces the text of a message of this owner, on every side.
pub(crate) enum Edit {}

impl Operation for Edit {
    type Request = message::Edit;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Never;
    const LIMIT: usize = limits::TEXT + SMALL;

    fn run(on: &mut Changing<'_>, _: App, request: message::Edit) -> Result<Done, Stop> {
        text::at_most("text", limits::TEXT, request.text.len())?;
        let message = still(own(on, &request.id)?)?;
        let says = !request.text.is_empty() || !message.attachments.is_empty();
        if !says || !said::is_text(&request.text) {
            return Err(Code::InvalidValue.into());
        }
        let body = Body {
            text: request.text.clone(),
            attachments: message.attachments,
        };
        on.change.edit_message(&request.id, &body, on.now)?;
        on.change.index_message(&request.id)?;
        let content = Content::Edit {
            id: request.id,
            text: request.text,
        };
        say(on, &message.conversation, &content, None)?;
        on.message_changed()?;
        Ok(Done {})
    }
}
