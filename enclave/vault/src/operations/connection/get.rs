//! `connection.get`: one connection.

use vettid_wire::operation::connection;
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::connect::shown::shown;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Shows one connection.
pub(crate) enum Get {}

impl Operation for Get {
    type Request = connection::Get;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        request: connection::Get,
    ) -> Result<connection::Connection, Stop> {
        let found = on.view().connection(&request.id)?.ok_or(Code::NotFound)?;
        shown(on.view(), found)
    }
}
