//! What comes from other vaults.

use vettid_store::rows::connection::Connection;
use vettid_store::rows::taken::Came;
use vettid_wire::content::{Parcel, Sealed};
use vettid_wire::id::DeliveryId;
use vettid_wire::operation::connection::State;
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::{cbor, limits};

use super::meeting::{invited, inviting};
use super::{channel, flow, hear, resume};
use crate::Inbound;
use crate::circle::{self, Held};
use crate::effect::Changing;
use crate::stop::Stop;

/// What becomes of something that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It was applied, now or before.
    Taken,
    /// It is to look as if it were applied, and leaves nothing.
    Ignored,
    /// It is kept, and will be applied when what is missing before it has come.
    Waits,
    /// It can be taken later.
    Later,
    /// There is no room for it now.
    Full,
    /// It will never be taken.
    Never,
}

impl Verdict {
    /// As its sender is told.
    pub(crate) const fn told(self) -> Delivered {
        match self {
            Self::Taken | Self::Ignored => Delivered::Applied,
            Self::Waits => Delivered::Stored,
            Self::Later => Delivered::Refused(NotTaken::Busy),
            Self::Full => Delivered::Refused(NotTaken::Full),
            Self::Never => Delivered::Refused(NotTaken::Never),
        }
    }
}

/// The parcel in something that came; none for bytes that are none.
pub(crate) fn parcel(inbound: &Inbound<'_>) -> Option<Parcel> {
    if inbound.body.len() > limits::DELIVERY {
        return None;
    }
    cbor::decode(inbound.body).ok()
}

/// Applies something that came; `held` is what in groups was told to come again. An error means that
/// nothing of it counts; what `held` has noted stays, which costs time at most.
pub(crate) fn receive(
    on: &mut Changing<'_>,
    held: &mut Held,
    inbound: &Inbound<'_>,
    parcel: &Parcel,
) -> Result<Verdict, Stop> {
    let (about, came) = (flow::conversation(parcel), came(&inbound.delivery, parcel));
    if on.change.is_taken(&about, &came)? {
        return Ok(Verdict::Taken);
    }
    let verdict = match parcel {
        Parcel::Hello(hello) => inviting::greeted(on, hello)?,
        Parcel::Offer(offer) => with(on, &offer.connection, |on, connection| {
            invited::offered(on, connection, offer)
        })?,
        Parcel::Answer(sealed) => with_sealed(on, sealed, inviting::answered)?,
        Parcel::Welcome(sealed) => with_sealed(on, sealed, invited::welcomed)?,
        Parcel::Resume(sealed) => with_sealed(on, sealed, resume::heard)?,
        Parcel::Talk(talk) => hear::talk(on, &inbound.delivery, talk)?,
        Parcel::Circle(circle) => circle::heard(on, held, (circle, &came))?,
    };
    if verdict == Verdict::Taken {
        on.change.take(&about, &came, on.now)?;
    }
    Ok(verdict)
}

/// What tells a parcel from everything else that has come.
pub(crate) fn came(delivery: &DeliveryId, parcel: &Parcel) -> Came {
    let what = match parcel {
        Parcel::Hello(hello) => &hello.home,
        Parcel::Offer(offer) => &offer.key,
        Parcel::Answer(sealed) | Parcel::Welcome(sealed) | Parcel::Resume(sealed) => &sealed.bytes,
        Parcel::Talk(talk) => &talk.message,
        Parcel::Circle(circle) => &circle.message,
    };
    Came {
        delivery: *delivery,
        tag: channel::tag(what),
    }
}

fn with_sealed(
    on: &mut Changing<'_>,
    sealed: &Sealed,
    then: impl FnOnce(&mut Changing<'_>, Connection, &[u8]) -> Result<Verdict, Stop>,
) -> Result<Verdict, Stop> {
    with(on, &sealed.connection, |on, connection| {
        then(on, connection, &sealed.bytes)
    })
}

/// Finds the connection that something is about. To a blocked vault everything is answered as if it
/// were taken.
fn with(
    on: &mut Changing<'_>,
    id: &vettid_wire::id::ConnectionId,
    then: impl FnOnce(&mut Changing<'_>, Connection) -> Result<Verdict, Stop>,
) -> Result<Verdict, Stop> {
    match on.change.connection(id)? {
        None => Ok(Verdict::Never),
        Some(connection) if connection.state == State::Blocked => Ok(Verdict::Ignored),
        Some(connection) => then(on, connection),
    }
}
