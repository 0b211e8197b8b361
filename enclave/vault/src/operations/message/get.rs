//! `message.get`: one message.

use vettid_wire::operation::message::{self, Message};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Shows one message.
pub(crate) enum Get {}

impl Operation for Get {
    type Request = message::Get;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: message::Get) -> Result<Message, Stop> {
        let found = on.view().message(&request.id)?;
        Ok(found.ok_or(Code::NotFound)?.as_of(on.now))
    }
}
