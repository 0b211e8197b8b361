//! `message.search`: messages whose text matches.

use vettid_wire::limits;
use vettid_wire::operation::message::{self, Messages};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Searches the text of messages, newest first. The first search builds the index.
pub(crate) enum Search {}

impl Operation for Search {
    type Request = message::Search;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: message::Search) -> Result<Messages, Stop> {
        text::at_most("search", limits::SEARCH, request.text.len())?;
        on.database.build_message_index()?;
        let (view, now) = (on.view(), on.now);
        let found = request.text.expose(|text| {
            let text = std::str::from_utf8(text).map_err(|_| Code::InvalidValue)?;
            let conversation = request.conversation.as_ref();
            let page = (request.after.as_ref(), request.limit);
            Ok::<_, Stop>(view.search_messages(text, conversation, page, now)?)
        })?;
        let (found, more) = found;
        let mut page = view.messages_found(&found)?;
        page.more |= more;
        Ok(page)
    }
}
