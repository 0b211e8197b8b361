//! `message.react`: sets or takes back this owner's reaction.

use vettid_wire::content::Content;
use vettid_wire::operation::{Done, message};
use vettid_wire::refusal::Code;

use super::{present, say};
use crate::audit::Audit;
use crate::connect::said;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Sets or takes back this owner's reaction to a message.
pub(crate) enum React {}

impl Operation for React {
    type Request = message::React;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Changing<'_>, _: App, request: message::React) -> Result<Done, Stop> {
        if !request.reaction.as_deref().is_none_or(said::is_reaction) {
            return Err(Code::InvalidValue.into());
        }
        let message = present(on, &request.id)?;
        let reaction = request.reaction.as_deref();
        on.change.set_reaction(&request.id, None, reaction)?;
        on.change.touch_message(&request.id)?;
        let content = Content::React {
            to: on.name_of(&request.id)?.ok_or(Code::NotFound)?,
            reaction: request.reaction,
        };
        say(on, &message.conversation, &content, None)?;
        on.message_changed()?;
        Ok(Done {})
    }
}
