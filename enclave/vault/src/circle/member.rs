//! What a vault does that was invited into a group.

use vettid_crypto::sign::SigningKey;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::{Group, GroupMember};
use vettid_store::{StoreError, View};
use vettid_wire::content::{GroupChange, Peer};
use vettid_wire::id::{ConnectionId, GroupId, VaultId};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::Code;
use vettid_wire::time::{DAY, UnixMillis};
use vettid_wire::{cbor, limits};

use super::{PATIENCE, connection_with, keys, leave_behind, say_later, seed};
use crate::connect::{Known, known};
use crate::effect::Changing;
use crate::mls::{Keys, Member, Mls, NotMls, Suite};
use crate::stop::Stop;
use crate::text;

/// The vault of a connection invites this one into a group. Its owner decides.
pub(super) fn invited(
    on: &mut Changing<'_>,
    connection: &Connection,
    id: &GroupId,
    (name, seed): (String, [u8; 16]),
) -> Result<(), Stop> {
    if *id != super::id_of(&connection.vault, &seed) {
        return Ok(());
    }
    let groups = usize::try_from(on.change.count_groups()?).unwrap_or(usize::MAX);
    let day = UnixMillis(on.now.since(UnixMillis(DAY)));
    let invited = on.change.count_invited(&connection.vault, day)?;
    let invited = usize::try_from(invited).unwrap_or(usize::MAX);
    let before = on.change.group(id)?;
    let full = groups >= limits::GROUPS || before.is_none() && invited >= limits::GROUP_INVITATIONS;
    // Nothing that is kept by its id may be taken for something of another kind.
    let of_connection = on.change.connection(&ConnectionId(id.0))?.is_some();
    if full || of_connection || text::line("group name", limits::ALIAS, &name).is_err() {
        return Ok(());
    }
    let again = before.is_some_and(|before| before.invited || before.since >= day);
    on.change.put_group(&Group {
        id: *id,
        name,
        creator: Some(connection.vault),
        seed: None,
        member: false,
        invited: true,
        signer: None,
        told: false,
        behind: None,
        ahead: None,
        caught: None,
        asked: None,
        asks: 0,
        due: false,
        since: on.now,
        active: on.now,
    })?;
    // Whoever invites, takes that back and invites again says nothing new.
    match again {
        true => Ok(()),
        false => on.tell_of(Kind::GroupInvited, &Conversation::Group(*id)),
    }
}

/// A group that this owner was invited into and has not decided on.
fn open(on: &Changing<'_>, id: &GroupId) -> Result<Group, Stop> {
    let group = on.change.group(id)?.ok_or(Code::NotFound)?;
    match group.invited {
        true => Ok(group),
        false => Err(Code::NotInvited.into()),
    }
}

/// This owner wants to be in.
pub(crate) fn accept(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    let mut group = open(on, id)?;
    let creator = group.creator.ok_or(Code::NotCreator)?;
    let connection = connection_with(**on.change, &creator)?.ok_or(Code::NotConnected)?;
    group.invited = false;
    ask_in(on, group, &connection)
}

/// This owner does not want to be in.
pub(crate) fn decline(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    let group = open(on, id)?;
    leave(on, group)
}

/// Hands over what this vault can be added with, and drops the keys that it has.
fn ask_in(on: &mut Changing<'_>, mut group: Group, connection: &ConnectionId) -> Result<(), Stop> {
    on.remove_mls(&Conversation::Group(group.id))?;
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    (group.member, group.signer) = (false, Some(seed(&keys)));
    join(on, group, &keys, (connection, None))
}

/// Hands over what this vault can be added with.
fn join(
    on: &mut Changing<'_>,
    mut group: Group,
    keys: &Keys,
    (connection, state): (&ConnectionId, Option<[u8; 32]>),
) -> Result<(), Stop> {
    let mls = Mls::of(on, group.id);
    let key_package = mls.key_package(keys, Suite::Classic)?;
    let rested = group.asked.is_none_or(|at| on.now.since(at) > DAY);
    group.asks = match (rested, group.member) {
        (true, _) => 0,
        // The others pay only if something is missing, or once a day: whoever makes up a later state must
        // not put off what this vault asks when there is one.
        (false, true) => group.asks,
        (false, false) => group.asks.saturating_add(1),
    };
    group.asked = Some(on.now);
    on.change.put_group(&group)?;
    let change = GroupChange::Join {
        key_package,
        state: state.map(|state| state.to_vec().into()),
    };
    say_later(on, &[*connection], &group.id, change)
}

