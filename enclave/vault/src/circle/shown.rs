//! Groups as their owner's devices are shown them.

use vettid_store::View;
use vettid_store::rows::group::Group;
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
        members.push(group::Member {
            vault: member.vault,
            connection: active.map(|(id, _)| id),
            name: member.name,
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
