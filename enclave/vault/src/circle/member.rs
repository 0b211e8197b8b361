//! What a vault does that was invited into a group.

use vettid_crypto::sign::SigningKey;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::{Group, GroupMember};
use vettid_wire::content::{GroupChange, Peer};
use vettid_wire::id::{GroupId, VaultId};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::{MINUTE, UnixMillis};
use vettid_wire::{cbor, limits};

use super::{connection_with, follow, keys, leave_behind, say_later, seed};
use crate::connect::{Known, known};
use crate::effect::Changing;
use crate::mls::{Keys, Member, Mls, Suite};
use crate::stop::Stop;
use crate::text;

/// The vault of a connection invites this one into a group.
pub(super) fn invited(
    on: &mut Changing<'_>,
    connection: &Connection,
    id: &GroupId,
    name: String,
) -> Result<(), Stop> {
    let groups = usize::try_from(on.change.count_groups()?).unwrap_or(usize::MAX);
    if groups >= limits::GROUPS || text::line("group name", limits::ALIAS, &name).is_err() {
        return Ok(());
    }
    let group = Group {
        id: *id,
        name,
        creator: Some(connection.vault),
        member: false,
        signer: None,
        since: on.now,
        active: on.now,
    };
    ask_in(on, group, connection)
}

/// Hands over what this vault can be added with.
fn ask_in(on: &mut Changing<'_>, mut group: Group, connection: &Connection) -> Result<(), Stop> {
    let id = group.id;
    on.change.remove_mls(&id.0)?;
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    let mls = Mls::new(on.change, id.0, on.entropy);
    let key_package = mls.key_package(&keys, Suite::Classic)?;
    (group.member, group.signer) = (false, Some(seed(&keys)));
    on.change.put_group(&group)?;
    say_later(on, &[connection.id], &id, GroupChange::Join { key_package })
}

/// Asks to be added anew where something has waited for too long for a change of the group: it has
/// come before this vault, or the creator's, was restored, and does not come again. Until the welcome
/// this vault stays a member: a change that is only late is still followed.
pub(crate) fn catch_up(on: &mut Changing<'_>) -> Result<(), Stop> {
    let before = UnixMillis(on.now.since(UnixMillis(PATIENCE)));
    for id in on.change.groups_behind(before, AT_ONCE)? {
        let Some(group) = on.change.group(&id)? else {
            continue;
        };
        let creator = group.creator.unwrap_or(on.vault);
        let mls = Mls::new(on.change, id.0, on.entropy);
        if let Some(connection) = connection_with(on, &creator)?
            && !mls.awaits_welcome()?
        {
            let keys = keys(on, &group)?;
            let key_package = mls.key_package(&keys, Suite::Classic)?;
            say_later(on, &[connection], &id, GroupChange::Join { key_package })?;
        }
    }
    Ok(())
}

/// The creator of a group says something about it.
pub(super) fn changed(
    on: &mut Changing<'_>,
    mut group: Group,
    connection: &Connection,
    change: GroupChange,
) -> Result<(), Stop> {
    match change {
        GroupChange::Invite { name } if group.signer.is_none() => {
            invited(on, connection, &group.id, name)
        }
        GroupChange::Welcome {
            name,
            welcome,
            members,
        } if group.signer.is_some() => {
            if text::line("group name", limits::ALIAS, &name).is_ok() {
                group.name = name;
            }
            welcomed(on, group, connection, (&welcome, &members))
        }
        GroupChange::Commit { commit, added } if group.member => {
            committed(on, group, connection, (&commit, &added))
        }
        GroupChange::Rename { name } if text::line("group name", limits::ALIAS, &name).is_ok() => {
            group.name = name;
            Ok(on.change.put_group(&group)?)
        }
        GroupChange::Over if group.member || group.signer.is_some() => leave_behind(on, group),
        _ => Ok(()),
    }
}

fn welcomed(
    on: &mut Changing<'_>,
    mut group: Group,
    connection: &Connection,
    (welcome, peers): (&[u8], &[Peer]),
) -> Result<(), Stop> {
    let id = group.id;
    let mls = Mls::new(on.change, id.0, on.entropy);
    if group.member {
        if !mls.awaits_welcome()? {
            return Ok(());
        }
        mls.forget(&id.0)?;
    }
    // One that is not for the newest key package is passed over: another one follows.
    let Ok(joined) = mls.join(welcome) else {
        return match group.member {
            true => ask_in(on, group, connection),
            false => Ok(()),
        };
    };
    let known = |vault: VaultId| joined.members.iter().any(|it| it.vault == vault);
    let fits = joined.id == id.0
        && joined.members.len() <= limits::GROUP
        && known(on.vault)
        && group.creator.is_some_and(known);
    if !fits {
        return leave_behind(on, group);
    }
    (group.member, group.since, group.active) = (true, on.now, on.now);
    on.change.put_group(&group)?;
    settle(on, &id, &joined.members, peers)?;
    on.tell_of(Kind::GroupJoined, &Conversation::Group(id))?;
    follow(on, &id)
}

fn committed(
    on: &mut Changing<'_>,
    group: Group,
    connection: &Connection,
    (commit, added): (&[u8], &[Peer]),
) -> Result<(), Stop> {
    let id = group.id;
    let mls = Mls::new(on.change, id.0, on.entropy);
    let creator = connection.vault;
    let heard = mls.hear(&id.0, commit, Some(&creator), |from, _| *from == creator);
    match heard {
        Ok(heard) if heard.removed => leave_behind(on, group),
        Ok(_) => {
            let members = mls.members(&id.0)?;
            settle(on, &id, &members, added)?;
            follow(on, &id)
        }
        // One of both was restored: this vault asks to be added anew.
        Err(_) => ask_in(on, group, connection),
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
        let name = peer.map(|peer| {
            let end = peer.name.floor_char_boundary(limits::ALIAS);
            peer.name.get(..end).unwrap_or_default().to_owned()
        });
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
            },
        )?;
    }
    Ok(())
}

/// This vault goes.
pub(crate) fn leave(on: &mut Changing<'_>, group: Group) -> Result<(), Stop> {
    let id = group.id;
    if let Some(creator) = group.creator
        && let Some(connection) = connection_with(on, &creator)?
    {
        say_later(on, &[connection], &id, GroupChange::Leave)?;
    }
    leave_behind(on, group)
}

/// Time that something waits for a change of its group before this vault asks to be added anew, ms.
const PATIENCE: u64 = 10 * MINUTE;
/// Groups in which that is done in one round.
const AT_ONCE: u32 = 16;
