//! What the vault does that created a group.

use vettid_crypto::digest;
use vettid_crypto::sign::SigningKey;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::{Group, GroupMember};
use vettid_store::{StoreError, View};
use vettid_wire::content::{GroupChange, Peer};
use vettid_wire::id::{ConnectionId, GroupId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::{DAY, MINUTE, UnixMillis};

use super::{PATIENCE, connection_with, keys, say_later, seed};
use crate::connect::Known;
use crate::effect::Changing;
use crate::mls::{Found, Keys, Mls, NotMls, Suite};
use crate::stop::Stop;

/// Makes a group and invites some connections.
pub(crate) fn create(
    on: &mut Changing<'_>,
    name: String,
    members: &[ConnectionId],
) -> Result<GroupId, Stop> {
    let mut origin = [0; 16];
    on.entropy.fill(&mut origin);
    let id = super::id_of(&on.vault, &origin);
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    Mls::of(on, id).found(&keys, &id.0, Suite::Classic)?;
    let group = Group {
        id,
        name,
        creator: None,
        seed: Some(origin),
        member: true,
        invited: false,
        signer: Some(seed(&keys)),
        told: true,
        behind: None,
        ahead: None,
        caught: None,
        asked: None,
        asks: 0,
        due: false,
        since: on.now,
        active: on.now,
    };
    on.change.put_group(&group)?;
    for member in members {
        invite(on, &group, member)?;
    }
    Ok(id)
}

/// A group that this vault created and is a member of.
pub(crate) fn own(on: &Changing<'_>, id: &GroupId) -> Result<Group, Stop> {
    let group = on.change.group(id)?.ok_or(Code::NotFound)?;
    match group.creator.is_none() && group.member {
        true => Ok(group),
        false => Err(Code::NotCreator.into()),
    }
}

/// Invites one connection more.
pub(crate) fn invite(
    on: &mut Changing<'_>,
    group: &Group,
    connection: &ConnectionId,
) -> Result<(), Stop> {
    let found = on.change.connection(connection)?.ok_or(Code::NotFound)?;
    if found.state != State::Active {
        return Err(Code::NotConnected.into());
    }
    // This vault is a member too.
    let size = on.change.group_members(&group.id)?.len().saturating_add(2);
    if size > limits::GROUP {
        return Err(Refusal::limit("group", limits::GROUP, size).into());
    }
    if on.change.group_member(&group.id, &found.vault)?.is_some() {
        return Ok(());
    }
    on.change.put_group_member(
        &group.id,
        &GroupMember {
            vault: found.vault,
            name: super::name_of(&found),
            home: None,
            key: None,
            package: None,
            spent: None,
            added: None,
        },
    )?;
    let change = GroupChange::Invite {
        name: group.name.clone(),
        seed: group.seed.ok_or(Code::Internal)?,
    };
    say_later(on, &[found.id], &group.id, change)
}

/// Somebody who was invited can be added now; or, if it is in already, has lost its keys or lacks a
/// change. Whoever has the same state as this vault lacks none: it was told of a later one by somebody
/// who may have made that up.
pub(super) fn joins(
    on: &mut Changing<'_>,
    group: Group,
    connection: &Connection,
    (package, state): (Vec<u8>, Option<Vec<u8>>),
) -> Result<(), Stop> {
    let Some(mut member) = on.change.group_member(&group.id, &connection.vault)? else {
        return Ok(());
    };
    let mls = Mls::of(on, group.id);
    let owner = mls.owner_of(&package, Suite::Classic);
    let lacks_nothing = state.is_some_and(|state| {
        mls.state(&group.id.0)
            .is_ok_and(|own| own.as_slice() == state.as_slice())
    });
    // It was said again, and the member has no keys for it any more.
    let is_spent = member.spent == Some(digest::sha256(&package));
    let is_own = owner.is_ok_and(|owner| owner.vault == connection.vault);
    if !group.member || !is_own || lacks_nothing || is_spent {
        return Ok(());
    }
    member.package = Some(package);
    on.change.put_group_member(&group.id, &member)?;
    let members = on.change.group_members(&group.id)?;
    // A large group takes several in at once, when nothing else is going on.
    match members.iter().filter(|it| it.key.is_some()).count() < SMALL {
        true => take_in(on, &group, AT_ONCE),
        false => Ok(()),
    }
}

/// Adds whoever waits, so many with one commit: some for the first time, others in the place of what
/// they have lost.
fn take_in(on: &mut Changing<'_>, group: &Group, at_once: usize) -> Result<(), Stop> {
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    for member in on.change.group_members(&group.id)? {
        let may_be = chosen.len() < at_once && may_be_added(&member, on.now);
        if may_be && takes_welcomes(on, &member.vault)? {
            chosen.push(member);
        } else if member.key.is_some() {
            others.push(member);
        }
    }
    if chosen.is_empty() {
        return Ok(());
    }
    let keys = keys(on, group)?;
    let Some((chosen, found)) = add(on, group, &keys, chosen)? else {
        return Ok(());
    };
    let inside = Mls::of(on, group.id).members(&group.id.0)?;
    for mut member in chosen.iter().cloned() {
        member.spent = member.package.take().map(|it| digest::sha256(&it));
        member.added = Some(on.now);
        let now = inside.iter().find(|it| it.vault == member.vault);
        member.key = now.map(|it| it.key);
        on.change.put_group_member(&group.id, &member)?;
    }
    let added = peers(on, &chosen)?;
    let commit = GroupChange::Commit {
        commit: found.commit,
        added: added.clone(),
    };
    say_change(on, &others, &group.id, commit)?;
    let mut members = peers(on, &others)?;
    members.extend(added);
    let connections = connections_of(on, &chosen)?;
    let welcome = GroupChange::Welcome {
        name: group.name.clone(),
        welcome: found.welcome,
        members,
    };
    say_later(on, &connections, &group.id, welcome)
}

/// Adds some together; if one of them cannot be added, the first who can, and whoever cannot has to
/// hand over something else.
fn add(
    on: &mut Changing<'_>,
    group: &Group,
    keys: &Keys,
    chosen: Vec<GroupMember>,
) -> Result<Option<(Vec<GroupMember>, Found)>, Stop> {
    let mls = Mls::of(on, group.id);
    let packages = |some: &[GroupMember]| -> Vec<Vec<u8>> {
        some.iter().filter_map(|it| it.package.clone()).collect()
    };
    match mls.add(keys, &group.id.0, &packages(&chosen)) {
        Ok(found) => return Ok(Some((chosen, found))),
        Err(NotMls::NoKeys) => return Err(NotMls::NoKeys.into()),
        Err(_) => {}
    }
    for mut member in chosen {
        let package = packages(std::slice::from_ref(&member));
        match mls.add(keys, &group.id.0, &package) {
            Ok(found) => return Ok(Some((vec![member], found))),
            Err(_) => {
                member.package = None;
                on.change.put_group_member(&group.id, &member)?;
            }
        }
    }
    Ok(None)
}

/// Whether a vault takes what it is told: a welcome is large, and one that wants to be added again and again
/// and takes nothing must not fill the outbox with them.
fn takes_welcomes(on: &Changing<'_>, vault: &VaultId) -> Result<bool, Stop> {
    let Some(id) = connection_with(**on.change, vault)? else {
        return Ok(true);
    };
    Ok(on.change.count_outbox_on(&id)? < UNTAKEN && !on.change.is_behind(&id)?)
}

/// Whether somebody waits to be added, and was not added a short while ago: each time costs every
/// member a change.
fn may_be_added(member: &GroupMember, now: UnixMillis) -> bool {
    let rested = member.added.is_none_or(|at| now.since(at) > REST);
    rested && member.package.is_some()
}

/// Tells members of a change. One that nobody reaches for so long that too much waits for it is passed
/// by: it finds out by what is said later, and is added anew.
fn say_change(
    on: &mut Changing<'_>,
    members: &[GroupMember],
    id: &GroupId,
    change: GroupChange,
) -> Result<(), Stop> {
    let mut reached = Vec::with_capacity(members.len());
    for connection in connections_of(on, members)? {
        let waiting = on.change.count_outbox_on(&connection)?;
        if usize::try_from(waiting).is_ok_and(|waiting| waiting < limits::MEMBER_OUTBOX) {
            reached.push(connection);
        }
    }
    say_later(on, &reached, id, change)
}

/// Puts a member out, once this is committed. It is told, unless it knows.
pub(crate) fn put_out(
    on: &mut Changing<'_>,
    id: &GroupId,
    vault: &VaultId,
    tell: bool,
) -> Result<(), Stop> {
    if !on.change.mark_gone(id, vault)? {
        return Ok(());
    }
    on.change.set_group_due(id)?;
    match connection_with(**on.change, vault)?.filter(|_| tell) {
        Some(connection) => say_later(on, &[connection], id, GroupChange::Over),
        None => Ok(()),
    }
}

/// Puts out everybody who is marked for that, with one commit.
pub(super) fn put_gone_out(on: &mut Changing<'_>, group: &Group) -> Result<(), Stop> {
    let gone = on.change.group_members_gone(&group.id)?;
    for vault in &gone {
        on.change.remove_group_member(&group.id, vault)?;
    }
    if !group.member {
        return Ok(());
    }
    let keys = keys(on, group)?;
    let mls = Mls::of(on, group.id);
    match mls.remove(&keys, &group.id.0, &gone)? {
        Some(commit) => tell_inside(on, &group.id, commit),
        None => Ok(()),
    }
}

/// Groups of this vault in which a member has said more than this vault's keys reach, or something in a
/// later state than this vault has made: it was restored. Nobody can check who says the latter: it counts
/// once a day.
pub(crate) fn overtaken(view: View<'_>, now: UnixMillis) -> Result<Vec<GroupId>, StoreError> {
    let ago = |span| UnixMillis(now.since(UnixMillis(span)));
    view.groups_ahead((ago(PATIENCE), ago(DAY)), RENEWED)
}

/// Renews this vault's keys in one of them: in the next state everybody counts from the begin. Whoever is in
/// a state that this vault has lost sees by it that there is another, and asks to be added anew.
pub(crate) fn renew(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    let mut group = own(on, id)?;
    (group.asked, group.behind) = (Some(on.now), None);
    on.change.put_group(&group)?;
    let keys = keys(on, &group)?;
    let commit = Mls::of(on, *id).renew(&keys, &id.0, b"")?;
    tell_inside(on, id, commit)
}

/// Tells everybody who is in of a change that adds nobody.
fn tell_inside(on: &mut Changing<'_>, id: &GroupId, commit: Vec<u8>) -> Result<(), Stop> {
    let inside = on.change.group_members(id)?.into_iter();
    let inside: Vec<_> = inside.filter(|member| member.key.is_some()).collect();
    let change = GroupChange::Commit {
        commit,
        added: Vec::new(),
    };
    say_change(on, &inside, id, change)
}

/// Says something to everybody who was invited.
pub(crate) fn tell_all(
    on: &mut Changing<'_>,
    id: &GroupId,
    change: GroupChange,
) -> Result<(), Stop> {
    let members = on.change.group_members(id)?;
    let connections = connections_of(on, &members)?;
    say_later(on, &connections, id, change)
}

/// Groups of this vault in which somebody waits to be added.
pub(crate) fn waiting(view: View<'_>, now: UnixMillis) -> Result<Vec<GroupId>, StoreError> {
    view.groups_with_packages(UnixMillis(now.since(UnixMillis(REST))))
}

/// Takes in some of those who wait in one of them.
pub(crate) fn take_some_in(
    on: &mut Changing<'_>,
    id: &GroupId,
    at_once: usize,
) -> Result<(), Stop> {
    match on.change.group(id)? {
        Some(group) => take_in(on, &group, at_once),
        None => Ok(()),
    }
}

/// Whoever waits in one of them cannot be added, not even one at a time: the owner is told.
pub(crate) fn pass_by(on: &mut Changing<'_>, id: &GroupId) -> Result<(), Stop> {
    for mut member in on.change.group_members(id)? {
        if may_be_added(&member, on.now) {
            member.package = None;
            on.change.put_group_member(id, &member)?;
        }
    }
    on.tell_of(Kind::GroupNotAdded, &Conversation::Group(*id))
}

fn connections_of(on: &Changing<'_>, members: &[GroupMember]) -> Result<Vec<ConnectionId>, Stop> {
    let mut found = Vec::with_capacity(members.len());
    for member in members {
        found.extend(connection_with(**on.change, &member.vault)?);
    }
    Ok(found)
}

/// Members as the others are told of them. Home records are there as far as there is room: that of
/// every vault can be found in the network too.
fn peers(on: &Changing<'_>, members: &[GroupMember]) -> Result<Vec<Peer>, Stop> {
    let mut peers = Vec::with_capacity(members.len());
    let mut room = HOMES;
    for member in members {
        let connection = connection_with(**on.change, &member.vault)?;
        let connection = connection.map(|id| on.change.connection(&id)).transpose()?;
        let home = connection.flatten().map(|found| found.home);
        let home = match home.as_deref().map(Known::decode).transpose()? {
            Some(Known::Record { record, .. }) if record.len() <= room => record,
            _ => Vec::new(),
        };
        room = room.saturating_sub(home.len());
        peers.push(Peer {
            vault: member.vault,
            name: member.name.clone(),
            home: home.into(),
        });
    }
    Ok(peers)
}

/// Bytes of home records that are told with one change.
const HOMES: usize = 48 * 1024;
/// Members up to which everybody is added at once.
const SMALL: usize = 16;
/// Members that are added with one commit.
pub(crate) const AT_ONCE: usize = 32;
/// Groups in which keys are renewed in one round.
const RENEWED: u32 = 16;
/// Time after which a member that was added can be added again, ms.
const REST: u64 = 5 * MINUTE;
/// Deliveries that wait for a vault which is not welcomed while they do.
const UNTAKEN: u32 = 64;
