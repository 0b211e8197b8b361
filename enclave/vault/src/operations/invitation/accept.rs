//! `invitation.accept`: begins a connection.

use vettid_crypto::digest;
use vettid_wire::limits;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::invitation::{self, Accepted};
use vettid_wire::refusal::{Code, Refusal};

use super::{CARD, parse};
use crate::audit::Audit;
use crate::connect::meeting::invited;
use crate::connect::{card, place};
use crate::effect::{Changing, Once};
use crate::grant::App;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;
use crate::text;

/// Begins a connection with whoever made a link. It becomes active when both owners have approved.
pub(crate) enum Accept {}

impl Operation for Accept {
    type Request = invitation::Accept;
    type Grant = App;
    type Effect = Once;
    const AUDIT: Audit = Audit::Always;
    const LIMIT: usize = CARD + SMALL;

    fn run(on: &mut Changing<'_>, _: App, request: invitation::Accept) -> Result<Accepted, Stop> {
        card::check(&request.card)?;
        if let Some(alias) = &request.alias {
            text::line("alias", limits::ALIAS, alias)?;
        }
        let link = parse(&request.link)?;
        let (here, _) = place::here(on)?;
        if link.network != here.network {
            return Err(Code::ForeignNetwork.into());
        }
        if link.vault == on.vault {
            return Err(Code::OwnInvitation.into());
        }
        let token = link.token.expose(digest::sha256);
        if let Some(connection) = on.change.connection_of_token(&token)? {
            return Err(Refusal::accepted(connection).into());
        }
        if link.expires <= on.now {
            return Err(Code::LinkExpired.into());
        }
        let with = on.change.connections_with(&link.vault)?;
        if with.iter().any(|(_, state)| *state == State::Blocked) {
            return Err(Code::OwnerBlocked.into());
        }
        let count = usize::try_from(on.change.count_connections()?).unwrap_or(usize::MAX);
        if count >= limits::CONNECTIONS {
            let (max, size) = (limits::CONNECTIONS, count.saturating_add(1));
            return Err(Refusal::limit("connections", max, size).into());
        }
        let connection = invited::hello(on, &link, request.card, request.alias)?;
        on.about(&connection.0);
        Ok(Accepted { connection })
    }
}
