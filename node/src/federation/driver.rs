//! The task that drives the exchange.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, sleep_until};
use vettid_federation::{Event, Handle};
use vettid_wire::id::{DeliveryId, NodeId};
use vettid_wire::link::federation::{FromEnclave, SpoolOutcome, ToEnclave};

use super::exchange::{Exchange, ToNetwork};
use super::homes::{HomeRows, Published};
use super::network::Network;
use super::peers::PeerRows;
use super::rejoin::{Joining, Pauses};
use super::report::LinkReport;
use super::unkept::Unkept;
use crate::attachment::Attachments;
use crate::clock::{unix_millis, unix_seconds};
use crate::database::Database;
use crate::entropy::random;
use crate::mailbox::Mailboxes;
use crate::metrics::Metrics;
use crate::network::{NetworkFile, NetworkPlace};
use crate::shutdown::Stop;
use crate::spool::{Kept, Known, LANES, Lanes, Load, SpoolRows, Spooled};

/// Frames waiting for the enclave above which nothing more is taken from peers or the spool.
const BUSY: usize = 256;

/// Pause before a busy network is asked again.
const STUCK: Duration = Duration::from_millis(5);

/// What tasks beside the driver may report at once: more than can be asked.
const DONE: usize = 4_096;

/// Settled deliveries are removed together after this long.
const FORGET: Duration = Duration::from_millis(50);

/// Pause between removals of what has expired.
const SWEEP: Duration = Duration::from_secs(60);

/// Every so many sweeps the table is asked for lanes that there was no room for.
pub(super) const LOOK: u64 = 10;

/// Home records put into the network again after a start.
pub(super) const HOMES: usize = 20_000;

/// What a driver works with.
pub(crate) struct DriverParts {
    pub(crate) database: Database,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) network: Option<Network>,
    /// Where others find the network that is joined.
    pub(crate) joined: watch::Sender<Option<Handle>>,
    pub(crate) joining: Joining,
    pub(crate) file: NetworkPlace,
    pub(crate) attachments: Attachments,
}

/// What tasks beside the driver report.
pub(super) enum Done {
    Answer(u64, ToEnclave),
    Forgotten,
    Homes(Vec<Published>),
    Joined(Box<io::Result<Network>>),
    Lanes(Vec<Known>),
    Loaded(Load, Option<(Vec<Spooled>, bool)>),
}

/// Drives one exchange until the node stops.
pub(crate) struct Driver {
    pub(super) exchange: Exchange,
    pub(super) network: Option<Network>,
    pub(super) joined: watch::Sender<Option<Handle>>,
    pub(super) joining: Joining,
    pub(super) pauses: Pauses,
    reports: mpsc::Receiver<LinkReport>,
    /// Node of the enclave, while there is one.
    pub(super) node: Option<NodeId>,
    pub(super) session: Option<mpsc::Sender<ToEnclave>>,
    pub(super) done: (mpsc::Sender<Done>, mpsc::Receiver<Done>),
    pub(super) settled: Vec<DeliveryId>,
    pub(super) unkept: Unkept,
    pub(super) forgetting: bool,
    pub(super) spool: SpoolRows,
    pub(super) mailboxes: Mailboxes,
    pub(super) homes: HomeRows,
    pub(super) peers: PeerRows,
    pub(super) attachments: Attachments,
    pub(super) database: Database,
    pub(super) file: NetworkPlace,
    changes: watch::Receiver<NetworkFile>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sweeps: u64,
}

impl Driver {
    /// Makes a driver that hears what the link to the enclave reports.
    pub(crate) fn new(parts: DriverParts, reports: mpsc::Receiver<LinkReport>) -> Self {
        let DriverParts {
            database,
            metrics,
            network,
            joined,
            joining,
            file,
            attachments,
        } = parts;
        let lanes = Lanes::new(u64::from_be_bytes(random()));
        Self {
            exchange: Exchange::new(network.is_some(), lanes),
            network,
            joined,
            joining,
            pauses: Pauses::new(Instant::now()),
            reports,
            node: None,
            session: None,
            done: mpsc::channel(DONE),
            settled: Vec::new(),
            unkept: Unkept::default(),
            forgetting: false,
            spool: SpoolRows::new(database.clone()),
            mailboxes: Mailboxes::new(database.clone()),
            homes: HomeRows::new(database.clone()),
            peers: PeerRows::new(database.clone()),
            database,
            attachments,
            changes: file.changes(),
            file,
            metrics,
            sweeps: 0,
        }
    }

