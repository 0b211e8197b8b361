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

/// Where something that is said in a group of two has its place: behind what its sender has said before,
/// and nothing else. A sender that was restored says other things under the same sequences, with
/// other marks, so that neither what it says nor what it hears of it is taken for what was said before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) sequence: u64,
    /// Mark of what its sender has said before it; zeros for the first.
    pub(crate) after: [u8; 8],
    pub(crate) mark: [u8; 8],
}

impl Link {
    /// The next of this side's.
    fn next(on: &mut Changing<'_>, channel: &mut Channel) -> Self {
        let mut mark = [0; 8];
        on.entropy.fill(&mut mark);
        let after = std::mem::replace(&mut channel.marked, mark);
        channel.sent = channel.sent.saturating_add(1);
        Self {
            sequence: channel.sent,
            after,
            mark,
        }
    }

    /// The place of something that was said.
    pub(crate) const fn of(talk: &Talk) -> Self {
        Self {
            sequence: talk.sequence,
            after: talk.after,
            mark: talk.mark,
        }
    }

    /// What goes with a message in the clear, and is authenticated: its place, and the mark of what its
    /// sender has applied last of the other side's.
    fn beside(&self, channel: &Channel) -> Vec<u8> {
        let sequence = self.sequence.to_be_bytes();
        [sequence, channel.heard, self.after, self.mark].concat()
    }
}

/// The place, and the mark of what was applied last, that go with a message.
pub(crate) fn from_beside(aad: &[u8]) -> Option<(Link, [u8; 8])> {
    let ([sequence, heard, after, mark], []) = aad.as_chunks::<8>() else {
        return None;
    };
    let link = Link {
        sequence: u64::from_be_bytes(*sequence),
        after: *after,
        mark: *mark,
    };
    Some((link, *heard))
}

/// What tells something that came from anything else under the same delivery.
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
    let link = Link::next(on, &mut channel);
    channel.worn = channel.worn.saturating_add(u64::from(wears(content)));
    channel.owed = None;
    on.change.put_channel(&channel)?;
    let place = (link, expires);
    say_as(on, (&connection, &channel), place, content, message)
}

/// The same, in a place that was given before.
pub(crate) fn say_as(
    on: &mut Changing<'_>,
    (connection, channel): (&Connection, &Channel),
    (link, expires): (Link, UnixMillis),
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
        Mls::of(on, connection.id).say(&keys, &channel.mls, &link.beside(channel), &said)?;
    send(
        on,
        (connection, channel),
        (link, expires),
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
    let link = Link::next(on, channel);
    (channel.healed, channel.worn, channel.renewing) = (on.now, 0, None);
    on.change.put_channel(channel)?;
    let keys = keys(on, channel)?;
    let commit = Mls::of(on, connection.id).renew(&keys, &channel.mls, &link.beside(channel))?;
    let place = (link, on.now.plus(limits::DELIVERY_TIME));
    send(on, (connection, channel), place, (commit, None), None)
}

fn send(
    on: &mut Changing<'_>,
    (connection, channel): (&Connection, &Channel),
    (link, expires): (Link, UnixMillis),
    (message_bytes, content): (Vec<u8>, Option<&Content>),
    message: Option<MessageId>,
) -> Result<(), Stop> {
    let home = Known::decode(&connection.home)?;
    let address = Address {
        sequence: Some(link.sequence),
        expires: Some(expires),
        message,
        said: content.map(|content| Secret::new(cbor::encode(content))),
        ..Address::of(connection, &home)
    };
    let talk = Talk {
        connection: connection.id,
        generation: channel.generation,
        sequence: link.sequence,
        message: message_bytes,
        after: link.after,
        mark: link.mark,
    };
    on.post(address, &Parcel::Talk(talk))
}
