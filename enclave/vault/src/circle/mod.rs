//! Groups: one MLS group of up to 256 vaults, ordered by the vault that created it.
//!
//! ```text
//!  creator ── Invite ──▶ member      in their connection
//!          ◀── Join ───              key package
//!          ── Welcome ─▶ member
//!          ── Commit ──▶ every other member
//!  member  ── Circle ──▶ every other member, past the creator
//! ```
//!
//! Only the creator's vault commits, so no two changes ever meet. Its welcomes and commits travel
//! inside its connections with the members, which are hybrid; so the keys of a group, which are not,
//! are never seen by whoever records what travels. That a signature key is a vault's is the creator's
//! word. A member that was put out is not sent the next epoch, and everything later is sealed in it.

pub(crate) mod creator;
pub(crate) mod member;
pub(crate) mod shown;

use vettid_crypto::sign::SigningKey;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::early::Early;
use vettid_store::rows::group::{Group, GroupMember};
use vettid_wire::content::{Circle, Content, GroupChange, Parcel, Said};
use vettid_wire::id::{ConnectionId, DeliveryId, GroupId, MessageId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Receipt};
use vettid_wire::refusal::Code;
use vettid_wire::{Secret, cbor, limits};

use crate::connect::Known;
use crate::connect::post::Address;
use crate::connect::receive::Verdict;
use crate::connect::said::Voice;
use crate::effect::Changing;
use crate::mls::{Keys, Mls, NotMls};
use crate::stop::Stop;

/// What this vault speaks with in a group.
fn keys(on: &Changing<'_>, group: &Group) -> Result<Keys, Stop> {
    let signer = group.signer.as_ref();
    let signer =
        signer.and_then(|seed| seed.expose(|seed| seed.try_into().ok().map(SigningKey::from_seed)));
    Ok(Keys {
        vault: on.vault,
        signer: signer.ok_or(Code::NotConnected)?,
    })
}

fn seed(keys: &Keys) -> Secret {
    Secret::new(keys.signer.expose_seed(|seed| seed.to_vec()))
}

/// A group that this vault is a member of.
fn joined(on: &Changing<'_>, id: &GroupId) -> Result<Group, Stop> {
    let group = on.change.group(id)?.ok_or(Code::NotFound)?;
    match group.member {
        true => Ok(group),
        false => Err(Code::NotConnected.into()),
    }
}

/// The active connection with a vault, if there is one.
fn connection_with(on: &Changing<'_>, vault: &VaultId) -> Result<Option<ConnectionId>, Stop> {
    let with = on.change.connections_with(vault)?;
    let active = with.into_iter().find(|(_, state)| *state == State::Active);
    Ok(active.map(|(id, _)| id))
}

/// Lets something be said in connections, once this is committed.
fn say_later(
    on: &mut Changing<'_>,
    connections: &[ConnectionId],
    id: &GroupId,
    change: GroupChange,
) -> Result<(), Stop> {
    if connections.is_empty() {
        return Ok(());
    }
    let content = Content::Group { id: *id, change };
    let body = on.change.insert_body(&cbor::encode(&content))?;
    for connection in connections {
        on.change.insert_unsaid(connection, body)?;
    }
    Ok(())
}

/// Says something to every other member. `message` is the one whose receipt follows from it.
pub(crate) fn say(
    on: &mut Changing<'_>,
    id: &GroupId,
    content: &Content,
    message: Option<MessageId>,
) -> Result<(), Stop> {
    let group = joined(on, id)?;
    let said = cbor::encode(&Said {
        at: on.now,
        received: 0,
        content: content.clone(),
    });
    let keys = keys(on, &group)?;
    let sealed = Mls::new(on.change, id.0, on.entropy).say(&keys, &id.0, &id.0, &said)?;
    let parcel = cbor::encode(&Parcel::Circle(Circle {
        group: *id,
        message: sealed,
    }));
    let body = on.change.insert_body(&parcel)?;
    let mut reached = false;
    for member in on.change.group_members(id)? {
        if member.key.is_none() {
            continue;
        }
        let Some(home) = home_of(on, &member)? else {
            continue;
        };
        let address = Address {
            to: member.vault,
            home: &home,
            connection: None,
            sequence: None,
            expires: None,
            message,
            said: None,
        };
        on.post_body(address, body, parcel.clone())?;
        reached = true;
        if let Some(message) = &message {
            on.change
                .raise_receipt_of(message, &member.vault, Receipt::Waiting)?;
        }
    }
    if !reached {
        on.change.release_body(body)?;
    }
    Ok(on.change.touch_group(id, on.now)?)
}

fn home_of(on: &Changing<'_>, member: &GroupMember) -> Result<Option<Known>, Stop> {
    if let Some(id) = connection_with(on, &member.vault)?
        && let Some(connection) = on.change.connection(&id)?
    {
        return Known::decode(&connection.home).map(Some);
    }
    member.home.as_deref().map(Known::decode).transpose()
}

