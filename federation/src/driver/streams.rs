//! Streams that were opened, by this host or by a peer.

use super::state::{Done, Driver};
use crate::attachment;
use crate::attachment::FetchError;
use crate::event::Event;
use crate::streams::{Inbound, Protocol};
use vettid_wire::link::federation::Side;

impl Driver {
    /// A peer has opened a stream; its gate has let it.
    pub(super) fn on_stream(&mut self, inbound: Inbound) {
        let Inbound {
            peer,
            connection,
            protocol,
            stream,
        } = inbound;
        match protocol {
            Protocol::Attest => self.start_link(connection, stream, Side::Responder),
            Protocol::MessageSpace => self.on_message_space(connection, stream),
            Protocol::Roster => self.serve_roster(stream),
            Protocol::Attachment => {
                // The peer sees a broken stream and tries again later.
                let Ok(permit) = self.serving.clone().try_acquire_owned() else {
                    return;
                };
                let serve = attachment::serve(stream, peer.to_bytes(), self.events.clone(), permit);
                tokio::spawn(serve);
            }
        }
    }

    pub(super) fn on_done(&mut self, done: Done) {
        match done {
            Done::Fetch { reply, stream } => {
                // A caller that is gone needs no answer.
                let _ = reply.send(stream.ok_or(FetchError::Unreachable));
            }
            Done::First { connection, stream } => self.on_first(connection, stream),
            Done::Roster { file } => {
                if let Some(bytes) = file {
                    self.tell(Event::Network { bytes });
                }
            }
            Done::Second { link, stream } => self.on_second(link, stream),
        }
    }
}
