//! `message.list`: a page of one conversation.

use vettid_wire::operation::message::{self, Messages};

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// A page of one conversation.
pub(crate) enum List {}

impl Operation for List {
    type Request = message::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: message::List) -> Result<Messages, Stop> {
        let conversation = &request.conversation;
        let page = on
            .view()
            .messages(conversation, request.from, request.limit)?;
        Ok(page.as_of(on.now))
    }
}
