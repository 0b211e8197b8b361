//! How a device reaches a node: its HTTP API, and its bus.

mod dialer;
mod http;
mod nats;
mod pace;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use vettid_wire::http::{Credentials, Enroll, Renew};

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

    /// Connects to the bus and subscribes to the device's subject. `pass` gives access now and at
    /// every reconnect.
    fn connect(
        &self,
        pass: Arc<Pass<Self>>,
    ) -> impl Future<Output = Result<Self::Transport, Error>> + Send;
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
    /// The connection broke; envelopes may be missing. It is being made again.
    Interrupted,
    /// The connection stands again.
    Resumed,
}
