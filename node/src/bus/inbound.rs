//! From the bus to the enclave: what apps published, checked for form alone.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures_util::Stream;
use vettid_wire::envelope::Envelope;
use vettid_wire::id::SpaceId;
use vettid_wire::subject;

use super::BusError;

/// One envelope of an app, as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Inbound {
    /// The space it was published to.
    pub space: SpaceId,
    /// The whole envelope, a part of the client's read buffer: nothing was copied.
    pub envelope: Bytes,
}

/// The node's subscription to every vault's subject.
pub struct InboundFrames(Subscriber);

impl InboundFrames {
    /// Subscribes. The subscription outlives broken connections.
    pub async fn subscribe(client: &Client) -> Result<Self, BusError> {
        let subscriber = client.subscribe(subject::EVERY_VAULT).await;
        subscriber.map(Self).map_err(|_| BusError::Unreachable)
    }

    /// Moves what has arrived to `batch`, up to `limit`; waits for the first. False once the
    /// client is closed. Messages that are no envelopes are dropped and counted in `malformed`.
    ///
    /// Never loses a message when its future is dropped.
    pub fn poll_batch(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Vec<Inbound>,
        limit: usize,
        malformed: &mut u64,
    ) -> Poll<bool> {
        loop {
            match Pin::new(&mut self.0).poll_next(context) {
                Poll::Ready(None) => return Poll::Ready(false),
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(true),
                Poll::Ready(Some(message)) => match accept(message) {
                    Some(inbound) => batch.push(inbound),
                    None => *malformed = malformed.saturating_add(1),
                },
            }
            if batch.len() >= limit {
                return Poll::Ready(true);
            }
        }
    }
}

fn accept(message: Message) -> Option<Inbound> {
    let space = subject::space_of(&message.subject)?;
    Envelope::parse(&message.payload).ok()?;
    Some(Inbound {
        space,
        envelope: message.payload,
    })
}
