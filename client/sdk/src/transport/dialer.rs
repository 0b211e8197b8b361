//! Nodes over HTTP and NATS.

use std::sync::Arc;

use bytes::Bytes;
use vettid_wire::home::HomeNode;
use vettid_wire::http::{Credentials, Enroll, Renew};

use super::nats::NatsTransport;
use super::{ChunkRequest, Dial, chunk, http};
use crate::error::Error;
use crate::pass::Pass;

/// Dials nodes over HTTP and NATS. Needs a tokio runtime with I/O and time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialer;

impl Dial for Dialer {
    type Transport = NatsTransport;

    async fn enroll(&self, address: &str, body: Enroll) -> Result<Credentials, Error> {
        http::post(address, "/v1/enroll", &body).await
    }

    async fn renew(&self, address: &str, body: Renew) -> Result<Credentials, Error> {
        http::post(address, "/v1/credentials", &body).await
    }

    async fn store_chunk(
        &self,
        address: &str,
        request: ChunkRequest,
        sealed: Bytes,
    ) -> Result<(), Error> {
        chunk::store(address, request, sealed).await
    }

    async fn fetch_chunk(
        &self,
        address: &str,
        request: ChunkRequest,
        from: &HomeNode,
        sealed: &mut Vec<u8>,
        whole: usize,
    ) -> Result<(), Error> {
        chunk::fetch(address, request, from, sealed, whole).await
    }

    async fn connect(&self, pass: Arc<Pass<Self>>) -> Result<NatsTransport, Error> {
        NatsTransport::connect(pass).await
    }
}
