//! `group.rename`: another name for every member.

use vettid_wire::content::GroupChange;
use vettid_wire::limits;
use vettid_wire::operation::group;

use super::reply;
use crate::audit::Audit;
use crate::circle::creator;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;
use crate::text;

/// Gives a group of this vault another name.
pub(crate) enum Rename {}

impl Operation for Rename {
    type Request = group::Rename;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: App, request: group::Rename) -> Result<group::Group, Stop> {
        on.about(&request.id.0);
        text::line("group name", limits::ALIAS, &request.name)?;
        let mut group = creator::own(on, &request.id)?;
        let name = request.name.clone();
        group.name = request.name;
        on.change.put_group(&group)?;
        creator::tell_all(on, &request.id, GroupChange::Rename { name })?;
        reply(on, &request.id)
    }
}
