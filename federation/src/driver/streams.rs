//! Streams that were opened, by this host or by a peer.

use std::sync::Arc;

use libp2p::swarm::ConnectionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::state::{Done, Driver};
use crate::attachment;
use crate::attachment::FetchError;
use crate::event::Event;
use crate::streams::{Inbound, Protocol};

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
            Protocol::Attest => self.on_attest(connection, stream),
            Protocol::MessageSpace => self.on_message_space(connection, stream),
            Protocol::Roster => self.serve_roster(stream),
            Protocol::Attachment => {
                // The peer sees a broken stream and tries again later.
                if let Some(permits) = self.serving(connection) {
                    let events = self.events.clone();
                    let serve = attachment::serve(stream, peer.to_bytes(), events, permits);
                    tokio::spawn(serve);
                }
            }
        }
    }

    /// A place among the streams that are served at once, and among those of the peer's node: it
    /// may have several hosts.
    fn serving(&mut self, id: ConnectionId) -> Option<[OwnedSemaphorePermit; 2]> {
        let node = self.connections.get(&id)?.admitted?.node;
        let most = self.config.limits.attachments_per_node;
        if !self.serving_to.contains_key(&node) {
            self.serving_to
                .retain(|_, places| places.available_permits() < most);
        }
        let places = self.serving_to.entry(node);
        let places = places.or_insert_with(|| Arc::new(Semaphore::new(most)));
        let of_node = places.clone().try_acquire_owned().ok()?;
        let of_all = self.serving.clone().try_acquire_owned().ok()?;
        Some([of_node, of_all])
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
