//! `group.get`: one group.

use vettid_wire::operation::group;
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::circle::shown::shown;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Shows one group.
pub(crate) enum Get {}

impl Operation for Get {
    type Request = group::Get;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, request: group::Get) -> Result<group::Group, Stop> {
        let found = on.view().group(&request.id)?.ok_or(Code::NotFound)?;
        shown(on.view(), found)
    }
}
