//! `invitation.list`: invitations that are open, and those that ended within a week.

use vettid_wire::operation::invitation::{self, Invitations, State};

use crate::audit::Audit;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Lists invitations, newest first.
pub(crate) enum List {}

impl Operation for List {
    type Request = invitation::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(on: &mut Reading<'_>, _: Device, _: invitation::List) -> Result<Invitations, Stop> {
        let mut invitations = on.view().invitations()?;
        for invitation in &mut invitations {
            // The round that ends it may not have been yet.
            if invitation.state == State::Open && invitation.expires <= on.now {
                invitation.state = State::Expired;
            }
        }
        Ok(Invitations { invitations })
    }
}