    /// Carries frames until asked to stop; then removes what is settled and leaves the network.
    pub(crate) async fn run(mut self, mut stop: Stop) {
        self.begin().await;
        let (mut sweeps, mut forgets) = (every(SWEEP), every(FORGET));
        while !stop.is_asked() {
            self.carry_out();
            let busy = self.exchange.outputs.to_enclave.len() >= BUSY;
            let has_frames = !self.exchange.outputs.to_enclave.is_empty();
            let lanes = self.exchange.lanes.next_tick();
            let next_tick = lanes.into_iter().chain(self.unkept.next_tick()).min();
            let stuck = self.exchange.outputs.to_network.len() >= BUSY;
            let settles = !self.settled.is_empty() && !self.forgetting;
            tokio::select! {
                Some(report) = self.reports.recv(), if !stuck => self.hear_link(report),
                () = sleep(STUCK), if stuck => {}
                Some(done) = self.done.1.recv() => self.finish(done),
                place = room(self.session.clone()), if has_frames => self.hand_over(place),
                event = next_event(&mut self.network), if !busy => self.hear_network(event),
                () = tick_at(next_tick), if !busy => self.tick(),
                _ = forgets.tick(), if settles => self.forget(),
                _ = sweeps.tick() => self.sweep(),
                Ok(()) = self.changes.changed() => {
                    let signed = self.changes.borrow_and_update().signed.clone();
                    self.exchange.network_changed(signed);
                }
                () = stop.asked() => {}
            }
        }
        if let Some(network) = self.network.take() {
            network.close().await;
        }
        // What is not removed is delivered once more and taken for the repeat that it is.
        let _ = self.spool.forget(self.settled).await;
    }

    /// Takes up what an earlier run left.
    async fn begin(&mut self) {
        if let Err(error) = self.peers.begin(unix_seconds()).await {
            tracing::warn!(%error, "peers are shown as they were");
        }
        if let Ok(lanes) = self.spool.lanes(LANES).await {
            self.know(lanes);
        }
        let homes = self.homes.all(unix_millis(), HOMES).await;
        self.publish(homes.unwrap_or_default());
    }

    fn publish(&mut self, homes: Vec<Published>) {
        let homes = homes.into_iter().map(ToNetwork::from);
        self.exchange.outputs.to_network.extend(homes);
    }

    fn hear_link(&mut self, report: LinkReport) {
        match report {
            LinkReport::Up {
                node,
                epoch,
                session,
            } => {
                self.session = Some(session);
                self.node = Some(node);
                self.exchange.enclave_up();
                self.catch_up(epoch);
                if let Some(network) = &self.network {
                    network.name(Some(node));
                }
            }
            LinkReport::Down => self.hang_up(),
            LinkReport::Kept(Kept::Stored(space, lane, spooled)) => {
                let now = Instant::now();
                self.exchange.lanes.stored(now, space, lane, spooled);
            }
            LinkReport::Kept(Kept::Known(known)) => {
                self.exchange.lanes.know(known);
            }
            LinkReport::Kept(Kept::NotStored(space)) => self.unkept.note(Instant::now(), space),
            LinkReport::Frame(frame) => {
                self.count(&frame);
                if self.session.is_some()
                    && self.exchange.hear_enclave(Instant::now(), frame).is_err()
                {
                    tracing::error!("the enclave asks more about other nodes than it may");
                    self.hang_up();
                }
            }
        }
    }

    /// Tells an enclave of the network file that came while it was greeted with an earlier one.
    fn catch_up(&mut self, epoch: u64) {
        let file = self.changes.borrow_and_update();
        if file.epoch > epoch {
            self.exchange.network_changed(file.signed.clone());
        }
    }

