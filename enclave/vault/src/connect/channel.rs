//! Saying something in a connection.

use vettid_crypto::digest;
use vettid_crypto::sign::SigningKey;
use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_wire::content::{Content, Parcel, Said, Talk};
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, cbor, limits};

use super::Known;
use super::post::Address;
use crate::effect::Changing;
use crate::mls::{Keys, Mls};
use crate::stop::Stop;

/// What this vault speaks with in a connection.
pub(crate) fn keys(on: &Changing<'_>, channel: &Channel) -> Result<Keys, Stop> {
    let signer = channel
        .signer
        .expose(|seed| seed.try_into().ok().map(SigningKey::from_seed))
        .ok_or(Code::Internal)?;
    Ok(Keys {
        vault: on.vault,
        signer,
    })
}

/// A connection and its keys.
pub(crate) fn open(on: &Changing<'_>, id: &ConnectionId) -> Result<(Connection, Channel), Stop> {
    let connection = on.change.connection(id)?.ok_or(Code::NotFound)?;
    let channel = on.change.channel(id)?.ok_or(Code::NotConnected)?;
    Ok((connection, channel))
}

/// What goes with a message in the clear, and is authenticated: its sequence, and the tag of what its
/// sender has applied last of the other side's.
fn beside(sequence: u64, channel: &Channel) -> Vec<u8> {
    [sequence.to_be_bytes(), channel.heard].concat()
}

/// The sequence and the tag that go with a message.
pub(crate) fn from_beside(aad: &[u8]) -> Option<(u64, [u8; 8])> {
    let (sequence, heard) = aad.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*sequence), heard.try_into().ok()?))
}

/// Tag of an MLS message: tells it from another one that was said under the same sequence.
pub(crate) fn tag(message: &[u8]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = digest::sha256(message);
    [a, b, c, d, e, f, g, h]
}

/// Whether a content wears keys. What only serves the keys does not: each renewal would be the reason
/// for the next.
pub(crate) const fn wears(content: &Content) -> bool {
    !matches!(content, Content::Nothing | Content::Renew)
}

/// Seals a content for the other vault of a connection and puts it into the outbox. `message` is
/// the one whose receipt follows from it.
pub(crate) fn say(
    on: &mut Changing<'_>,
    id: &ConnectionId,
    content: &Content,
    message: Option<MessageId>,
) -> Result<(), Stop> {
    let expires = on.now.plus(limits::DELIVERY_TIME);
    say_until(on, id, content, message, expires)
}

/// The same, useless after a time that was set before. It is sealed behind everything that is still to
/// be sealed.
pub(crate) fn say_until(
    on: &mut Changing<'_>,
    id: &ConnectionId,
    content: &Content,
    message: Option<MessageId>,
    expires: UnixMillis,
) -> Result<(), Stop> {
    open(on, id)?;
    if on.change.is_behind(id)? {
        let body = on.change.insert_body(&cbor::encode(content))?;
        on.change
            .insert_unsaid(id, message.as_ref(), expires, body)?;
        return Ok(());
    }
    say_now(on, id, content, message, expires)
}

/// The same, past what is still to be sealed.
pub(crate) fn say_now(
    on: &mut Changing<'_>,
    id: &ConnectionId,
    content: &Content,
    message: Option<MessageId>,
    expires: UnixMillis,
) -> Result<(), Stop> {
    let (connection, mut channel) = open(on, id)?;
    channel.sent = channel.sent.saturating_add(1);
    channel.worn = channel.worn.saturating_add(u64::from(wears(content)));
    channel.owed = None;
    on.change.put_channel(&channel)?;
    let place = (channel.sent, expires);
    say_as(on, (&connection, &channel), place, content, message)
}

/// The same, under a sequence that was given before.
pub(crate) fn say_as(
    on: &mut Changing<'_>,
    (connection, channel): (&Connection, &Channel),
    (sequence, expires): (u64, UnixMillis),
    content: &Content,
    message: Option<MessageId>,
) -> Result<(), Stop> {
    let said = cbor::encode(&Said {
        at: on.now,
        received: channel.received,
        content: content.clone(),
    });
    let keys = keys(on, channel)?;
    let sealed =
        Mls::of(on, connection.id).say(&keys, &channel.mls, &beside(sequence, channel), &said)?;
    send(
        on,
        (connection, channel),
        (sequence, expires),
        (sealed, Some(content)),
        message,
    )
}

/// Renews this vault's keys in a connection and tells the other vault.
pub(crate) fn renew(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &mut Channel,
) -> Result<(), Stop> {
    channel.sent = channel.sent.saturating_add(1);
    (channel.healed, channel.worn, channel.renewing) = (on.now, 0, None);
    on.change.put_channel(channel)?;
    let (keys, sequence) = (keys(on, channel)?, channel.sent);
    let commit =
        Mls::of(on, connection.id).renew(&keys, &channel.mls, &beside(sequence, channel))?;
    let place = (sequence, on.now.plus(limits::DELIVERY_TIME));
    send(on, (connection, channel), place, (commit, None), None)
}

fn send(
    on: &mut Changing<'_>,
    (connection, channel): (&Connection, &Channel),
    (sequence, expires): (u64, UnixMillis),
    (message_bytes, content): (Vec<u8>, Option<&Content>),
    message: Option<MessageId>,
) -> Result<(), Stop> {
    let home = Known::decode(&connection.home)?;
    let address = Address {
        sequence: Some(sequence),
        expires: Some(expires),
        message,
        said: content.map(|content| Secret::new(cbor::encode(content))),
        ..Address::of(connection, &home)
    };
    let talk = Talk {
        connection: connection.id,
        generation: channel.generation,
        sequence,
        message: message_bytes,
    };
    on.post(address, &Parcel::Talk(talk))
}
