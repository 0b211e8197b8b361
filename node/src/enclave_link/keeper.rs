//! Keeps a link: connects, serves, and begins anew with backoff whenever it ends.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use vettid_wire::id::{NodeId, SpaceId};
use vettid_wire::link::{Hello, Ready};

use super::questions::Stores;
use super::sealing::KeyService;
use super::session::{Ended, Session};
use super::sessions::reset_for;
use super::transport::Address;
use crate::backoff::Backoff;
use crate::bus::inbound::InboundFrames;
use crate::bus::outbound::OutboundFrames;
use crate::child::Life;
use crate::database::Database;
use crate::federation::LinkReport;
use crate::mailbox::Mailboxes;
use crate::metrics::Metrics;
use crate::network::NetworkFile;
use crate::object_store::ObjectStore;
use crate::release;
use crate::shutdown::Stop;
use crate::space::Directory;
use crate::spool::SpoolRows;
use crate::vault_log::VaultLog;

/// What the operator wants of an open space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpaceCommand {
    /// Close it: it was suspended or removed.
    Close(SpaceId),
}

/// Whether the enclave serves, and what it says of itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkStatus {
    /// Frames flow.
    pub serving: bool,
    /// Identity of the node, once it was heard.
    pub node: Option<NodeId>,
    /// Number of the release that runs.
    pub release: u32,
    /// Links made so far.
    pub links: u64,
}

/// What a link works with.
pub struct LinkParts {
    pub(super) inbound: InboundFrames,
    pub(super) outbound: OutboundFrames,
    pub(super) stores: Stores,
    pub(super) directory: Directory,
    pub(super) metrics: Arc<Metrics>,
    pub(super) commands: mpsc::Receiver<SpaceCommand>,
    pub(super) exchange: mpsc::Sender<LinkReport>,
    pub(super) spool: SpoolRows,
    pub(super) mailboxes: Mailboxes,
    pub(super) database: Database,
}

impl LinkParts {
    /// Bus on one side, log, objects and directory on the other; beside them the exchange with
    /// peers, and the database for what waits for them.
    #[must_use]
    pub(crate) fn new(
        (inbound, outbound): (InboundFrames, OutboundFrames),
        (log, objects): (Arc<dyn VaultLog>, Arc<dyn ObjectStore>),
        directory: Directory,
        metrics: Arc<Metrics>,
        commands: mpsc::Receiver<SpaceCommand>,
        (exchange, database): (mpsc::Sender<LinkReport>, Database),
    ) -> Self {
        let stores = Stores { log, objects };
        let spool = SpoolRows::new(database.clone());
        Self {
            inbound,
            outbound,
            stores,
            directory,
            metrics,
            commands,
            exchange,
            spool,
            mailboxes: Mailboxes::new(database.clone()),
            database,
        }
    }
}

/// The enclave that a node keeps a link to.
pub struct EnclaveLink {
    /// Where it listens.
    pub address: Address,
    /// First frame of every link, without the network file.
    pub hello: Hello,
    /// The network file, and every newer one.
    pub network: watch::Receiver<NetworkFile>,
    /// What gives it its sealing root, where its platform does not keep one.
    pub key_service: Option<KeyService>,
    /// The child that runs it, if the node starts it: its life, and how to start it anew.
    pub child: Option<(watch::Receiver<Life>, watch::Sender<u64>)>,
}

impl EnclaveLink {
    /// Serves link after link until asked to stop; then closes the last in order.
    pub async fn keep(
        mut self,
        mut parts: LinkParts,
        status: watch::Sender<LinkStatus>,
        mut stop: Stop,
    ) {
        let mut backoff = Backoff::of_program();
        while !stop.is_asked() {
            let ended = tokio::select! {
                ended = self.serve_once(&mut parts, &status, stop.clone(), &mut backoff) => ended,
                // While a link stands it hears the request itself and settles first.
                () = stopped_while_down(&mut stop, &status) => return,
            };
            status.send_modify(|status| status.serving = false);
            match ended {
                Ended::Asked => return,
                _ if stop.is_asked() => return,
                Ended::Lost => tracing::warn!("the link to the enclave broke"),
                Ended::Misbehaved(why) => tracing::error!(%why, "the enclave misbehaves"),
            }
            parts.metrics.enclave_links_lost.inc();
            self.restart();
            tokio::select! {
                () = tokio::time::sleep(backoff.next_wait()) => {}
                () = refuse_meanwhile(&mut parts) => {}
                () = stop.asked() => {}
            }
        }
    }

    async fn serve_once(
        &mut self,
        parts: &mut LinkParts,
        status: &watch::Sender<LinkStatus>,
        stop: Stop,
        backoff: &mut Backoff,
    ) -> Ended {
        let halves = tokio::select! {
            halves = self.connect() => halves,
            () = refuse_meanwhile(parts) => return Ended::Lost,
        };
        let (network, epoch, accepted) = {
            let file = self.network.borrow();
            (file.signed.clone(), file.epoch, release::accepted(&file))
        };
        let hello = Hello {
            network,
            ..self.hello.clone()
        };
        let service = self.key_service.clone();
        let greeting = Session::greet(parts, halves, (hello, epoch), (service, accepted));
        let (session, ready) = match greeting.await {
            Ok(greeted) => greeted,
            Err(ended) => return ended,
        };
        *backoff = Backoff::of_program();
        announce(status, &ready);
        session.serve(stop).await
    }

    /// Tries until the enclave listens.
    async fn connect(&mut self) -> (super::transport::Reading, super::transport::Writing) {
        let mut backoff = Backoff::of_program();
        loop {
            if let Some((life, _)) = &mut self.child {
                // An error means that the node stops.
                let _ = life.wait_for(|life| life.running).await;
            }
            match self.address.connect().await {
                Ok(halves) => return halves,
                Err(_) => tokio::time::sleep(backoff.next_wait()).await,
            }
        }
    }

    /// An emulated enclave begins every link as a new process.
    fn restart(&self) {
        if let Some((_, restart)) = &self.child {
            restart.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

fn announce(status: &watch::Sender<LinkStatus>, ready: &Ready) {
    status.send_modify(|status| {
        *status = LinkStatus {
            serving: true,
            node: Some(ready.node),
            release: ready.release,
            links: status.links.saturating_add(1),
        };
    });
    tracing::info!(release = ready.release, "the enclave serves");
}

async fn stopped_while_down(stop: &mut Stop, status: &watch::Sender<LinkStatus>) {
    stop.asked().await;
    let mut status = status.subscribe();
    // An error cannot happen while the sender is borrowed.
    let _ = status.wait_for(|status| !status.serving).await;
}

/// Answers every frame with a reset while there is no enclave, so that apps do not wait.
async fn refuse_meanwhile(parts: &mut LinkParts) {
    let mut messages = Vec::new();
    loop {
        let (mut malformed, inbound) = (0, &mut parts.inbound);
        let alive = std::future::poll_fn(|context| {
            inbound.poll_batch(context, &mut messages, 256, &mut malformed)
        })
        .await;
        parts.metrics.frames_malformed.inc_by(malformed);
        for message in messages.drain(..) {
            if let Some((device, reset)) = reset_for(&message.envelope) {
                parts.outbound.publish(message.space, device, reset);
            }
        }
        if !alive {
            return;
        }
    }
}
