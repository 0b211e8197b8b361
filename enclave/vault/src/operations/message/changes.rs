//! `message.changes`: messages that are new or have changed.

use vettid_wire::operation::message::{self, Messages};

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// What has changed behind a number, over all conversations.
pub(crate) enum Changes {}

impl Operation for Changes {
    type Request = message::Changes;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: message::Changes) -> Result<Messages, Stop> {
        let page = on.view().message_changes(request.behind, request.limit)?;
        Ok(page.as_of(on.now))
    }
}