    fn hear_network(&mut self, event: Option<Event>) {
        let Some(event) = event else {
            return self.network_ended();
        };
        match self.exchange.hear_network(event) {
            Some(Event::AttachmentAsked {
                id,
                index,
                offset,
                responder,
                ..
            }) => self.attachments.serve_peer(id, index, offset, responder),
            Some(Event::Network { bytes }) => {
                let file = self.file.clone();
                tokio::spawn(async move {
                    // Of another network, older or forged: nothing follows from it.
                    if let Ok(newer) = NetworkFile::verified(bytes) {
                        let _ = file.take_newer(newer).await;
                    }
                });
            }
            Some(Event::Gossip { message, .. }) => {
                if let Some(network) = &self.network {
                    network.ignore(message);
                }
            }
            // A lane whose node is not reached rests by itself.
            Some(Event::Unreachable { node, retry }) => {
                tracing::debug!(%node, ?retry, "a node is not reached now");
            }
            Some(_) | None => {}
        }
    }

    /// Hands frames to the link as far as it has room.
    fn hand_over(&mut self, place: Option<mpsc::OwnedPermit<ToEnclave>>) {
        let frames = &mut self.exchange.outputs.to_enclave;
        let Some((place, frame)) = place.zip(frames.pop_front()) else {
            return self.hang_up();
        };
        let session = place.send(frame);
        while let Some(place) = frames.front().and_then(|_| session.try_reserve().ok()) {
            let Some(frame) = frames.pop_front() else {
                return;
            };
            place.send(frame);
        }
    }

    fn hang_up(&mut self) {
        self.session = None;
        self.node = None;
        self.exchange.enclave_down();
        self.unkept.clear();
        if let Some(network) = &self.network {
            network.name(None);
        }
    }

    /// Does what the exchange and the lanes have decided.
    fn carry_out(&mut self) {
        while self.exchange.outputs.to_enclave.len() < BUSY {
            let Some(step) = self.exchange.lanes.step() else {
                break;
            };
            self.take_step(step);
        }
        let outputs = &mut self.exchange.outputs;
        let writes = std::mem::take(&mut outputs.writes);
        let metrics = &self.metrics;
        metrics
            .peers_admitted
            .inc_by(std::mem::take(&mut outputs.admitted));
        metrics
            .peers_refused
            .inc_by(std::mem::take(&mut outputs.refused));
        if self.network.is_none() {
            outputs.to_network.clear();
        }
        while let Some((network, command)) =
            self.network.as_ref().zip(outputs.to_network.pop_front())
        {
            if let Err(command) = network.obey(command) {
                outputs.to_network.push_front(command);
                break;
            }
        }
        writes.into_iter().for_each(|write| self.write(write));
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Answer(link, answer) => self.exchange.answer(link, answer),
            Done::Forgotten => self.forgetting = false,
            Done::Homes(homes) => self.publish(homes),
            Done::Joined(joined) => self.joined_again(*joined),
            Done::Lanes(lanes) => self.know(lanes),
            Done::Loaded(load, read) => self.exchange.lanes.loaded(Instant::now(), load, read),
        }
    }

    fn know(&mut self, lanes: Vec<Known>) {
        for known in lanes {
            self.exchange.lanes.know(known);
        }
    }

    fn count(&self, frame: &FromEnclave) {
        if let FromEnclave::Settled {
            outcome: SpoolOutcome::Done,
            ..
        } = frame
        {
            self.metrics.spool_settled.inc();
        }
    }
}

fn every(pause: Duration) -> Interval {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Room for one frame on the link; nothing when it is gone. Cancel-safe.
async fn room(session: Option<mpsc::Sender<ToEnclave>>) -> Option<mpsc::OwnedPermit<ToEnclave>> {
    session?.reserve_owned().await.ok()
}

/// The next event; waits forever without a network. Cancel-safe.
async fn next_event(network: &mut Option<Network>) -> Option<Event> {
    match network {
        Some(network) => network.next().await,
        None => std::future::pending().await,
    }
}

async fn tick_at(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl From<Published> for ToNetwork {
    fn from(home: Published) -> Self {
        let Published {
            location,
            expires,
            record,
        } = home;
        Self::Publish {
            location,
            expires,
            record,
        }
    }
}
