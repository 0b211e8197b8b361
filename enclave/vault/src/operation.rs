//! What an operation is.

use vettid_store::Room;
use vettid_wire::request;

use crate::audit::Audit;
use crate::effect::Effect;
use crate::grant::Grant;
use crate::stop::Stop;

/// Bytes of a body that holds ids, names and flags.
pub(crate) const SMALL: usize = 2 * 1024;

/// One operation of a vault.
pub(crate) trait Operation: Sized {
    /// Request type; it fixes name, reply, and the proof that a caller encloses.
    type Request: request::Operation;
    /// Grant that must be earned; spent by the call.
    type Grant: Grant;
    /// What it does to the vault, and so what it is run with.
    type Effect: Effect;
    /// What it leaves in the audit chain.
    const AUDIT: Audit;
    /// Most bytes of the body.
    const LIMIT: usize = SMALL;
    /// How much room it finds in the database.
    const ROOM: Room = Room::Ordinary;
    /// Whether it is there to lift a freeze of the credential.
    const WHILE_FROZEN: bool = false;

    /// Does it. The first line of every implementation names the grant.
    fn run(
        on: &mut <Self::Effect as Effect>::On<'_>,
        by: Self::Grant,
        request: Self::Request,
    ) -> Result<ReplyOf<Self>, Stop>;
}

/// Reply type of an operation.
pub(crate) type ReplyOf<O> = <<O as Operation>::Request as request::Operation>::Reply;
