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
//!
//! The two vaults need not be open at the same time. So a key package is kept until its welcome has
//! come, and the inviting vault makes one group for each, however often it hears of it: it answers
//! with the welcome that it has. A package whose welcome has arrived is of no more use. Whoever states
//! it again was restored and is told so, or stated it before the welcome came and need not care.

use vettid_crypto::digest;
use vettid_crypto::sign::SigningKey;
use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_wire::content::{Content, Step};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::Code;
use vettid_wire::time::{DAY, MINUTE, SECOND, UnixMillis};
use vettid_wire::{Secret, cbor, limits};

use super::meeting::invited;
use super::progress::{Founded, Pending};
use super::receive::Verdict;
use super::{Known, channel, known, statement};
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
    match connection.inviter {
        true => ask_for_package(on, connection, channel)?,
        false => hand_over(on, connection, channel)?,
    }
    Ok(Verdict::Later)
}

fn ask_for_package(
    on: &mut Changing<'_>,
    connection: &Connection,
    mut channel: Channel,
) -> Result<(), Stop> {
    let asks = channel.pending.is_none();
    if asks && statement::is_on_its_way(on, connection)? {
        return Ok(());
    }
    // The group that was made last is of no use, so its welcome is not either.
    channel.pending = None;
    statement::state(on, connection, &mut channel, Step::Ask)
}

/// Hands over the key package that is to be answered, a new one if there is none.
fn hand_over(
    on: &mut Changing<'_>,
    connection: &Connection,
    mut channel: Channel,
) -> Result<(), Stop> {
    let package = match Pending::of(channel.pending.as_ref()) {
        Some(_) if statement::is_on_its_way(on, connection)? => return Ok(()),
        Some(pending) => pending.package,
        None => package(on, &mut channel)?,
    };
    let generation = channel.generation;
    let step = Step::KeyPackage {
        package,
        generation,
    };
    statement::state(on, connection, &mut channel, step)
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
    let Some((resume, home)) = statement::open(on, &connection, &channel, sealed) else {
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
    let repeats = is_founded(&channel, &resume.step) && statement::is_on_its_way(on, &connection)?;
    let rests = channel.served.is_some_and(|at| on.now.since(at) < REST);
    if rests && !welcomes && !repeats {
        return Ok(Verdict::Later);
    }
    channel.resumed = resume.at;
    channel.rotations = channel.rotations.max(known::rotations(&resume.identity));
    channel.served = (!welcomes && !repeats).then_some(on.now).or(channel.served);
    on.change.put_channel(&channel)?;
    if Known::decode(&connection.home)?.is_older_than(&home) {
        connection.home = cbor::encode(&Known::record(&home, &resume.home));
        on.change.put_connection(&connection)?;
    }
    match repeats {
        true => Ok(Verdict::Taken),
        false => take(on, &connection, channel, resume.step),
    }
}

/// Whether a step hands over the key package that the inviter has made the newest group for.
fn is_founded(channel: &Channel, step: &Step) -> bool {
    let founded = Founded::of(channel.pending.as_ref());
    matches!((step, founded), (Step::KeyPackage { package, .. }, Some(founded))
        if digest::sha256(package) == founded.package)
}

fn take(
    on: &mut Changing<'_>,
    connection: &Connection,
    mut channel: Channel,
    step: Step,
) -> Result<Verdict, Stop> {
    let is_used = connection.inviter && is_founded(&channel, &step);
    match (step, connection.inviter) {
        (Step::Ask, false) => {
            channel.asked = Some(on.now);
            hand_over(on, connection, channel)?;
        }
        (Step::KeyPackage { package, .. }, true) if is_used => {
            let package = digest::sha256(&package);
            statement::state(on, connection, &mut channel, Step::Used { package })?;
        }
        (
            Step::KeyPackage {
                package,
                generation,
            },
            true,
        ) => {
            refound(on, connection, package, generation)?;
        }
        (
            Step::Welcome {
                welcome,
                package,
                generation,
            },
            false,
        ) => rejoin(on, connection, &welcome, (package, generation))?,
        (Step::Used { package }, false) => {
            if awaited(&channel, &package).is_some() {
                channel.pending = None;
                hand_over(on, connection, channel)?;
            }
        }
        _ => return Ok(Verdict::Never),
    }
    Ok(Verdict::Taken)
}

/// What goes with a key package, if that is the one that is to be answered.
fn awaited(channel: &Channel, package: &[u8; 32]) -> Option<Pending> {
    let pending = Pending::of(channel.pending.as_ref())?;
    (digest::sha256(&pending.package) == *package).then_some(pending)
}

/// Makes a key package for the new group, and keeps what it goes with.
fn package(on: &mut Changing<'_>, channel: &mut Channel) -> Result<Vec<u8>, Stop> {
    let keys = Keys {
        vault: on.vault,
        signer: SigningKey::generate(on.entropy),
    };
    let mls = Mls::of(on, channel.connection);
    let package = mls.key_package(&keys, Suite::Hybrid)?;
    let pending = Pending {
        signer: seed(&keys),
        package: package.clone(),
    };
    channel.pending = Some(Secret::new(cbor::encode(&pending)));
    on.change.put_channel(channel)?;
    Ok(package)
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
    let package = digest::sha256(&package);
    channel.pending = Some(Secret::new(cbor::encode(&Founded { package })));
    let step = Step::Welcome {
        welcome,
        package,
        generation: channel.generation,
    };
    statement::state(on, connection, &mut channel, step)?;
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
    let Some(pending) = awaited(&channel, &package) else {
        return Ok(());
    };
    let change = on.change;
    let joined = change.attempt(|| {
        let joined = invited::join(on, connection, &pending.signer, welcome)?;
        joined.ok_or_else(|| Stop::from(Code::InvalidValue))
    });
    let (id, peer) = match joined {
        Ok(joined) => joined,
        Err(Stop::Lost) => return Err(Stop::Lost),
        Err(Stop::Refused(_)) => {
            // No other welcome comes for it, so it is of no use any more.
            channel.pending = None;
            on.change.put_channel(&channel)?;
            return ask(on, connection, channel).map(drop);
        }
    };
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
    on.change.remove_heard(&channel.connection)?;
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

fn seed(keys: &Keys) -> Secret {
    Secret::new(keys.signer.expose_seed(|seed| seed.to_vec()))
}

/// Pause before this vault takes another step for the other side, ms: each makes new keys.
const REST: u64 = 10 * SECOND;
/// How far ahead of this vault's clock a step may say that it is, ms.
const AHEAD: u64 = 2 * DAY;
/// Pause before this vault asks again, ms.
const PAUSE: u64 = MINUTE;
