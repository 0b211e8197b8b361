//! What the vault does that created a group.

use vettid_crypto::sign::SigningKey;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::{Group, GroupMember};
use vettid_wire::content::{GroupChange, Peer};
use vettid_wire::id::{ConnectionId, GroupId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::connection::State;
use vettid_wire::refusal::{Code, Refusal};

use super::{connection_with, keys, say_later, seed};
use crate::connect::Known;
use crate::effect::Changing;
use crate::mls::{Keys, Mls, Suite};
use crate::stop::Stop;

/// Makes a group and invites some connections.
pub(crate) fn create(
    on: &mut Changing<'_>,
    name: String,
    members: &[ConnectionId],
) -> Result<GroupId, Stop> {
    let id = GroupId::random(on.entropy);
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    Mls::new(on.change, id.0, on.entropy).found(&keys, &id.0, Suite::Classic)?;
    let group = Group {
        id,
        name,
        creator: None,
        member: true,
        signer: Some(seed(&keys)),
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
            name: name_of(&found),
            home: None,
            key: None,
            package: None,
        },
    )?;
    let change = GroupChange::Invite {
        name: group.name.clone(),
    };
    say_later(on, &[found.id], &group.id, change)
}

/// Somebody who was invited can be added now; or, if it is in already, has lost its keys.
pub(super) fn joins(
    on: &mut Changing<'_>,
    group: Group,
    connection: &Connection,
    package: Vec<u8>,
) -> Result<(), Stop> {
    let Some(mut member) = on.change.group_member(&group.id, &connection.vault)? else {
        return Ok(());
    };
    let mls = Mls::new(on.change, group.id.0, on.entropy);
    let owner = mls.owner_of(&package, Suite::Classic);
    if !group.member || !owner.is_ok_and(|owner| owner.vault == connection.vault) {
        return Ok(());
    }
    if member.key.take().is_some() {
        on.change.put_group_member(&group.id, &member)?;
        commit_removal(on, &group, &connection.vault)?;
    }
    member.package = Some(package);
    on.change.put_group_member(&group.id, &member)?;
    let members = on.change.group_members(&group.id)?;
    // A large group takes several in at once, when nothing else is going on.
    match members.iter().filter(|it| it.key.is_some()).count() < SMALL {
        true => take_in(on, &group),
        false => Ok(()),
    }
}

/// Adds everybody who waits, with one commit.
pub(crate) fn take_in(on: &mut Changing<'_>, group: &Group) -> Result<(), Stop> {
    let all = on.change.group_members(&group.id)?;
    let (waiting, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|member| member.package.is_some());
    let waiting: Vec<_> = waiting.into_iter().take(AT_ONCE).collect();
    let packages: Vec<_> = waiting
        .iter()
        .filter_map(|member| member.package.clone())
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    let keys = keys(on, group)?;
    let mls = Mls::new(on.change, group.id.0, on.entropy);
    let found = mls.add(&keys, &group.id.0, &packages)?;
    let inside = mls.members(&group.id.0)?;
    for mut member in waiting.iter().cloned() {
        member.package = None;
        let now = inside.iter().find(|it| it.vault == member.vault);
        member.key = now.map(|it| it.key);
        on.change.put_group_member(&group.id, &member)?;
    }
    let added = peers(on, &waiting)?;
    let inside = others.into_iter().filter(|member| member.key.is_some());
    let others: Vec<_> = inside.collect();
    let commit = GroupChange::Commit {
        commit: found.commit,
        added: added.clone(),
    };
    let connections = connections_of(on, &others)?;
    say_later(on, &connections, &group.id, commit)?;
    let mut members = peers(on, &others)?;
    members.extend(added);
    let connections = connections_of(on, &waiting)?;
    let welcome = GroupChange::Welcome {
        name: group.name.clone(),
        welcome: found.welcome,
        members,
    };
    say_later(on, &connections, &group.id, welcome)
}

/// Puts a member out. It is told, unless it knows.
pub(crate) fn put_out(
    on: &mut Changing<'_>,
    group: &Group,
    vault: &VaultId,
    tell: bool,
) -> Result<(), Stop> {
    let Some(member) = on.change.group_member(&group.id, vault)? else {
        return Ok(());
    };
    on.change.remove_group_member(&group.id, vault)?;
    if group.member && member.key.is_some() {
        commit_removal(on, group, vault)?;
    }
    match connection_with(on, vault)?.filter(|_| tell) {
        Some(id) => say_later(on, &[id], &group.id, GroupChange::Over),
        None => Ok(()),
    }
}

fn commit_removal(on: &mut Changing<'_>, group: &Group, vault: &VaultId) -> Result<(), Stop> {
    let keys = keys(on, group)?;
    let mls = Mls::new(on.change, group.id.0, on.entropy);
    let commit = mls.remove(&keys, &group.id.0, std::slice::from_ref(vault))?;
    let inside = on.change.group_members(&group.id)?.into_iter();
    let inside: Vec<_> = inside
        .filter(|member| member.key.is_some() && member.vault != *vault)
        .collect();
    let connections = connections_of(on, &inside)?;
    let change = GroupChange::Commit {
        commit,
        added: Vec::new(),
    };
    say_later(on, &connections, &group.id, change)
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

/// Takes in whoever waits in any group of this vault.
pub(crate) fn take_all_in(on: &mut Changing<'_>) -> Result<(), Stop> {
    for id in on.change.groups_with_packages()? {
        if let Some(group) = on.change.group(&id)? {
            take_in(on, &group)?;
        }
    }
    Ok(())
}

fn connections_of(on: &Changing<'_>, members: &[GroupMember]) -> Result<Vec<ConnectionId>, Stop> {
    let mut found = Vec::with_capacity(members.len());
    for member in members {
        found.extend(connection_with(on, &member.vault)?);
    }
    Ok(found)
}

/// Members as the others are told of them.
fn peers(on: &Changing<'_>, members: &[GroupMember]) -> Result<Vec<Peer>, Stop> {
    let mut peers = Vec::with_capacity(members.len());
    for member in members {
        let connection = connection_with(on, &member.vault)?;
        let connection = connection.map(|id| on.change.connection(&id)).transpose()?;
        let home = connection.flatten().map(|found| found.home);
        let home = match home.as_deref().map(Known::decode).transpose()? {
            Some(Known::Record { record, .. }) => record,
            _ => Vec::new(),
        };
        peers.push(Peer {
            vault: member.vault,
            name: member.name.clone(),
            home: home.into(),
        });
    }
    Ok(peers)
}

/// What the others call a member: what its owner shows as a name, or this owner's word for it.
fn name_of(connection: &Connection) -> String {
    let shown = connection.card.fields.iter().find(|it| it.name == "name");
    let shown = shown.and_then(|field| {
        field
            .value
            .expose(|value| std::str::from_utf8(value).ok().map(str::to_owned))
    });
    let mut name = shown
        .or_else(|| connection.settings.alias.clone())
        .unwrap_or_default();
    name.truncate(name.floor_char_boundary(limits::ALIAS));
    name
}

/// Members up to which everybody is added at once.
const SMALL: usize = 16;
/// Members that are added with one commit.
const AT_ONCE: usize = 32;
