//! `group.accept`: this owner wants to be in.

use vettid_wire::operation::group;

use super::reply;
use crate::audit::Audit;
use crate::circle::member;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Asks the creator's vault to add this one to a group that its owner was invited into.
pub(crate) enum Accept {}

impl Operation for Accept {
    type Request = group::Accept;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: App, request: group::Accept) -> Result<group::Group, Stop> {
        on.about(&request.id.0);
        member::accept(on, &request.id)?;
        reply(on, &request.id)
    }
}
