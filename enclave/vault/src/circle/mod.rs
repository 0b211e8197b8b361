//! Groups: one MLS group of up to 256 vaults, ordered by the vault that created it.
//!
//! ```text
//!  creator ── Invite ──▶ member      in their connection; its owner decides
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
mod hear;
mod held;
pub(crate) mod member;
pub(crate) mod outbox;
pub(crate) mod shown;

pub(crate) use hear::heard;
pub(crate) use held::Held;

use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Label, digest};
use vettid_store::View;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::{Group, GroupMember};
use vettid_wire::content::{Circle, Content, GroupChange, Parcel, Said};
use vettid_wire::id::{ConnectionId, GroupId, MessageId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Failed, Receipt};
use vettid_wire::refusal::Code;
use vettid_wire::time::MINUTE;
use vettid_wire::{Secret, cbor, limits};

use crate::connect::post::{Address, home_of};
use crate::connect::{Known, settled};
use crate::effect::Changing;
use crate::mls::{Keys, Mls};
use crate::stop::Stop;
use crate::text;

/// Time that a change of a group may be missing before a member asks to be added anew, or the creator lets
/// everybody see which state it has, ms. For a member it doubles with every time.
const PATIENCE: u64 = 10 * MINUTE;

/// What this vault speaks with in a group.
fn keys(on: &Changing<'_>, group: &Group) -> Result<Keys, Stop> {
    let signer = group.signer.as_ref();
    let signer =
        signer.and_then(|seed| seed.expose(|seed| seed.try_into().ok().map(SigningKey::from_seed)));
    Ok(Keys {
        vault: on.vault,
        signer: signer.ok_or(Code::NotMember)?,
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
        false => Err(Code::NotMember.into()),
    }
}

/// Id of a group that a vault creates. It shows whose group it is: a member, who knows the id, cannot
/// invite somebody into a group of its own before the creator does.
pub(crate) fn id_of(creator: &VaultId, seed: &[u8; 16]) -> GroupId {
    let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        digest::labeled(Label::GroupId, &[&creator.0, seed]);
    GroupId(id)
}

/// The active connection with a vault, if there is one.
fn connection_with(view: View<'_>, vault: &VaultId) -> Result<Option<ConnectionId>, Stop> {
    let with = view.connections_with(vault)?;
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
    let expires = on.now.plus(limits::DELIVERY_TIME);
    for connection in connections {
        on.change.insert_unsaid(connection, None, expires, body)?;
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
    let sealed = Mls::of(on, *id).say(&keys, &id.0, &id.0, &said)?;
    let parcel = cbor::encode(&Parcel::Circle(Circle {
        group: *id,
        message: sealed,
    }));
    let body = on.change.insert_body(&parcel)?;
    let most = outbox::most(**on.change)?;
    let mut reached = false;
    for member in on.change.group_members(id)? {
        if member.key.is_none() || is_kept_from(on, content, &member)? {
            continue;
        }
        if !outbox::has_room(**on.change, &member.vault, most)? {
            if let Some(missed) = missed(content, message) {
                settled::fail_message(on, &missed, &member.vault, Failed::Expired)?;
            }
            continue;
        }
        let home = home_of(**on.change, &member.vault)?.unwrap_or_else(Known::nowhere);
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

/// The message that a member does not get, or not as it is now, if it is not told this.
fn missed(content: &Content, message: Option<MessageId>) -> Option<MessageId> {
    match content {
        Content::Edit { id, .. } | Content::Remove(id) => Some(*id),
        _ => message,
    }
}

/// Whether a member is not told: it was read by an owner who does not want that member to know.
fn is_kept_from(on: &Changing<'_>, content: &Content, member: &GroupMember) -> Result<bool, Stop> {
    match content {
        Content::Read(_) => hides_reading(on, &member.vault),
        _ => Ok(false),
    }
}

/// Whether a vault is not told what this owner has read: it is blocked, or its connection is set so.
pub(crate) fn hides_reading(on: &Changing<'_>, vault: &VaultId) -> Result<bool, Stop> {
    hides_reading_beside(on, vault, None)
}

/// The same, whatever one connection with it says. A vault that ends a connection and wants another does
/// not get by that what was kept from it: the last one that was active, or was set so, counts.
pub(crate) fn hides_reading_beside(
    on: &Changing<'_>,
    vault: &VaultId,
    beside: Option<&ConnectionId>,
) -> Result<bool, Stop> {
    let with = on.change.connections_with(vault)?.into_iter();
    let mut with: Vec<_> = with.filter(|(id, _)| Some(id) != beside).collect();
    if with.iter().any(|(_, state)| *state == State::Blocked) {
        return Ok(true);
    }
    with.sort_by_key(|(_, state)| *state != State::Active);
    for (id, state) in with {
        let found = on.change.connection(&id)?;
        let hides = found.is_some_and(|found| found.settings.no_read_receipts);
        if hides || matches!(state, State::Active | State::Revoked) {
            return Ok(hides);
        }
    }
    Ok(false)
}

/// What the others call a member: what its owner shows as a name. This owner's own word for it is
/// nobody else's to know.
fn name_of(connection: &Connection) -> String {
    let shown = connection.card.fields.iter().find(|it| it.name == "name");
    let shown = shown.and_then(|field| {
        field
            .value
            .expose(|value| std::str::from_utf8(value).ok().map(str::to_owned))
    });
    name(&shown.unwrap_or_default())
}

/// What a member may be called: one line that is read as it stands there, or nothing.
fn name(shown: &str) -> String {
    let end = shown.floor_char_boundary(limits::ALIAS);
    let shown = shown.get(..end).unwrap_or_default();
    let turns = |it| matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match text::line("name", limits::ALIAS, shown) {
        Ok(()) if !shown.contains(turns) => shown.to_owned(),
        _ => String::new(),
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
        (Some(group), GroupChange::Join { key_package, state }) if group.creator.is_none() => {
            let state = state.map(Vec::from);
            creator::joins(on, group, connection, (key_package, state))
        }
        (Some(group), GroupChange::Leave) if group.creator.is_none() => {
            creator::put_out(on, &group.id, &connection.vault, false)
        }
        (Some(group), change) if group.creator == Some(connection.vault) => {
            member::changed(on, group, connection, change)
        }
        (None, GroupChange::Invite { name, seed }) => {
            member::invited(on, connection, id, (name, seed))
        }
        _ => Ok(()),
    }
}

/// A connection has ended: its vault is no longer a member of this vault's groups, and this one not
/// of its, unless there is another connection with it. That is only marked: each group is changed in a
/// record of its own, and none of them can keep a connection from ending.
pub(crate) fn lost(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    let vault = &connection.vault;
    if connection_with(**on.change, vault)?.is_some() {
        return Ok(());
    }
    for group in on.change.groups()? {
        let ours = group.creator.is_none() && on.change.mark_gone(&group.id, vault)?;
        if ours || group.creator == Some(*vault) {
            on.change.set_group_due(&group.id)?;
        }
    }
    Ok(())
}

/// Does what is due in a group.
pub(crate) fn tend(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    let Some(mut group) = on.change.group(id)? else {
        return Ok(());
    };
    group.due = false;
    on.change.put_group(&group)?;
    match group.creator {
        None => creator::put_gone_out(on, &group),
        Some(creator) if connection_with(**on.change, &creator)?.is_none() => {
            leave_behind(on, group)
        }
        Some(_) => Ok(()),
    }
}

/// What is due in a group cannot be done: it ends, so that nobody who should not hears it any more.
pub(crate) fn break_up(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    let Some(mut group) = on.change.group(id)? else {
        return Ok(());
    };
    group.due = false;
    if group.creator.is_none() {
        creator::tell_all(on, id, GroupChange::Over)?;
        for vault in on.change.group_members_gone(id)? {
            on.change.remove_group_member(id, &vault)?;
        }
    }
    leave_behind(on, group)
}

/// This vault is no longer a member of a group, or not invited any more. Its keys are destroyed, what
/// was said stays.
pub(crate) fn leave_behind(on: &mut Changing<'_>, group: Group) -> Result<(), Stop> {
    let (id, told) = (group.id, group.told);
    on.change.put_group(&Group {
        member: false,
        invited: false,
        signer: None,
        told: false,
        behind: None,
        ahead: None,
        caught: None,
        ..group
    })?;
    on.remove_mls(&Conversation::Group(id))?;
    match told {
        true => on.tell_of(Kind::GroupLeft, &Conversation::Group(id)),
        false => Ok(()),
    }
}
