//! `connection.verify`: the owners have compared the digits.

use vettid_wire::content::Content;
use vettid_wire::operation::connection::{self, Ended, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::Code;
use vettid_wire::request::Outcome;

use super::reply;
use crate::audit::{self, Audit};
use crate::connect::ending;
use crate::effect::{Changing, Turning, Turns};
use crate::grant::App;
use crate::kept;
use crate::operation::Operation;
use crate::stop::Stop;

/// Says which digits the other owner sees. Others than this vault's own mean that somebody is in
/// between: the connection ends, and that stays although the caller is refused.
pub(crate) enum Verify {}

impl Operation for Verify {
    type Request = connection::Verify;
    type Grant = App;
    type Effect = Turns;
    const AUDIT: Audit = Audit::Always;

    fn run(
        on: &mut Turning<'_>,
        _: App,
        request: connection::Verify,
    ) -> Result<connection::Connection, Stop> {
        let call = on.call;
        let open = on.state.unlocked()?;
        let verified = open.stir(&mut on.out, |on| {
            let alike = compare(on, &request)?;
            let (change, now) = (on.change, on.now);
            audit::note_call(change, call, Some(&request.id.0), alike, now)?;
            if alike {
                return Ok(Some(reply(on, &request.id)?));
            }
            // Whoever loses this answer and asks again must not hear less.
            let differ = Outcome::Refused(Code::CodesDiffer.into());
            kept::keep(change, call, &differ, None, now)?;
            Ok(None)
        })?;
        verified.ok_or_else(|| Code::CodesDiffer.into())
    }
}

fn compare(on: &mut Changing<'_>, request: &connection::Verify) -> Result<bool, Stop> {
    let mut found = ending::met(on, &request.id)?;
    // A connection that was made anew has none.
    let without = match found.state {
        State::Active => Code::NotFound,
        _ => Code::DigitsLost,
    };
    let code = found.safety_code.clone().ok_or(without)?;
    if code == request.safety_code.trim() {
        found.verified = Some(on.now);
        on.change.put_connection(&found)?;
        return Ok(true);
    }
    ending::end_and_say(on, &found, Ended::CodesDiffered, &Content::CodesDiffer)?;
    let conversation = Conversation::Connection(found.id);
    on.tell_of(Kind::CodesDiffered, &conversation)?;
    Ok(false)
}
