//! Whether a message can be one of a group's present state, looked at without keys: what cannot is
//! told from what members say before anything is spent on it.

use openmls::group::GroupContext;
use openmls::prelude::{ContentType, GroupId};
use vettid_store::View;
use vettid_store::rows::mls::MlsKey;
use vettid_wire::operation::message::Conversation;

use super::config;
use super::framing::protocol_message;
use super::primitives::Suite;
use super::storage::{Kind, encode, read};

/// Whether a message says that it is something said in a group, in its present state or one of the few
/// before that still open.
pub(crate) fn is_current(view: View<'_>, id: &vettid_wire::id::GroupId, message: &[u8]) -> bool {
    let Ok(message) = protocol_message(message) else {
        return false;
    };
    let Some(now) = epoch(view, id) else {
        return false;
    };
    let past = u64::try_from(config::past_epochs(Suite::Classic)).unwrap_or_default();
    let claimed = message.epoch().as_u64();
    message.group_id().as_slice() == id.0
        && message.content_type() == ContentType::Application
        && (now.saturating_sub(past)..=now).contains(&claimed)
}

/// Number of the state that a group has.
fn epoch(view: View<'_>, id: &vettid_wire::id::GroupId) -> Option<u64> {
    let key = encode(&GroupId::from_slice(&id.0)).ok()?;
    let key = MlsKey {
        conversation: &Conversation::Group(*id),
        kind: Kind::Context as u8,
        key: &key,
    };
    let context: GroupContext = read(&view.mls(&key).ok()??).ok()?;
    Some(context.epoch().as_u64())
}
