//! Accepting connections, with a bound on their number and on their patience.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::attachments::longest;
use super::places::Places;
use crate::attachment::CHUNK;
use crate::shutdown::Stop;

/// Time for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Time for the headers of a request, the first and every later one of a connection.
const HEADERS: Duration = Duration::from_secs(10);

/// Longest life of a connection: of the largest chunk that comes as slowly as it may, with the waits
/// before it and a few requests more.
const CONNECTION: Duration = longest(CHUNK).saturating_add(Duration::from_secs(120));

/// Buffer for headers, bytes.
const BUFFER: usize = 16 * 1024;

/// Pause after the system had no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Bounds of one listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListenerLimits {
    /// Connections at once, of one address a quarter of them; more are closed at once.
    pub connections: u32,
}

/// A bound listener that serves a router.
pub struct Listener {
    socket: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: ListenerLimits,
}

impl Listener {
    /// Binds `address`.
    pub async fn bind(
        address: SocketAddr,
        router: Router,
        tls: Option<TlsAcceptor>,
        limits: ListenerLimits,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: TcpListener::bind(address).await?,
            router,
            tls,
            limits,
        })
    }

    /// Where it really listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until asked to stop; requests under way are finished.
    pub async fn serve(self, mut stop: Stop) {
        let connections = usize::try_from(self.limits.connections).unwrap_or(usize::MAX);
        let shares = Places::new(connections);
        let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        let mut served = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                Some(_) = served.join_next() => continue,
                () = stop.asked() => break,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            };
            let place = Arc::clone(&places).try_acquire_owned().ok();
            let Some(place) = place.zip(shares.take(peer.ip())) else {
                continue;
            };
            let router = self
                .router
                .clone()
                .layer(axum::Extension(ConnectInfo(peer)));
            let (tls, stop) = (self.tls.clone(), stop.clone());
            served.spawn(async move {
                let _place = place;
                let served = async {
                    match tls {
                        None => serve_connection(stream, router, stop).await,
                        Some(tls) => {
                            if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                                serve_connection(stream, router, stop).await;
                            }
                        }
                    }
                };
                // Whoever outstays the limit connects again.
                let _ = timeout(CONNECTION, served).await;
            });
        }
        while served.join_next().await.is_some() {}
    }
}

async fn serve_connection<S>(stream: S, router: Router, mut stop: Stop)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER);
    let service = TowerToHyperService::new(router);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Broken connections and malformed requests are the peer's affair.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.asked() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
