//! `release.status`: which release serves the vault, and which one it may move to.

use vettid_wire::operation::release;

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Says which release runs, which is offered and which is approved.
pub(crate) enum Status {}

impl Operation for Status {
    type Request = release::Status;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        _: release::Status,
    ) -> Result<release::StatusReport, Stop> {
        Ok(release::StatusReport {
            running: on.keys.running(),
            offered: on.keys.offered(),
            approved: on.keys.approved(),
        })
    }
}
