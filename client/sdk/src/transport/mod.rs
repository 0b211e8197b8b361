//! How a device reaches a node: its HTTP API, and its bus.

mod chunk;
mod dialer;
mod http;
mod nats;
mod pace;

use core::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use vettid_wire::home::HomeNode;
use vettid_wire::http::{Credentials, Enroll, Renew};
use vettid_wire::id::AttachmentId;

use crate::error::{Error, Unreachable};
use crate::pass::Pass;

pub use dialer::Dialer;
pub use nats::NatsTransport;

/// Dials nodes. [`Dialer`] does it over HTTP and NATS; tests do it in memory.
pub trait Dial: Clone + Send + Sync + 'static {
    /// One device's end of the bus.
    type Transport: Transport;

    /// `POST /v1/enroll`. A repeat with the same key gets the same answer.
    fn enroll(
        &self,
        address: &str,
        body: Enroll,
    ) -> impl Future<Output = Result<Credentials, Error>> + Send;

    /// `POST /v1/credentials`.
    fn renew(
        &self,
        address: &str,
        body: Renew,
    ) -> impl Future<Output = Result<Credentials, Error>> + Send;

    /// `PUT /v1/attachments/{id}/{index}`. A repeat is done already.
    fn store_chunk(
        &self,
        address: &str,
        request: ChunkRequest,
        sealed: Bytes,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// `GET /v1/attachments/{id}/{index}`, from behind what `sealed` holds until it has `whole`
    /// bytes. What came stays in `sealed` when it breaks off.
    fn fetch_chunk(
        &self,
        address: &str,
        request: ChunkRequest,
        from: &HomeNode,
        sealed: &mut Vec<u8>,
        whole: usize,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Connects to the bus and subscribes to the device's subject. `pass` gives access now and at
    /// every reconnect.
    fn connect(
        &self,
        pass: Arc<Pass<Self>>,
    ) -> impl Future<Output = Result<Self::Transport, Error>> + Send;
}

/// A request for one chunk of an attachment, signed by a device.
#[derive(Clone, Eq, PartialEq)]
pub struct ChunkRequest {
    /// Which attachment.
    pub id: AttachmentId,
    /// Which chunk of it.
    pub index: u32,
    /// Public NATS user key of the device.
    pub user: String,
    /// Now, Unix ms.
    pub time: u64,
    /// Signature over the method and all this, base64url without padding.
    pub signature: String,
}

impl fmt::Debug for ChunkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkRequest(..)")
    }
}

/// One device's end of the bus.
pub trait Transport: Send + 'static {
    /// Hands an envelope for the vault to the bus, in order, without a promise that it arrives.
    fn publish(
        &mut self,
        envelope: Vec<u8>,
    ) -> impl Future<Output = Result<(), Unreachable>> + Send;

    /// What happens next. Cancel-safe: nothing is lost when the future is dropped.
    fn receive(&mut self) -> impl Future<Output = Arrival> + Send;

    /// Connects anew, because the pass holds newer credentials.
    fn refresh(&mut self) -> impl Future<Output = ()> + Send;
}

/// What a transport says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// An envelope for this device.
    Envelope(Bytes),
    /// The bus is gone for good.
    Closed,
    /// Nobody at the node takes what was sent last: the bus runs without it.
    Nobody,
    /// The connection broke; envelopes may be missing. It is being made again.
    Interrupted,
    /// The connection stands again.
    Resumed,
}
