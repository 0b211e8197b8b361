//! Connections as their owner's devices are shown them.

use vettid_store::View;
use vettid_store::rows::connection::Connection;
use vettid_wire::operation::connection;
use vettid_wire::operation::message::Conversation;

use super::Known;
use crate::stop::Stop;

/// A connection with what is counted elsewhere.
pub(crate) fn shown(view: View<'_>, found: Connection) -> Result<connection::Connection, Stop> {
    let conversation = Conversation::Connection(found.id);
    Ok(connection::Connection {
        id: found.id,
        state: found.state,
        vault: found.vault,
        node: Known::decode(&found.home)?.node(),
        inviter: found.inviter,
        card: found.card,
        safety_code: found.safety_code,
        verified: found.verified,
        settings: found.settings,
        created: found.created,
        active: found.active,
        unread: view.count_unread(&conversation)?,
        waiting: view.count_waiting(&found.id)?,
        ended: found.ended,
    })
}
