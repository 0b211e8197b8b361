//! From the enclave to the bus: frames whose record is durable.

use async_nats::Client;
use async_nats::connection::State;
use bytes::Bytes;
use futures_util::FutureExt;
use vettid_wire::id::{DeviceRoute, SpaceId};
use vettid_wire::subject;

/// Publishes without ever waiting.
#[derive(Clone)]
pub struct OutboundFrames(Client);

impl OutboundFrames {
    /// Through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Publishes `envelope` to one device. False if the bus is away or does not keep up: the
    /// frame is dropped and the app asks again, as after any loss on the bus.
    pub fn publish(&self, space: SpaceId, device: DeviceRoute, envelope: Bytes) -> bool {
        if self.0.connection_state() != State::Connected {
            return false;
        }
        let sent = self.0.publish(subject::for_app(space, device), envelope);
        // The scheduler's fairness budget would make a queue with room look full.
        matches!(
            tokio::task::unconstrained(sent).now_or_never(),
            Some(Ok(()))
        )
    }
}
