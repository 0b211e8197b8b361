//! How a connection has ended, and what an owner can do then.

use vettid_sdk::wire::operation::connection::{Connection, Ended, State};

/// What scripts know it by.
pub(crate) const fn name(how: Ended) -> &'static str {
    match how {
        Ended::Declined => "declined",
        Ended::DeclinedThere => "declined-there",
        Ended::CodesDiffered => "codes-differed",
        Ended::CodesDifferedThere => "codes-differed-there",
        Ended::DigitsLost => "digits-lost",
        Ended::InvitationRefused => "invitation-refused",
        Ended::Late => "late",
        Ended::Revoked => "revoked",
        Ended::RevokedThere => "revoked-there",
        Ended::Replaced => "replaced",
        Ended::Blocked => "blocked",
    }
}

/// What happened.
pub(crate) const fn meaning(how: Ended) -> &'static str {
    match how {
        Ended::Declined => "you have declined it",
        Ended::DeclinedThere => "the other owner does not want it",
        Ended::CodesDiffered => "the digits that you entered were not those of your vault",
        Ended::CodesDifferedThere => {
            "the digits that the other owner entered were not those of that vault"
        }
        Ended::DigitsLost => "its digits were lost before both of you had approved it",
        Ended::InvitationRefused => "the invitation was used or withdrawn",
        Ended::Late => "it was not approved by both of you in time",
        Ended::Revoked => "you have ended it",
        Ended::RevokedThere => "the other owner has ended it",
        Ended::Replaced => "a later connection with the same vault has taken its place",
        Ended::Blocked => "you have blocked the other owner",
    }
}

/// A state, with how it was reached, if that is known.
pub(crate) fn shown(state: &str, how: Option<Ended>) -> String {
    match how.map(meaning) {
        Some(how) => format!("{state}: {how}"),
        None => state.into(),
    }
}

/// What to do to be connected again; none for a connection that is not over.
pub(crate) fn next_step(connection: &Connection) -> Option<String> {
    if !matches!(
        connection.state,
        State::Declined | State::Revoked | State::Blocked
    ) {
        return None;
    }
    if connection.state == State::Blocked {
        let id = &connection.id;
        return Some(format!(
            "`vettid connection unblock {id}`, if you want to be invited again"
        ));
    }
    let step = match connection.ended {
        Some(Ended::InvitationRefused) => "ask the other owner for a new link",
        Some(Ended::CodesDiffered | Ended::CodesDifferedThere) => {
            "somebody may be between you: invite anew, over another way, and compare again"
        }
        Some(Ended::Replaced) => "go on in the later one: `vettid connection list --state active`",
        _ => "to be connected again, one of you makes a new link: `vettid invitation create`",
    };
    Some(step.into())
}
