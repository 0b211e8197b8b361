//! `group.create`: a conversation with some of this owner's connections.

use vettid_wire::limits;
use vettid_wire::operation::group;
use vettid_wire::refusal::Refusal;

use super::reply;
use crate::audit::Audit;
use crate::circle::creator;
use crate::connect::place;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;
use crate::text;

/// Makes a group. Its members come in as their vaults answer.
pub(crate) enum Create {}

impl Operation for Create {
    type Request = group::Create;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;
    const LIMIT: usize = 4 * SMALL;

    fn run(on: &mut Changing<'_>, _: App, request: group::Create) -> Result<group::Group, Stop> {
        text::line("group name", limits::ALIAS, &request.name)?;
        place::here(on)?;
        let groups = usize::try_from(on.change.count_groups()?).unwrap_or(usize::MAX);
        if groups >= limits::GROUPS {
            let (max, size) = (limits::GROUPS, groups.saturating_add(1));
            return Err(Refusal::limit("groups", max, size).into());
        }
        let id = creator::create(on, request.name, &request.members)?;
        on.about(&id.0);
        reply(on, &id)
    }
}
