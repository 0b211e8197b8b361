//! Connections of the node to its own bus.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{AuthError, Client, ConnectOptions, Event};
use tokio::sync::watch;

use super::credentials::User;
use super::pinned::client_config;
use super::server_file::Listeners;

/// Messages the client buffers for one subscription; what comes on top is dropped, and apps ask
/// again. Bounds memory at this many envelopes.
const SUBSCRIPTION: usize = 1_024;

/// Commands buffered towards the server.
const COMMANDS: usize = 2_048;

/// Time the server has to let a connection in. One that is not there refuses at once.
const CONNECTING: Duration = Duration::from_secs(20);

/// Longest wait between attempts to reconnect: the server is on this machine.
const RECONNECT: Duration = Duration::from_secs(1);

/// Why the bus was not reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The configured certificate cannot be read.
    #[error("the certificate of the bus cannot be read")]
    Certificate,
    /// The server is not there or refuses the node's user.
    #[error("the bus cannot be reached")]
    Unreachable,
    /// The server refused an update of the account.
    #[error("the bus refused the account update")]
    UpdateRefused,
}

/// Connects `user` and keeps the connection: it is made again whenever it breaks.
///
/// `connected` says whether it stands. With `wait`, returns only once it first does.
pub async fn connect(
    listeners: &Listeners,
    user: User,
    inbox: &str,
    wait: bool,
    connected: watch::Sender<bool>,
) -> Result<Client, BusError> {
    let User { key, token } = user;
    let key = Arc::new(key);
    let mut options = ConnectOptions::with_jwt(token, move |nonce| {
        let key = Arc::clone(&key);
        async move { key.sign(&nonce).map_err(AuthError::new) }
    })
    .custom_inbox_prefix(inbox)
    .subscription_capacity(SUBSCRIPTION)
    .client_capacity(COMMANDS)
    .connection_timeout(CONNECTING)
    .ignore_discovered_servers()
    .reconnect_delay_callback(|attempt| {
        let step = u64::try_from(attempt)
            .unwrap_or(u64::MAX)
            .saturating_mul(20);
        Duration::from_millis(step).min(RECONNECT)
    })
    .event_callback(move |event| {
        note(&event, &connected);
        std::future::ready(())
    });
    let mut scheme = "nats";
    if let Some((certificate, _)) = &listeners.tls {
        scheme = "tls";
        options = options
            .require_tls(true)
            .tls_client_config(client_config(certificate).ok_or(BusError::Certificate)?);
    }
    if !wait {
        options = options.retry_on_initial_connect();
    }
    let address = format!("{scheme}://{}", listeners.tcp);
    options
        .connect(address)
        .await
        .map_err(|_| BusError::Unreachable)
}

fn note(event: &Event, connected: &watch::Sender<bool>) {
    match event {
        Event::Connected => {
            connected.send_replace(true);
            tracing::info!("connected to the bus");
        }
        Event::Disconnected | Event::Closed => {
            connected.send_replace(false);
            tracing::warn!("disconnected from the bus");
        }
        Event::SlowConsumer(_) => tracing::warn!("the bus outran the enclave; messages dropped"),
        Event::ServerError(_) => tracing::warn!("the bus refused something"),
        Event::ClientError(_) | Event::LameDuckMode | Event::Draining => {}
    }
}
