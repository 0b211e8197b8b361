//! `invitation.inspect`: what a link says, before anything is done with it.

use vettid_wire::operation::connection;
use vettid_wire::operation::invitation::{self, Inspected};

use super::parse;
use crate::audit::Audit;
use crate::connect::place::Here;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// Reads a link. Nothing of it is proven, and nobody is told.
pub(crate) enum Inspect {}

impl Operation for Inspect {
    type Request = invitation::Inspect;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        request: invitation::Inspect,
    ) -> Result<Inspected, Stop> {
        let link = parse(&request.link)?;
        let view = on.view();
        let network = view.home()?.and_then(|home| Here::network_of(&home.place));
        let with = view.connections_with(&link.vault)?;
        let known = with
            .into_iter()
            .find(|(_, state)| !has_ended(*state))
            .map(|(id, _)| id);
        Ok(Inspected {
            vault: link.vault,
            node: link.home.node,
            class: link.class,
            expires: link.expires,
            foreign: network != Some(link.network),
            own: link.vault == on.header.vault,
            known,
        })
    }
}

const fn has_ended(state: connection::State) -> bool {
    matches!(
        state,
        connection::State::Declined | connection::State::Revoked
    )
}
