//! What members of a group say, as it comes.
//!
//! | message | what is known | what it costs if it is made up |
//! |---|---|---|
//! | of a later epoch | nothing: this vault has no key of it | the creator is asked, at times |
//! | too far ahead in this epoch | some member made it | new keys, once a day |
//! | any other that is taken | its sender made it | - |
//!
//! The sender of a message is sealed under a key of its epoch that every member has, so whoever is
//! none cannot say that anything is too far ahead.

use vettid_store::rows::group::Group;
use vettid_store::rows::taken::Came;
use vettid_wire::cbor;
use vettid_wire::content::{Circle, Content, Said};
use vettid_wire::id::VaultId;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::DAY;

use super::Held;
use crate::connect::receive::Verdict;
use crate::connect::said::Voice;
use crate::effect::Changing;
use crate::mls::{Mls, NotMls, Window};
use crate::stop::Stop;

/// Something said in a group has come. What is of a state that this vault does not know yet is to
/// come again later: whoever says it keeps it, and nobody can fill this vault with what nobody has
/// checked.
pub(crate) fn heard(
    on: &mut Changing<'_>,
    held: &mut Held,
    (circle, came): (&Circle, &Came),
) -> Result<Verdict, Stop> {
    let Some(group) = on.change.group(&circle.group)? else {
        return Ok(Verdict::Never);
    };
    if !group.member {
        return from_outside(on, held, group, came);
    }
    let mut window = held.window(&group, on.now);
    let mut taken = take(on, circle, window)?;
    if taken == Err(NotMls::Ahead) && window == Window::Ordered {
        window = held.ahead(&group, came, on.now);
        if window != Window::Ordered {
            taken = take(on, circle, window)?;
        }
    }
    match taken {
        // Others that are held come before it.
        Err(NotMls::Ahead) if window != Window::Usual => Ok(Verdict::Later),
        Err(why @ (NotMls::Ahead | NotMls::Early)) => {
            if why == NotMls::Early {
                held.early(&group, came, on.now);
            }
            note(on, group, why)?;
            Ok(Verdict::Later)
        }
        Ok(()) => {
            held.settled(&group, came, on.now);
            Ok(Verdict::Taken)
        }
        Err(_) => {
            held.settled(&group, came, on.now);
            Ok(Verdict::Never)
        }
    }
}

/// Something said in a group that this vault is not in, or not yet.
fn from_outside(
    on: &mut Changing<'_>,
    held: &mut Held,
    group: Group,
    came: &Came,
) -> Result<Verdict, Stop> {
    let blocked = group.creator.map(|creator| is_blocked(on, &creator));
    match (blocked.transpose()?, &group.signer) {
        (Some(true), _) => Ok(Verdict::Ignored),
        (_, Some(_)) => {
            held.early(&group, came, on.now);
            note(on, group, NotMls::Early)?;
            Ok(Verdict::Later)
        }
        (_, None) => Ok(Verdict::Never),
    }
}

/// Notes that something cannot be opened yet: a change is missing, or its key is too far ahead. Any
/// member can make up the latter in another one's name, and to mend it costs every member a change:
/// it counts once a day.
fn note(on: &mut Changing<'_>, mut group: Group, why: NotMls) -> Result<(), Stop> {
    let counts = match why {
        NotMls::Ahead => group.ahead.is_none_or(|at| on.now.since(at) > DAY),
        _ => group.behind.is_none(),
    };
    if !counts {
        return Ok(());
    }
    if why == NotMls::Ahead {
        group.ahead = Some(on.now);
    }
    group.behind = group.behind.or(Some(on.now));
    Ok(on.change.put_group(&group)?)
}

fn is_blocked(on: &Changing<'_>, vault: &VaultId) -> Result<bool, Stop> {
    let with = on.change.connections_with(vault)?;
    Ok(with.iter().any(|(_, state)| *state == State::Blocked))
}

/// Opens something said in a group and applies it.
fn take(
    on: &mut Changing<'_>,
    circle: &Circle,
    window: Window,
) -> Result<Result<(), NotMls>, Stop> {
    let id = circle.group;
    let mls = Mls::of(on, id);
    let heard = match mls.hear_words(&id.0, &circle.message, window) {
        Ok(heard) => heard,
        Err(error) => return Ok(Err(error)),
    };
    let known = on.change.group_member(&id, &heard.from)?.is_some();
    let blocked = is_blocked(on, &heard.from)?;
    let said = heard.said.as_ref();
    let said = said.map(|said| said.expose(|said| cbor::decode::<Said>(said)));
    if let (true, false, Some(Ok(said))) = (known, blocked, said) {
        let voice = Voice {
            conversation: Conversation::Group(id),
            from: heard.from,
            at: said.at,
        };
        on.change.touch_group(&id, on.now)?;
        speak(on, &voice, said.content)?;
    }
    Ok(Ok(()))
}

fn speak(on: &mut Changing<'_>, voice: &Voice, content: Content) -> Result<(), Stop> {
    match content {
        Content::Text(text) => voice.text(on, text),
        Content::Edit { id, text } => voice.edit(on, &id, text),
        Content::Remove(id) => voice.remove(on, &id),
        Content::React { to, reaction } => voice.react(on, &to, reaction.as_deref()),
        Content::Read(read) => voice.read(on, &read),
        _ => Ok(()),
    }
}
