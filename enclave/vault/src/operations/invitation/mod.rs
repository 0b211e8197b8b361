//! `invitation.*`.

mod accept;
mod cancel;
mod create;
mod inspect;
mod list;

pub(crate) use accept::Accept;
pub(crate) use cancel::Cancel;
pub(crate) use create::Create;
pub(crate) use inspect::Inspect;
pub(crate) use list::List;

use vettid_wire::Secret;
use vettid_wire::connect::ConnectInvitation;
use vettid_wire::refusal::Code;

use crate::stop::Stop;

/// Bytes of a card in a request: fields of the largest size.
const CARD: usize = 16 * 1024;

/// Reads a link.
fn parse(link: &Secret) -> Result<ConnectInvitation, Stop> {
    link.expose(|link| {
        let link = std::str::from_utf8(link).map_err(|_| Code::InvitationInvalid)?;
        ConnectInvitation::parse(link).map_err(|_| Code::InvitationInvalid.into())
    })
}