/// Whether this vault may ask to be added anew: each time costs every member a change, so the pauses
/// grow.
fn may_ask(group: &Group, now: UnixMillis) -> bool {
    let pause = PATIENCE.saturating_mul(1 << group.asks.min(LONGEST));
    group.asked.is_none_or(|at| now.since(at) >= pause)
}

/// Groups in which a change has been missing for too long: it has come before this vault, or the
/// creator's, was restored, and does not come again; or nobody has made it. Those in which this vault may
/// not ask yet keep no other one waiting.
pub(crate) fn behind(view: View<'_>, now: UnixMillis) -> Result<Vec<GroupId>, StoreError> {
    let before = UnixMillis(now.since(UnixMillis(PATIENCE)));
    let groups = view.groups_behind(before)?.into_iter();
    let groups = groups.filter(|group| may_ask(group, now));
    Ok(groups.map(|group| group.id).take(AT_ONCE).collect())
}

/// Asks to be added anew. Until the welcome this vault stays a member: a change that is only late is
/// still followed. That one is missing is what somebody says whom nobody has checked, so the creator is
/// told which state this vault has; where messages go on further than its keys reach, that is no answer.
/// What is missing then is named again by whatever is held.
pub(crate) fn catch_up(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    let Some(mut group) = on.change.group(id)? else {
        return Ok(());
    };
    let creator = group.creator.unwrap_or(on.vault);
    match connection_with(**on.change, &creator)? {
        Some(connection) if may_ask(&group, on.now) => {
            let keys = keys(on, &group)?;
            let mls = Mls::of(on, *id);
            let has_state = group.member && !is_overtaken(&group);
            let state = has_state.then(|| mls.state(&id.0).ok()).flatten();
            group.behind = None;
            if state.is_some() && on.change.count_outbox_on(&connection)? >= ASKED {
                group.asked = Some(on.now);
                return Ok(on.change.put_group(&group)?);
            }
            join(on, group, &keys, (&connection, state))
        }
        _ => Ok(()),
    }
}

/// Whether messages have gone on further than this vault's keys reach since it asked last.
fn is_overtaken(group: &Group) -> bool {
    let asked = group.asked.unwrap_or_default();
    group.ahead.is_some_and(|at| at >= asked)
}

/// The creator of a group says something about it.
pub(super) fn changed(
    on: &mut Changing<'_>,
    mut group: Group,
    connection: &Connection,
    change: GroupChange,
) -> Result<(), Stop> {
    match change {
        GroupChange::Invite { name, seed } if group.signer.is_none() => {
            invited(on, connection, &group.id, (name, seed))
        }
        GroupChange::Welcome {
            name,
            welcome,
            members,
        } if group.signer.is_some() => {
            if text::line("group name", limits::ALIAS, &name).is_ok() {
                group.name = name;
            }
            welcomed(on, group, (&welcome, &members))
        }
        GroupChange::Commit { commit, added } if group.member => {
            committed(on, group, connection, (&commit, &added))
        }
        GroupChange::Rename { name } if text::line("group name", limits::ALIAS, &name).is_ok() => {
            group.name = name;
            Ok(on.change.put_group(&group)?)
        }
        GroupChange::Over if group.invited || group.signer.is_some() => leave_behind(on, group),
        _ => Ok(()),
    }
}

