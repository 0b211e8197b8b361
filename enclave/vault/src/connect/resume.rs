//! A new MLS group for a connection whose keys were lost on one side: it was restored to an older
//! state, or the other one was.
//!
//! ```text
//!  inviting                                   invited
//!     ── Ask ──▶                                            (only if it is the one that notices)
//!     ◀── KeyPackage ──
//!     ── Welcome ──▶
//!     ── everything that was not acknowledged, in the new group ⇄
//! ```
//!
//! Each step is signed by the vault's identity and sealed under a key that the connection keeps from
//! its beginning. A step counts only if it is later than the one before it.

use vettid_crypto::sign::{Signature, SigningKey};
use vettid_crypto::{Label, ReplyKey, SecretBytes, digest, seal};
use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_wire::content::{Content, Parcel, Resume, Sealed, Signed, Step};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::Code;
use vettid_wire::time::{DAY, MINUTE, SECOND, UnixMillis};
use vettid_wire::{Secret, cbor, limits};

use super::meeting::invited;
use super::post::Address;
use super::progress::Pending;
use super::receive::Verdict;
use super::{Known, channel, known, place};
use crate::effect::Changing;
use crate::mls::{Keys, Mls, Suite};
use crate::stop::Stop;

/// Asks for a new group, unless this vault has just done so. What could not be opened is to come
/// again until then.
pub(crate) fn ask(
    on: &mut Changing<'_>,
    connection: &Connection,
    mut channel: Channel,
) -> Result<Verdict, Stop> {
    if has_just_asked(&channel, on.now) || on.change.home()?.is_none() {
        return Ok(Verdict::Later);
    }
    channel.asked = Some(on.now);
    on.change.put_channel(&channel)?;
    let step = match connection.inviter {
        true => Step::Ask,
        false => package(on, &mut channel)?,
    };
    state(on, connection, &mut channel, step)?;
    Ok(Verdict::Later)
}

fn has_just_asked(channel: &Channel, now: UnixMillis) -> bool {
    channel.asked.is_some_and(|at| now.since(at) < PAUSE)
}

/// A step of the other side has come.
pub(crate) fn heard(
    on: &mut Changing<'_>,
    mut connection: Connection,
    sealed: &[u8],
) -> Result<Verdict, Stop> {
    let Some(mut channel) = on.change.channel(&connection.id)? else {
        return Ok(Verdict::Never);
    };
    let Some((resume, home)) = open(on, &connection, &channel, sealed) else {
        return Ok(Verdict::Never);
    };
    if resume.at > on.now.plus(AHEAD) {
        // It would make every later step of the true vault count for nothing.
        return Ok(Verdict::Never);
    }
    if resume.at <= channel.resumed {
        return Ok(Verdict::Taken);
    }
    let welcomes = matches!(resume.step, Step::Welcome { .. });
    if !welcomes && channel.served.is_some_and(|at| on.now.since(at) < REST) {
        return Ok(Verdict::Later);
    }
    channel.resumed = resume.at;
    channel.rotations = channel.rotations.max(known::rotations(&resume.identity));
    channel.served = (!welcomes).then_some(on.now).or(channel.served);
    on.change.put_channel(&channel)?;
    if Known::decode(&connection.home)?.is_older_than(&home) {
        connection.home = cbor::encode(&Known::record(&home, &resume.home));
        on.change.put_connection(&connection)?;
    }
    match (resume.step, connection.inviter) {
        (Step::Ask, false) => {
            // A second key package would make the first one, which is on its way, count no more.
            if channel.pending.is_none() || !has_just_asked(&channel, on.now) {
                channel.asked = Some(on.now);
                let step = package(on, &mut channel)?;
                state(on, &connection, &mut channel, step)?;
            }
        }
        (
            Step::KeyPackage {
                package,
                generation,
            },
            true,
        ) => {
            refound(on, &connection, package, generation)?;
        }
        (
            Step::Welcome {
                welcome,
                package,
                generation,
            },
            false,
        ) => rejoin(on, &connection, &welcome, (package, generation))?,
        _ => return Ok(Verdict::Never),
    }
    Ok(Verdict::Taken)
}

/// Makes a key package for the new group, and keeps what it goes with.
fn package(on: &mut Changing<'_>, channel: &mut Channel) -> Result<Step, Stop> {
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    let mls = Mls::of(on, channel.connection);
    let package = mls.key_package(&keys, Suite::Hybrid)?;
    let pending = Pending {
        signer: seed(&keys),
        package: digest::sha256(&package),
    };
    channel.pending = Some(Secret::new(cbor::encode(&pending)));
    on.change.put_channel(channel)?;
    Ok(Step::KeyPackage {
        package,
        generation: channel.generation,
    })
}

