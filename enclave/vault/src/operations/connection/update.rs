//! `connection.update`: replaces what this owner has set.

use vettid_wire::limits;
use vettid_wire::operation::connection;
use vettid_wire::refusal::Code;

use super::reply;
use crate::audit::Audit;
use crate::effect::{Again, Changing};
use crate::grant::App;
use crate::operation::{Operation, SMALL};
use crate::stop::Stop;
use crate::text;

/// Replaces alias, tags and marks of a connection. The other side learns none of it.
pub(crate) enum Update {}

impl Operation for Update {
    type Request = connection::Update;
    type Grant = App;
    type Effect = Again;
    const AUDIT: Audit = Audit::Never;
    const LIMIT: usize = 2 * SMALL;

    fn run(
        on: &mut Changing<'_>,
        _: App,
        request: connection::Update,
    ) -> Result<connection::Connection, Stop> {
        let settings = request.settings;
        if let Some(alias) = &settings.alias {
            text::line("alias", limits::ALIAS, alias)?;
        }
        text::at_most(
            "connection tags",
            limits::CONNECTION_TAGS,
            settings.tags.len(),
        )?;
        for tag in &settings.tags {
            text::line("tag name", limits::TAG_NAME, tag)?;
        }
        let mut found = on.change.connection(&request.id)?.ok_or(Code::NotFound)?;
        on.change.set_connection_tags(&request.id, &settings.tags)?;
        found.settings = settings;
        on.change.put_connection(&found)?;
        reply(on, &request.id)
    }
}
