//! Groups as their owner's devices are shown them.

use vettid_store::View;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::Group;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::group;
use vettid_wire::operation::message::Conversation;

use crate::stop::Stop;

/// A group with its members.
pub(crate) fn shown(view: View<'_>, found: Group) -> Result<group::Group, Stop> {
    let mut members = Vec::new();
    for member in view.group_members(&found.id)? {
        let with = view.connections_with(&member.vault)?;
        let active = with.into_iter().find(|(_, state)| *state == State::Active);
        let connection = active.map(|(id, _)| id);
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
    Ok(connection.as_ref().map(name_of).unwrap_or_default())
}

/// What the others call a member: what its owner shows as a name. This owner's own word for it is
/// nobody else's to know.
pub(super) fn name_of(connection: &Connection) -> String {
    let shown = connection.card.fields.iter().find(|it| it.name == "name");
    let shown = shown.and_then(|field| {
        field
            .value
            .expose(|value| std::str::from_utf8(value).ok().map(str::to_owned))
    });
    super::name(&shown.unwrap_or_default())
}
