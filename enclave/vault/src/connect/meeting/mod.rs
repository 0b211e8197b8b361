//! How two vaults agree on keys (docs/protocol/connections.md).
//!
//! ```text
//!  invited ── Hello ──▶ inviting     ExpectOffer
//!          ◀── Offer ──                                 ExpectAnswer
//!          ── Answer ──▶             ExpectWelcome
//!          ◀── Welcome ──            Agreed             Agreed
//! ```
//!
//! A step that comes again gets what it got before. One that fits no state is never taken, and
//! changes nothing: whoever knows a connection's id and no key of it can do no harm.

pub(crate) mod invited;
pub(crate) mod inviting;
mod statement;

use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_wire::Secret;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::UnixMillis;

use super::Progress;
use super::progress::Welcomed;
use crate::effect::Changing;
use crate::stop::Stop;

/// Keys that both sides have agreed on.
pub(crate) struct Agreed {
    /// Id of the MLS group.
    pub(crate) mls: [u8; 16],
    /// Seed of this vault's signature key.
    pub(crate) signer: Secret,
    /// The other vault's.
    pub(crate) peer: [u8; 32],
    /// How often its identity was rotated.
    pub(crate) rotations: u64,
    /// Key under which either side asks for a new group.
    pub(crate) resume: Secret,
    /// Digits to compare.
    pub(crate) code: String,
    /// What was answered, to repeat it.
    pub(crate) welcomed: Option<Welcomed>,
}

/// Keys are agreed: both owners have to decide.
pub(crate) fn agree(
    on: &mut Changing<'_>,
    mut connection: Connection,
    agreed: Agreed,
) -> Result<(), Stop> {
    let told = on.change.home()?.map_or(0, |home| home.sequence);
    on.change.put_channel(&Channel {
        connection: connection.id,
        mls: agreed.mls,
        generation: 0,
        signer: agreed.signer,
        peer: agreed.peer,
        rotations: agreed.rotations,
        resume: agreed.resume,
        sent: 0,
        marked: [0; 8],
        received: 0,
        heard: [0; 8],
        gap: None,
        owed: None,
        healed: on.now,
        worn: 0,
        renewing: None,
        asked: None,
        served: None,
        stated: UnixMillis(0),
        resumed: UnixMillis(0),
        told,
        pending: None,
        held: None,
    })?;
    connection.safety_code = Some(agreed.code);
    connection.state = State::Pending;
    connection.progress = Progress::Agreed {
        welcomed: agreed.welcomed,
        approved: false,
    }
    .keep();
    on.change.put_connection(&connection)?;
    on.tell_of(
        Kind::ConnectionPending,
        &Conversation::Connection(connection.id),
    )
}
