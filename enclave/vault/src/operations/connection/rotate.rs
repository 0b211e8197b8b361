//! `connection.rotate`: renews the connection's keys now.

use vettid_wire::operation::Done;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::refusal::Code;

use crate::audit::Audit;
use crate::connect::healing;
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Renews the keys of both sides: this vault's now or in its turn, the other one's in answer.
pub(crate) enum Rotate {}

impl Operation for Rotate {
    type Request = connection::Rotate;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Done;

    fn run(on: &mut Changing<'_>, _: App, request: connection::Rotate) -> Result<Done, Stop> {
        on.about(&request.id.0);
        let found = on.change.connection(&request.id)?.ok_or(Code::NotFound)?;
        if found.state != State::Active {
            return Err(Code::NotConnected.into());
        }
        healing::begin(on, &request.id)?;
        Ok(Done {})
    }
}
