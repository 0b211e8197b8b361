//! `connection.list`: connections, newest activity first.

use vettid_wire::operation::connection::{self, Connections};

use crate::audit::Audit;
use crate::connect::shown::shown;
use crate::effect::{Reading, Reads};
use crate::grant::Device;
use crate::operation::Operation;
use crate::stop::Stop;

/// A page of connections.
pub(crate) enum List {}

impl Operation for List {
    type Request = connection::List;
    type Grant = Device;
    type Effect = Reads;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Reading<'_>,
        _: Device,
        request: connection::List,
    ) -> Result<Connections, Stop> {
        let view = on.view();
        let (found, more) = view.connections(&request)?;
        let connections = found.into_iter().map(|found| shown(view, found));
        Ok(Connections {
            connections: connections.collect::<Result<_, _>>()?,
            more,
        })
    }
}
