//! `group.add`: takes one more in.

use vettid_wire::operation::group;

use super::reply;
use crate::audit::Audit;
use crate::circle::creator;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Invites one more into a group of this vault.
pub(crate) enum Add {}

impl Operation for Add {
    type Request = group::Add;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: App, request: group::Add) -> Result<group::Group, Stop> {
        on.about(&request.id.0);
        let group = creator::own(on, &request.id)?;
        creator::invite(on, &group, &request.member)?;
        reply(on, &request.id)
    }
}
