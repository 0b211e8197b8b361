//! The bus over NATS. The client makes broken connections again by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Auth, AuthError, Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use async_nats::{StatusCode, Subject, Subscriber};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use vettid_wire::subject;

use super::pace::Pace;
use super::{Arrival, Dial, Transport};
use crate::error::{Error, Fault, Unreachable};
use crate::keystore::BusAccess;
use crate::pass::Pass;

/// One device's end of a NATS bus.
#[derive(Debug)]
pub struct NatsTransport {
    client: Client,
    subscriber: Subscriber,
    subject: Subject,
    own: Subject,
    events: mpsc::UnboundedReceiver<Arrival>,
}

impl NatsTransport {
    /// Connects with the credentials that `pass` holds, renewing them first if they end soon.
    pub async fn connect<D: Dial>(pass: Arc<Pass<D>>) -> Result<Self, Error> {
        // Where several providers are linked, the TLS of the bus client would not know which to take.
        // An error says that one was chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let access = pass.access(SOON).await?;
        let addresses = addresses(&access)?;
        let (heard, events) = mpsc::unbounded_channel();
        let client = options(pass, &access, heard)
            .connect(addresses)
            .await
            .map_err(|error| match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    Unreachable::BusRefused
                }
                _ => Unreachable::Bus,
            })?;
        let own = Subject::from(subject::for_app(access.space, access.route));
        let subscriber = client.subscribe(own.clone()).await;
        let subscriber = subscriber.map_err(|_| Unreachable::Bus)?;
        let subject = Subject::from(subject::for_vault(access.space));
        Ok(Self {
            client,
            subscriber,
            subject,
            own,
            events,
        })
    }
}

impl Transport for NatsTransport {
    async fn publish(&mut self, envelope: Vec<u8>) -> Result<(), Unreachable> {
        // With a subject to reply to, the bus says so when nobody takes the envelope (NATS ADR-4).
        let (subject, own) = (self.subject.clone(), self.own.clone());
        let sent = self
            .client
            .publish_with_reply(subject, own, envelope.into());
        sent.await.map_err(|_| Unreachable::Bus)
    }

    async fn receive(&mut self) -> Arrival {
        tokio::select! {
            biased;
            Some(event) = self.events.recv() => event,
            message = self.subscriber.next() => match message {
                Some(message) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                    Arrival::Nobody
                }
                Some(message) => Arrival::Envelope(message.payload),
                None => Arrival::Closed,
            },
        }
    }

    async fn refresh(&mut self) {
        // It fails only if the client has ended, and then `receive` says so.
        let _ = self.client.force_reconnect().await;
    }
}

fn options<D: Dial>(
    pass: Arc<Pass<D>>,
    access: &BusAccess,
    heard: mpsc::UnboundedSender<Arrival>,
) -> ConnectOptions {
    let pace = Pace::default();
    ConnectOptions::with_auth_callback(move |nonce| {
        let pass = Arc::clone(&pass);
        // In a task of its own: the callback's future must be shareable, and an HTTP exchange is not.
        let task = tokio::spawn(async move { authenticate(&pass, &nonce).await });
        async move {
            match task.await {
                Ok(outcome) => outcome.map_err(AuthError::new),
                Err(_) => Err(AuthError::new(Fault::Stopped)),
            }
        }
    })
    .custom_inbox_prefix(subject::inbox(access.route))
    .subscription_capacity(SUBSCRIPTION)
    .client_capacity(COMMANDS)
    .connection_timeout(Duration::from_secs(5))
    .ignore_discovered_servers()
    .retain_servers_order()
    .reconnect_delay_callback(move |_| pace.next(Instant::now()))
    .event_callback(move |event| {
        for arrival in arrivals_of(&event) {
            // Nobody listens any more once the transport is dropped.
            let _ = heard.send(arrival);
        }
        std::future::ready(())
    })
}

async fn authenticate<D: Dial>(pass: &Pass<D>, nonce: &[u8]) -> Result<Auth, Error> {
    let access = pass.access(SOON).await?;
    let mut auth = Auth::new();
    auth.signature = Some(pass.sign(nonce)?);
    auth.jwt = Some(access.jwt);
    Ok(auth)
}

fn arrivals_of(event: &Event) -> Vec<Arrival> {
    match event {
        Event::Connected => vec![Arrival::Resumed],
        Event::Disconnected => vec![Arrival::Interrupted],
        // Envelopes were dropped: the session's frames have a gap now.
        Event::SlowConsumer(_) => vec![Arrival::Interrupted, Arrival::Resumed],
        Event::Closed => vec![Arrival::Closed],
        Event::ClientError(_) | Event::Draining | Event::LameDuckMode | Event::ServerError(_) => {
            Vec::new()
        }
    }
}

fn addresses(access: &BusAccess) -> Result<Vec<ServerAddr>, Unreachable> {
    let parsed: Vec<ServerAddr> = access
        .addresses
        .iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    if parsed.is_empty() {
        Err(Unreachable::Bus)
    } else {
        Ok(parsed)
    }
}

/// Credentials with less time left than this, ms, are renewed before they are shown.
const SOON: u64 = 60 * 1000;
/// Envelopes that wait for the session at most; what is beyond is lost, and the session repeats.
const SUBSCRIPTION: usize = 4_096;
/// Commands that wait for the connection at most.
const COMMANDS: usize = 2_048;