fn welcomed(
    on: &mut Changing<'_>,
    mut group: Group,
    (welcome, peers): (&[u8], &[Peer]),
) -> Result<(), Stop> {
    let id = group.id;
    let mls = Mls::of(on, id);
    let change = on.change;
    let joined = change.attempt(|| {
        if group.member {
            mls.forget(&id.0)?;
        }
        mls.join(welcome, Suite::Classic)
    });
    // One that is not for the newest key package is passed over: another one follows.
    let Ok(joined) = joined else {
        return Ok(());
    };
    let known = |vault: VaultId| joined.members.iter().any(|it| it.vault == vault);
    let fits = joined.id == id.0
        && joined.members.len() <= limits::GROUP
        && known(on.vault)
        && group.creator.is_some_and(known);
    if !fits {
        return leave_behind(on, group);
    }
    let told = std::mem::replace(&mut group.told, true);
    if !told {
        group.since = on.now;
    }
    // Whoever joins for the first time has told nobody to come again, unless somebody spoke before.
    if group.behind.take().is_some() || told {
        group.caught = Some(on.now);
    }
    (group.member, group.active) = (true, on.now);
    on.change.put_group(&group)?;
    settle(on, &id, &joined.members, peers)?;
    // What was said in states that this vault has no keys of does not open any more.
    let kind = match told {
        true => Kind::GroupHealed,
        false => Kind::GroupJoined,
    };
    on.tell_of(kind, &Conversation::Group(id))
}

fn committed(
    on: &mut Changing<'_>,
    mut group: Group,
    connection: &Connection,
    (commit, added): (&[u8], &[Peer]),
) -> Result<(), Stop> {
    let id = group.id;
    let mls = Mls::of(on, id);
    match mls.hear_change(&id.0, commit, &connection.vault) {
        Ok(heard) if heard.removed => leave_behind(on, group),
        Ok(_) => {
            let members = mls.members(&id.0)?;
            if members.len() > limits::GROUP {
                return leave_behind(on, group);
            }
            // Messages may be held since before this vault asked for what was missing.
            let asked = group.asked > group.caught.max(Some(group.since));
            if group.behind.take().is_some() || asked {
                group.caught = Some(on.now);
                on.change.put_group(&group)?;
            }
            settle(on, &id, &members, added)
        }
        // It was made before, and is said again because its connection had lost keys: others follow, or the
        // creator has the same state. Or the creator was restored and has made another in its place.
        Err(NotMls::Late) => {
            group.behind = group.behind.or(Some(on.now));
            Ok(on.change.put_group(&group)?)
        }
        // One of both was restored: this vault asks to be added anew, now or later.
        Err(_) if may_ask(&group, on.now) => ask_in(on, group, &connection.id),
        Err(_) => {
            group.behind = group.behind.or(Some(on.now));
            Ok(on.change.put_group(&group)?)
        }
    }
}

/// Makes the list of members that of the MLS group.
fn settle(
    on: &mut Changing<'_>,
    id: &GroupId,
    inside: &[Member],
    peers: &[Peer],
) -> Result<(), Stop> {
    for member in on.change.group_members(id)? {
        if !inside.iter().any(|it| it.vault == member.vault) {
            on.change.remove_group_member(id, &member.vault)?;
        }
    }
    for member in inside.iter().filter(|it| it.vault != on.vault) {
        let before = on.change.group_member(id, &member.vault)?;
        let peer = peers.iter().find(|peer| peer.vault == member.vault);
        let name = peer.map(|peer| super::name(&peer.name));
        let home = peer.and_then(|peer| {
            let home = known::open_home(&peer.home, &member.vault, on.now)?;
            Some(cbor::encode(&Known::record(&home, &peer.home)))
        });
        let (old_name, old_home) = before.map_or((String::new(), None), |it| (it.name, it.home));
        on.change.put_group_member(
            id,
            &GroupMember {
                vault: member.vault,
                name: name.unwrap_or(old_name),
                home: home.or(old_home),
                key: Some(member.key),
                package: None,
                spent: None,
                added: None,
            },
        )?;
    }
    Ok(())
}

/// This vault goes.
pub(crate) fn leave(on: &mut Changing<'_>, group: Group) -> Result<(), Stop> {
    let id = group.id;
    if let Some(creator) = group.creator
        && let Some(connection) = connection_with(**on.change, &creator)?
    {
        say_later(on, &[connection], &id, GroupChange::Leave)?;
    }
    leave_behind(on, group)
}

/// How often it does.
const LONGEST: u32 = 7;
/// Deliveries that wait for a creator that is not told anew which state this vault has: one that nobody
/// reaches must not be asked again and again.
const ASKED: u32 = 64;
/// Groups in which that is done in one round.
const AT_ONCE: usize = 16;
