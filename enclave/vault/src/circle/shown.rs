//! Groups as their owner's devices are shown them.

use vettid_store::View;
use vettid_store::rows::group::Group;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::group;
use vettid_wire::operation::message::Conversation;

use super::connection_with;
use crate::stop::Stop;

/// A group with its members.
pub(crate) fn shown(view: View<'_>, found: Group) -> Result<group::Group, Stop> {
    let mut members = Vec::new();
    for member in view.group_members(&found.id)? {
        let connection = connection_with(view, &member.vault)?;
        members.push(group::Member {
            name: match connection {
                Some(id) if member.name.is_empty() => named(view, &id)?,
                _ => member.name,
            },
            vault: member.vault,
            connection,
            joined: member.key.is_some(),
        });
    }
    Ok(group::Group {
        id: found.id,
        name: found.name,
        creator: found.creator,
        members,
        member: found.member,
        since: found.since,
        active: found.active,
        invited: found.invited,
        joining: found.signer.is_some() && !found.member && !found.invited,
        unread: view.count_unread(&Conversation::Group(found.id))?,
    })
}

/// The creator names everybody but itself; the connection with it tells what its owner shows.
fn named(view: View<'_>, id: &ConnectionId) -> Result<String, Stop> {
    let connection = view.connection(id)?;
    Ok(connection.as_ref().map(super::name_of).unwrap_or_default())
}
