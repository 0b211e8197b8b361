//! Steps towards a new group of a connection, as they are stated: signed, sealed, and in the outbox.

use vettid_crypto::sign::Signature;
use vettid_crypto::{Label, ReplyKey, SecretBytes, seal};
use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_wire::cbor;
use vettid_wire::content::{Parcel, Resume, Sealed, Signed, Step};
use vettid_wire::home::Home;
use vettid_wire::refusal::Code;

use super::post::Address;
use super::{Known, known, place};
use crate::effect::Changing;
use crate::stop::Stop;

/// States a step and puts it into the outbox, in the place of an earlier one.
pub(super) fn state(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &mut Channel,
    step: Step,
) -> Result<(), Stop> {
    let (_, home) = place::here(on)?;
    channel.stated = on.now.max(channel.stated.plus(1));
    on.change.put_channel(channel)?;
    let core = cbor::encode(&Resume {
        identity: cbor::encode(&crate::identity::chain(**on.change)?),
        home,
        at: channel.stated,
        step,
    });
    let identity = on.change.identity_key()?.ok_or(Code::Internal)?;
    let side = [u8::from(connection.inviter)];
    let parts: &[&[u8]] = &[&connection.id.0, &side, &core];
    let signature = identity.sign(Label::Reconnect, parts).0;
    let signed = cbor::encode(&Signed { core, signature });
    let context: &[&[u8]] = &[&connection.id.0, &side];
    let bytes = seal::seal(
        &key(channel)?,
        Label::Reconnect,
        context,
        &signed,
        on.entropy,
    );
    let kept = on
        .change
        .connection(&connection.id)?
        .ok_or(Code::Internal)?;
    let home = Known::decode(&kept.home)?;
    on.withdraw_unsequenced(&connection.id)?;
    let parcel = Parcel::Resume(Sealed {
        connection: connection.id,
        bytes,
    });
    on.post(Address::of(&kept, &home), &parcel)
}

/// Whether the step that this vault has stated last was not taken yet. Where the other vault's node keeps
/// it, it is handed on again, as the same delivery: another one would only fill that vault's mailbox.
pub(super) fn is_on_its_way(on: &mut Changing<'_>, connection: &Connection) -> Result<bool, Stop> {
    for entry in on.change.outgoing_on(&connection.id)? {
        if entry.outgoing.sequence.is_some() || entry.again {
            continue;
        }
        let body = on.change.body(entry.outgoing.body)?;
        if matches!(cbor::decode(&body), Ok(Parcel::Resume(_))) {
            if entry.stored {
                on.hand_on_again(&entry)?;
            }
            return Ok(true);
        }
    }
    Ok(false)
}

/// A step of the other vault, and its home; none for what it has not stated.
pub(super) fn open(
    on: &Changing<'_>,
    connection: &Connection,
    channel: &Channel,
    sealed: &[u8],
) -> Option<(Resume, Home)> {
    let side = [u8::from(!connection.inviter)];
    let context: &[&[u8]] = &[&connection.id.0, &side];
    let plain = seal::open(&key(channel).ok()?, Label::Reconnect, context, sealed).ok()?;
    let signed: Signed = cbor::decode(&plain).ok()?;
    let resume: Resume = cbor::decode(&signed.core).ok()?;
    let parts: &[&[u8]] = &[&connection.id.0, &side, &signed.core];
    known::speaks_for(&resume.identity, &connection.vault)?
        .verify(Label::Reconnect, parts, &Signature(signed.signature))
        .ok()?;
    // An identity that was rotated since is somebody else's now.
    if known::rotations(&resume.identity) < channel.rotations {
        return None;
    }
    let home = known::open_home(&resume.home, &connection.vault, on.now)?;
    Some((resume, home))
}

fn key(channel: &Channel) -> Result<ReplyKey, Stop> {
    let key = channel
        .resume
        .expose(|key| key.try_into().ok().map(ReplyKey::from_bytes));
    key.ok_or_else(|| Code::Internal.into())
}