/// The inviter makes the new group and says again what was not acknowledged.
fn refound(
    on: &mut Changing<'_>,
    connection: &Connection,
    package: Vec<u8>,
    generation: u64,
) -> Result<(), Stop> {
    let Some(mut channel) = on.change.channel(&connection.id)? else {
        return Ok(());
    };
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    let mut id = [0; 16];
    on.entropy.fill(&mut id);
    let mls = Mls::of(on, connection.id);
    let peer = mls.owner_of(&package, Suite::Hybrid);
    let peer = peer.map_err(|_| Code::InvalidValue)?;
    if peer.vault != connection.vault {
        return Err(Code::InvalidValue.into());
    }
    mls.forget(&channel.mls)?;
    mls.found(&keys, &id, Suite::Hybrid)?;
    let welcome = mls.add(&keys, &id, &[&package])?.welcome;
    channel.generation = channel.generation.max(generation).saturating_add(1);
    replace(on, connection, &mut channel, (id, seed(&keys), peer.key))?;
    let step = Step::Welcome {
        welcome,
        package: digest::sha256(&package),
        generation: channel.generation,
    };
    state(on, connection, &mut channel, step)?;
    say_again(on, connection)
}

/// The other side joins it, and does the same.
fn rejoin(
    on: &mut Changing<'_>,
    connection: &Connection,
    welcome: &[u8],
    (package, generation): ([u8; 32], u64),
) -> Result<(), Stop> {
    let Some(mut channel) = on.change.channel(&connection.id)? else {
        return Ok(());
    };
    let pending = channel.pending.as_ref();
    let pending =
        pending.and_then(|bytes| bytes.expose(|it| cbor::decode_exact::<Pending>(it).ok()));
    let Some(pending) = pending.filter(|pending| pending.package == package) else {
        return Ok(());
    };
    let joined = invited::join(on, connection, &pending.signer, welcome)?;
    let (id, peer) = joined.ok_or(Code::InvalidValue)?;
    Mls::of(on, connection.id).forget(&channel.mls)?;
    channel.generation = channel.generation.max(generation);
    replace(on, connection, &mut channel, (id, pending.signer, peer))?;
    on.withdraw_unsequenced(&connection.id)?;
    say_again(on, connection)
}

fn replace(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &mut Channel,
    (mls, signer, peer): ([u8; 16], Secret, [u8; 32]),
) -> Result<(), Stop> {
    *channel = Channel {
        mls,
        signer,
        peer,
        sent: 0,
        marked: [0; 8],
        received: 0,
        heard: [0; 8],
        gap: None,
        owed: None,
        healed: on.now,
        worn: 0,
        renewing: None,
        asked: Some(on.now),
        pending: None,
        held: None,
        ..channel.clone()
    };
    on.change.put_channel(channel)?;
    // Whoever has an old copy of the other vault could have done this. The digits of the meeting say
    // nothing of the new group: they are shown no more, so that nobody takes them for a proof.
    on.change.put_connection(&Connection {
        safety_code: None,
        verified: None,
        ..connection.clone()
    })?;
    // What waits in the group that is replaced is with the other vault too, which says it again.
    on.change.remove_early(&channel.connection)?;
    on.tell_of(
        Kind::ConnectionHealed,
        &Conversation::Connection(channel.connection),
    )
}

/// Lets everything be said again, in order, that the other vault has not acknowledged. It is sealed
/// once this is committed: one record would not hold it all.
fn say_again(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    on.change.mark_again(&connection.id)?;
    if matches!(connection.state, State::Approved | State::Active) {
        // The other vault may be in a state before this was said.
        let expires = on.now.plus(limits::DELIVERY_TIME);
        channel::say_now(on, &connection.id, &Content::Approve, None, expires)?;
    }
    Ok(())
}

/// States a step and puts it into the outbox, in the place of an earlier one.
fn state(
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

fn open(
    on: &Changing<'_>,
    connection: &Connection,
    channel: &Channel,
    sealed: &[u8],
) -> Option<(Resume, vettid_wire::home::Home)> {
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

fn seed(keys: &Keys) -> Secret {
    Secret::new(keys.signer.expose_seed(|seed| seed.to_vec()))
}

/// Pause before this vault takes another step for the other side, ms: each makes new keys.
const REST: u64 = 10 * SECOND;
/// How far ahead of this vault's clock a step may say that it is, ms.
const AHEAD: u64 = 2 * DAY;
/// Pause before this vault asks again, ms.
const PAUSE: u64 = MINUTE;
