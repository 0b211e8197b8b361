//! `group.list`: every group.

use vettid_wire::operation::group::{self, Groups};

use crate::audit::Audit;
use crate::circle::shown::shown;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Lists groups, newest activity first.
pub(crate) enum List {}

impl Operation for List {
    type Request = group::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, _: group::List) -> Result<Groups, Stop> {
        let view = on.view();
        let groups = view.groups()?.into_iter().map(|group| shown(view, group));
        Ok(Groups {
            groups: groups.collect::<Result<_, _>>()?,
        })
    }
}
