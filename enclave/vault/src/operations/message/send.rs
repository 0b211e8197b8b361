//! `message.send`: says something.

use vettid_store::rows::message::{Body, NewMessage};
use vettid_wire::content::{Content, Text};
use vettid_wire::id::MessageId;
use vettid_wire::limits;
use vettid_wire::operation::message::{self, Receipt, Sent};
use vettid_wire::refusal::Code;

use super::say;
use crate::audit::Audit;
use crate::connect::said;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;
use crate::text;

/// Says something. It leaves when the other side can be reached.
pub(crate) enum Send {}

impl Operation for Send {
    type Request = message::Send;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Never;
    const LIMIT: usize = limits::TEXT + limits::ATTACHMENTS * SMALL;

    fn run(on: &mut Changing<'_>, _: App, request: message::Send) -> Result<Sent, Stop> {
        check(&request)?;
        if let Some(reply_to) = &request.reply_to {
            let answered = on.change.message(reply_to)?.ok_or(Code::NotFound)?;
            if answered.conversation != request.conversation {
                return Err(Code::NotFound.into());
            }
        }
        let id = MessageId::random(on.entropy);
        let body = Body {
            text: request.text.clone(),
            attachments: request.attachments.clone(),
        };
        let placed = on.change.insert_message(&NewMessage {
            id,
            said: None,
            conversation: request.conversation,
            sender: None,
            sent: on.now,
            received: None,
            body: &body,
            reply_to: request.reply_to,
            receipt: Some(Receipt::Waiting),
            disappear_after: request.disappear_after,
        })?;
        if let Some(after) = request.disappear_after {
            // At the latest then: nobody may ever say that it was read.
            let latest = on.now.plus(limits::DELIVERY_TIME).plus(after);
            on.change.set_disappears(&id, latest)?;
        }
        on.change.index_message(&id)?;
        let reply_to = request.reply_to.map(|id| on.name_of(&id));
        let content = Content::Text(Text {
            id,
            text: request.text,
            reply_to: reply_to.transpose()?.flatten(),
            attachments: request.attachments,
            disappear_after: request.disappear_after,
        });
        say(on, &request.conversation, &content, Some(id))?;
        on.message_changed()?;
        Ok(Sent {
            id,
            sequence: placed.sequence,
        })
    }
}

fn check(request: &message::Send) -> Result<(), Stop> {
    text::at_most("text", limits::TEXT, request.text.len())?;
    text::at_most(
        "attachments",
        limits::ATTACHMENTS,
        request.attachments.len(),
    )?;
    let says = !request.text.is_empty() || !request.attachments.is_empty();
    let bounded = request.attachments.iter().all(|it| it.is_bounded());
    let time = request.disappear_after.is_none_or(said::is_time);
    if says && bounded && time && said::is_text(&request.text) {
        Ok(())
    } else {
        Err(Code::InvalidValue.into())
    }
}
