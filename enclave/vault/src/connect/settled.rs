//! What became of something that was sent.

use vettid_store::rows::outbox::Entry;
use vettid_wire::content::Content;
use vettid_wire::id::{ConnectionId, DeliveryId, MessageId, VaultId};
use vettid_wire::operation::connection::{Ended, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Failed, Receipt};
use vettid_wire::peer::Delivered;
use vettid_wire::{Secret, cbor};

use super::{ending, resume};
use crate::effect::Changing;
use crate::stop::Stop;

/// Takes in what became of a delivery. One that is not in the outbox any more was told before, or
/// was said again in another way.
pub(crate) fn settle(
    on: &mut Changing<'_>,
    delivery: &DeliveryId,
    outcome: Delivered,
) -> Result<(), Stop> {
    let Some(entry) = on.change.outgoing(delivery)? else {
        return Ok(());
    };
    match outcome {
        // It was said in a group that is replaced, and is said again in the new one.
        Delivered::Stored | Delivered::Refused(_) if entry.again => Ok(()),
        Delivered::Applied => {
            on.change.remove_outgoing(&entry)?;
            receipt(on, &entry, Receipt::Delivered)
        }
        // What has a sequence stays until the other vault itself says that it has it: the node that
        // keeps it may lose it.
        Delivered::Stored => {
            match entry.outgoing.connection {
                Some(_) => on.change.mark_stored(entry.number, on.now)?,
                None => on.change.remove_outgoing(&entry)?,
            }
            receipt(on, &entry, Receipt::Stored)
        }
        Delivered::Refused(why) if why.is_temporary() => Ok(()),
        Delivered::Refused(_) => refused(on, &entry),
    }
}

fn receipt(on: &mut Changing<'_>, entry: &Entry, receipt: Receipt) -> Result<(), Stop> {
    let Some(id) = entry.outgoing.message else {
        return Ok(());
    };
    match entry.outgoing.connection {
        Some(_) => {
            if on.change.raise_receipt(&id, receipt)?.is_some() {
                on.message_changed()?;
            }
            Ok(())
        }
        None => on.raise_in_group(&id, &entry.outgoing.vault, receipt),
    }
}

/// The other vault will never take it as it is.
fn refused(on: &mut Changing<'_>, entry: &Entry) -> Result<(), Stop> {
    let id = entry.outgoing.connection;
    let connection = id.map(|id| on.change.connection(&id)).transpose()?;
    let Some(connection) = connection.flatten() else {
        on.change.remove_outgoing(entry)?;
        return fail(on, entry, Failed::Refused);
    };
    if connection.state == State::Agreeing {
        let (how, told) = match connection.inviter {
            // Whoever was invited has thought better of it.
            true => (Ended::DeclinedThere, Kind::ConnectionDeclined),
            // The invitation was used, taken back, or is none of that vault.
            false => (Ended::InvitationRefused, Kind::InvitationRefused),
        };
        return ending::end(on, &connection, how, Some(told));
    }
    match (entry.outgoing.sequence, on.change.channel(&connection.id)?) {
        // One of both vaults was restored: it is said again in a new group.
        (Some(_), Some(channel)) => {
            on.change.mark_refused(entry.number)?;
            resume::ask(on, &connection, channel).map(drop)
        }
        // Not even that is taken: the other vault knows nothing of the connection any more.
        (None, Some(_)) => {
            on.change.remove_outgoing(entry)?;
            fail_refused(on, &connection.id)
        }
        (_, None) => {
            on.change.remove_outgoing(entry)?;
            fail(on, entry, Failed::Refused)
        }
    }
}

fn fail_refused(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    for entry in on.change.outgoing_on(id)? {
        if entry.refused {
            on.change.remove_outgoing(&entry)?;
            fail(on, &entry, Failed::Refused)?;
        }
    }
    Ok(())
}

/// What was said will not be delivered: its owner is told of the message that it was, or was to change.
pub(crate) fn fail(on: &mut Changing<'_>, entry: &Entry, why: Failed) -> Result<(), Stop> {
    let said = entry.outgoing.said.as_ref();
    match entry.outgoing.message.or_else(|| said.and_then(changed)) {
        Some(id) => fail_message(on, &id, &entry.outgoing.vault, why),
        None => Ok(()),
    }
}

/// The message that a content changes: without it the other vault has that message as it was.
pub(crate) fn changed(said: &Secret) -> Option<MessageId> {
    match said.expose(|said| cbor::decode(said)) {
        Ok(Content::Edit { id, .. } | Content::Remove(id)) => Some(id),
        _ => None,
    }
}

/// The same, of what is not in the outbox.
pub(crate) fn fail_message(
    on: &mut Changing<'_>,
    id: &MessageId,
    vault: &VaultId,
    why: Failed,
) -> Result<(), Stop> {
    let Some(message) = on.message(id)? else {
        return Ok(());
    };
    if let Conversation::Group(_) = message.conversation {
        // The others of the group count on.
        on.change.remove_receipt_of(id, vault)?;
    }
    if message.failed.is_some() {
        return Ok(());
    }
    // One that was removed here, and is not there, shows nothing.
    if message.removed.is_none() {
        on.change.fail_message(id, why)?;
        on.message_changed()?;
    }
    on.tell_of(Kind::MessageFailed, &message.conversation)
}