/// Something said in a group has come.
pub(crate) fn heard(
    on: &mut Changing<'_>,
    delivery: &DeliveryId,
    circle: &Circle,
) -> Result<Verdict, Stop> {
    let group = on.change.group(&circle.group)?;
    let Some(group) = group.filter(|group| group.member || group.signer.is_some()) else {
        return Ok(Verdict::Never);
    };
    if !group.member {
        return wait(on, delivery, circle);
    }
    match take(on, circle)? {
        Ok(()) => Ok(Verdict::Taken),
        Err(NotMls::Early) => wait(on, delivery, circle),
        Err(_) => Ok(Verdict::Never),
    }
}

/// Lets something wait for the change of the group that it follows.
fn wait(on: &mut Changing<'_>, delivery: &DeliveryId, circle: &Circle) -> Result<Verdict, Stop> {
    let waiting = on.change.all_early(&circle.group.0)?;
    if waiting.iter().any(|(_, early)| early.delivery == *delivery) {
        return Ok(Verdict::Waits);
    }
    if waiting.len() >= limits::EARLY {
        return Ok(Verdict::Later);
    }
    let place = waiting
        .last()
        .map_or(1, |(place, _)| place.saturating_add(1));
    let early = Early {
        delivery: *delivery,
        body: cbor::encode(circle),
    };
    on.change
        .insert_early(&circle.group.0, place, &early, on.now)?;
    Ok(Verdict::Waits)
}

/// Applies what waited for a change of the group.
fn follow(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    for (place, early) in on.change.all_early(&id.0)? {
        let circle: Result<Circle, _> = cbor::decode(&early.body);
        let taken = match circle {
            Ok(circle) => take(on, &circle)?,
            Err(_) => Err(NotMls::NotOpened),
        };
        if taken == Err(NotMls::Early) {
            continue;
        }
        on.change.remove_one_early(&id.0, place, &early.delivery)?;
        // Whoever did not hear that it waited sends it again.
        if taken.is_ok() && !on.change.is_taken(&early.delivery)? {
            on.change.take(&early.delivery, on.now)?;
        }
    }
    Ok(())
}

/// Opens something said in a group and applies it.
fn take(on: &mut Changing<'_>, circle: &Circle) -> Result<Result<(), NotMls>, Stop> {
    let id = circle.group;
    let mls = Mls::new(on.change, id.0, on.entropy);
    let heard = match mls.hear(&id.0, &circle.message, None, |_, _| false) {
        Ok(heard) => heard,
        Err(error) => return Ok(Err(error)),
    };
    let known = on.change.group_member(&id, &heard.from)?.is_some();
    let blocked = on.change.connections_with(&heard.from)?;
    let blocked = blocked.iter().any(|(_, state)| *state == State::Blocked);
    let said = heard.said.as_deref().map(cbor::decode::<Said>);
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
        Content::React { id, reaction } => voice.react(on, &id, reaction.as_deref()),
        Content::Read(ids) => voice.read(on, &ids),
        _ => Ok(()),
    }
}

/// The other vault of a connection says something about a group: as its creator, or to it.
pub(crate) fn changed(
    on: &mut Changing<'_>,
    connection: &Connection,
    id: &GroupId,
    change: GroupChange,
) -> Result<(), Stop> {
    let group = on.change.group(id)?;
    match (group, change) {
        (Some(group), GroupChange::Join { key_package }) if group.creator.is_none() => {
            creator::joins(on, group, connection, key_package)
        }
        (Some(group), GroupChange::Leave) if group.creator.is_none() => {
            creator::put_out(on, &group, &connection.vault, false)
        }
        (Some(group), change) if group.creator == Some(connection.vault) => {
            member::changed(on, group, connection, change)
        }
        (None, GroupChange::Invite { name }) => member::invited(on, connection, id, name),
        _ => Ok(()),
    }
}

/// A connection has ended: its vault is no longer a member of this vault's groups, and this one not
/// of its.
pub(crate) fn lost(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    for group in on.change.groups()? {
        if group.creator == Some(connection.vault) && group.member {
            leave_behind(on, group)?;
        } else if group.creator.is_none()
            && on
                .change
                .group_member(&group.id, &connection.vault)?
                .is_some()
        {
            creator::put_out(on, &group, &connection.vault, false)?;
        }
    }
    Ok(())
}

/// This vault is no longer a member of a group. Its keys are destroyed, what was said stays.
pub(crate) fn leave_behind(on: &mut Changing<'_>, mut group: Group) -> Result<(), Stop> {
    let id = group.id;
    (group.member, group.signer) = (false, None);
    on.change.put_group(&group)?;
    on.change.remove_mls(&id.0)?;
    on.change.remove_early(&id.0)?;
    on.tell_of(Kind::GroupLeft, &Conversation::Group(id))
}
