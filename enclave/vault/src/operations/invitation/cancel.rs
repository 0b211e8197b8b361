//! `invitation.cancel`: takes an invitation back.

use vettid_wire::operation::Done;
use vettid_wire::operation::invitation::{self, State};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Takes an invitation back that nobody has used.
pub(crate) enum Cancel {}

impl Operation for Cancel {
    type Request = invitation::Cancel;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: App, request: invitation::Cancel) -> Result<Done, Stop> {
        let offered = on.change.invitation(&request.id)?.ok_or(Code::NotFound)?;
        if offered.invitation.state != State::Open {
            return Err(Code::InvalidValue.into());
        }
        on.about(&request.id.0);
        on.change
            .end_invitation(&request.id, State::Canceled, None)?;
        Ok(Done {})
    }
}
