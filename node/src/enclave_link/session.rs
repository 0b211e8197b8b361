//! One connection to the enclave, from greeting to end.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use vettid_wire::id::{NodeId, SpaceId};
use vettid_wire::link::federation::ToEnclave;
use vettid_wire::link::{Entry, FromEnclave, FromHost, Hello, Level, LogLine, Ready};
use vettid_wire::version;

use super::EnclaveMisbehaved;
use super::frames::{Received, Unsent};
use super::keeper::{LinkParts, SpaceCommand};
use super::questions::{AT_ONCE, Question, TooMany, Turns};
use super::router::Router;
use super::sealing::{KeyService, Purpose, SealingDesk};
use super::transport::{Reading, Writing};
use crate::admin::NODE_ID;
use crate::bus::inbound::Inbound;
use crate::database::Database;
use crate::federation::LinkReport;
use crate::release::ReleaseRows;
use crate::shutdown::Stop;
use crate::space;
use crate::vault_log::{Appender, Outcome, Outcomes};

/// Time the enclave has from connecting to its first frame: it makes its keys and documents.
const GREETING: Duration = Duration::from_secs(60);

/// Pause between pings.
const PING: Duration = Duration::from_secs(5);

/// Silence after which the enclave counts as dead.
const SILENCE: Duration = Duration::from_secs(45);

/// Time the enclave has to end after it was asked, and the log to settle and cuts to end after it ended.
const FAREWELL: Duration = Duration::from_secs(15);

/// Unsent bytes above which nothing more is taken from the bus.
const SATURATED: usize = 4 * 1024 * 1024;

/// Messages and outcomes taken in one turn.
const BATCH: usize = 256;

/// Frames of peers that wait for the link.
const FROM_PEERS: usize = 64;

/// Pause before a busy database or exchange is tried again.
const PATIENCE: Duration = Duration::from_millis(2);

/// Lines of the enclave that are logged between two pings.
const LINES: u32 = 50;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The node stops and everything is settled.
    Asked,
    /// The enclave closed the connection or it broke.
    Lost,
    /// The enclave did what it must not.
    Misbehaved(EnclaveMisbehaved),
}

/// What tasks beside the connection report to it.
enum Report {
    Answer(FromHost),
    /// A cut is done, which nobody is told.
    Cut,
    Lookup(SpaceId, Option<(Entry, u64)>),
}

pub(super) struct Session<'a> {
    pub(super) parts: &'a mut LinkParts,
    received: Received,
    writing: Writing,
    pub(super) router: Router,
    pub(super) appender: Appender,
    peers: mpsc::Receiver<ToEnclave>,
    outcomes: Outcomes,
    reports: (mpsc::Sender<Report>, mpsc::Receiver<Report>),
    turns: Turns,
    /// Cuts that are under way.
    cuts: u32,
    heard: Instant,
    pings: u64,
    lines: u32,
}

impl<'a> Session<'a> {
    /// Greets the enclave, with the network file of `epoch`; returns what it says of itself.
    pub(super) async fn greet(
        parts: &'a mut LinkParts,
        (reading, mut writing): (Reading, Writing),
        (hello, epoch): (Hello, u64),
        (service, accepted): (Option<KeyService>, Vec<u32>),
    ) -> Result<(Self, Ready), Ended> {
        let mut received = Received::new(reading);
        let mut desk = SealingDesk::new(service, parts.database.clone(), Purpose::Serve, accepted);
        let greeting = async {
            send(&FromHost::Hello(hello), &mut writing).await?;
            first_frame(&mut received, &mut writing, &mut desk).await
        };
        let frame = timeout(GREETING, greeting)
            .await
            .unwrap_or_else(|_| Err(silent()))?;
        let FromEnclave::Ready(ready) = frame else {
            return Err(Ended::Misbehaved(EnclaveMisbehaved::Turn));
        };
        if ready.version != version::LINK {
            return Err(Ended::Misbehaved(EnclaveMisbehaved::Version(ready.version)));
        }
        if desk.may_serve() != Some(ready.release) {
            return Err(Ended::Misbehaved(EnclaveMisbehaved::Turn));
        }
        check_identity(&parts.database, ready.node).await?;
        let releases = ReleaseRows::new(parts.database.clone());
        if let Err(error) = releases.note_served(ready.release).await {
            tracing::error!(%error, release = ready.release, "it could not be noted that this release serves");
            return Err(Ended::Lost);
        }
        let (appender, outcomes) = parts.stores.log.appender();
        let (to_session, peers) = mpsc::channel(FROM_PEERS);
        // Without an exchange the node has no peers.
        let up = LinkReport::Up {
            node: ready.node,
            epoch,
            session: to_session,
        };
        let _ = parts.exchange.send(up).await;
        let session = Self {
            parts,
            received,
            writing,
            router: Router::default(),
            appender,
            peers,
            outcomes,
            reports: mpsc::channel(AT_ONCE * 2),
            turns: Turns::default(),
            cuts: 0,
            heard: Instant::now(),
            pings: 0,
            lines: 0,
        };
        Ok((session, ready))
    }

    /// Serves until the connection ends; then lets the log settle and releases what it allows.
    pub(super) async fn serve(mut self, mut stop: Stop) -> Ended {
        let ended = self.run(&mut stop).await.err().unwrap_or(Ended::Lost);
        let farewell = self.settle(stop.is_asked());
        let _ = timeout(FAREWELL, farewell).await;
        let _ = self.parts.exchange.send(LinkReport::Down).await;
        if stop.is_asked() && !matches!(ended, Ended::Misbehaved(_)) {
            // The bus ends next, which tells everybody.
            return Ended::Asked;
        }
        self.router.link_lost();
        self.publish();
        ended
    }

    /// Waits until the log has settled, and until cuts that are under way are done where the node `stops`:
    /// they would end with it.
    async fn settle(&mut self, stops: bool) {
        loop {
            let unsettled = self.router.unsettled() > 0;
            let cutting = stops && self.cuts > 0;
            tokio::select! {
                outcome = self.outcomes.next(), if unsettled => {
                    self.take_outcomes(&mut vec![outcome]);
                    self.publish();
                }
                // Nobody is left to be answered.
                Some(report) = self.reports.1.recv(), if cutting => if let Report::Cut = report {
                    self.cuts = self.cuts.saturating_sub(1);
                },
                else => return,
            }
        }
    }

    async fn run(&mut self, stop: &mut Stop) -> Result<(), Ended> {
        let mut ticks = interval(PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leave_by = None;
        let (mut messages, mut outcomes) = (Vec::new(), Vec::new());
        loop {
            let (has_room, stuck) = (self.has_room(), self.is_stuck());
            let listens = leave_by.is_none() && self.router.actions.to_enclave.len() < SATURATED;
            let mut malformed = 0;
            let inbound = &mut self.parts.inbound;
            let arrived = std::future::poll_fn(|context| {
                inbound.poll_batch(context, &mut messages, BATCH, &mut malformed)
            });
            let unsent = &mut self.router.actions.to_enclave;
            let sends = !unsent.is_empty();
            tokio::select! {
                filled = self.received.fill(), if has_room => {
                    if !filled.map_err(|_| Ended::Lost)? {
                        return Err(Ended::Lost);
                    }
                    self.heard = Instant::now();
                }
                written = unsent.write_some(&mut self.writing), if sends => {
                    written.map_err(|_| Ended::Lost)?;
                }
                () = self.outcomes.collect(&mut outcomes, BATCH) => {
                    self.take_outcomes(&mut outcomes);
                }
                alive = arrived, if listens => {
                    self.take_messages(&mut messages, malformed);
                    if !alive {
                        return Err(Ended::Lost);
                    }
                }
                Some(report) = self.reports.1.recv() => self.take_report(report),
                frame = self.peers.recv(), if listens => self.take_peers(frame)?,
                () = tokio::time::sleep(PATIENCE), if stuck => {}
                Some(command) = self.parts.commands.recv() => self.obey(command),
                _ = ticks.tick() => self.tick(leave_by)?,
                () = stop.asked(), if leave_by.is_none() => {
                    leave_by = Some(Instant::now() + FAREWELL);
                    self.router.actions.to_enclave.push(&FromHost::Shutdown);
                }
            }
            self.pump()?;
        }
    }

    /// Understands what was received and does what follows from it.
    fn pump(&mut self) -> Result<(), Ended> {
        loop {
            self.pass_on();
            if !self.has_room() {
                // Log or exchange are busy: the enclave waits.
                break;
            }
            let misbehaved = |error| Ended::Misbehaved(error);
            let Some(frame) = self.received.next().map_err(|e| misbehaved(e.into()))? else {
                break;
            };
            self.router.hear_enclave(frame).map_err(misbehaved)?;
        }
        self.ask_around()?;
        self.publish();
        Ok(())
    }

    fn publish(&mut self) {
        let metrics = &self.parts.metrics;
        for (space, device, envelope) in self.router.actions.to_bus.drain(..) {
            if self.parts.outbound.publish(space, device, envelope) {
                metrics.frames_outbound.inc();
            } else {
                metrics.frames_dropped.inc();
            }
        }
        metrics
            .frames_dropped
            .inc_by(std::mem::take(&mut self.router.actions.dropped));
    }

    fn take_messages(&mut self, messages: &mut Vec<Inbound>, malformed: u64) {
        self.parts.metrics.frames_malformed.inc_by(malformed);
        self.parts
            .metrics
            .frames_inbound
            .inc_by(messages.len() as u64);
        messages
            .drain(..)
            .for_each(|inbound| self.router.hear_app(inbound));
    }

    fn take_outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        for outcome in outcomes.drain(..) {
            if outcome.result.is_err() {
                self.parts.metrics.log_appends_refused.inc();
            }
            self.router
                .settled(outcome.space, outcome.number, outcome.result);
        }
        self.router.finish_batch();
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Answer(answer) => {
                self.turn_is_over();
                self.router.actions.to_enclave.push(&answer);
            }
            Report::Cut => {
                self.turn_is_over();
                self.cuts = self.cuts.saturating_sub(1);
            }
            Report::Lookup(space, found) => self.router.looked_up(space, found),
        }
    }

    fn turn_is_over(&mut self) {
        if let Some(next) = self.turns.answered() {
            self.answer(next);
        }
    }

    /// What the exchange with peers has for the enclave; it hangs up on one that floods it.
    fn take_peers(&mut self, frame: Option<ToEnclave>) -> Result<(), Ended> {
        let frame = frame.ok_or(Ended::Misbehaved(EnclaveMisbehaved::Flood))?;
        let frame = FromHost::Federation(frame);
        self.router.actions.to_enclave.push(&frame);
        Ok(())
    }

    fn obey(&mut self, command: SpaceCommand) {
        match command {
            SpaceCommand::Close(space) => self.router.close(space),
        }
    }

    /// Starts a task for each lookup and question; these are opens, snapshots and cuts.
    fn ask_around(&mut self) -> Result<(), Ended> {
        for space in self.router.actions.lookups.drain(..) {
            let (directory, stores) = (self.parts.directory.clone(), self.parts.stores.clone());
            let reports = self.reports.0.clone();
            tokio::spawn(async move {
                let found = directory.entry(space, &*stores.log).await;
                // The connection may have ended meanwhile.
                let _ = reports.send(Report::Lookup(space, found)).await;
            });
        }
        for space in self.router.actions.begun.drain(..) {
            let directory = self.parts.directory.clone();
            tokio::spawn(async move { directory.begun(space).await });
        }
        let mut begun = Vec::new();
        for question in self.router.actions.questions.drain(..) {
            let now = self.turns.ask(question);
            let now = now.map_err(|TooMany| Ended::Misbehaved(EnclaveMisbehaved::Flood))?;
            begun.extend(now);
        }
        for question in begun {
            self.answer(question);
        }
        for line in std::mem::take(&mut self.router.actions.lines) {
            self.lines = self.lines.saturating_add(1);
            if self.lines <= LINES {
                log(&line);
            }
        }
        Ok(())
    }

    fn answer(&mut self, question: Question) {
        if matches!(question, Question::Cut { .. }) {
            self.cuts = self.cuts.saturating_add(1);
        }
        let (stores, reports) = (self.parts.stores.clone(), self.reports.0.clone());
        tokio::spawn(async move {
            let answer = question.answer(&stores).await;
            // The connection may have ended meanwhile.
            let _ = reports
                .send(answer.map_or(Report::Cut, Report::Answer))
                .await;
        });
    }

    fn tick(&mut self, leave_by: Option<Instant>) -> Result<(), Ended> {
        if leave_by.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Ended::Lost);
        }
        if self.heard.elapsed() > SILENCE {
            return Err(silent());
        }
        if let Some(pong) = self.router.actions.pongs.pop() {
            let metrics = &self.parts.metrics;
            metrics.vaults_open.set(i64::from(pong.open));
            metrics.sessions_open.set(i64::from(pong.sessions));
            metrics.vaults_memory_bytes.set(bytes(pong.memory));
            if let Some(supervisor) = pong.supervisor {
                metrics.supervisor_memory_bytes.set(bytes(supervisor));
            }
        }
        self.router.actions.pongs.clear();
        self.lines = 0;
        self.pings = self.pings.wrapping_add(1);
        self.router
            .actions
            .to_enclave
            .push(&FromHost::Ping(self.pings));
        Ok(())
    }
}

/// A level in bytes of what the enclave counts in KiB.
fn bytes(kib: u64) -> i64 {
    i64::try_from(kib.saturating_mul(1024)).unwrap_or(i64::MAX)
}

/// Refuses an enclave that is another node than the one whose vaults are here.
async fn check_identity(database: &Database, node: NodeId) -> Result<(), Ended> {
    let (noted, counts) = tokio::join!(space::fact(database, NODE_ID), space::counts(database));
    let (Ok(noted), Ok(counts)) = (noted, counts) else {
        return Err(Ended::Lost);
    };
    match noted.is_some_and(|noted| noted != node.0) && counts != [0; 3] {
        true => Err(Ended::Misbehaved(EnclaveMisbehaved::OtherNode)),
        false => Ok(()),
    }
}

/// Sends one frame, all of it.
pub(super) async fn send(frame: &FromHost, writing: &mut Writing) -> Result<(), Ended> {
    let mut unsent = Unsent::default();
    unsent.push(frame);
    while !unsent.is_empty() {
        let written = unsent.write_some(writing).await;
        written.map_err(|_| Ended::Lost)?;
    }
    Ok(())
}

/// The first frame that is not about sealing; answers those that are.
async fn first_frame(
    received: &mut Received,
    writing: &mut Writing,
    desk: &mut SealingDesk,
) -> Result<FromEnclave, Ended> {
    loop {
        let answer = tokio::select! {
            frame = next_frame(received) => match frame? {
                FromEnclave::Sealing(ask) => desk.obey(ask).await.map_err(Ended::Misbehaved)?,
                other => return Ok(other),
            },
            heard = desk.hear() => Some(heard),
        };
        if let Some(answer) = answer {
            send(&FromHost::Sealing(answer), writing).await?;
        }
    }
}

/// The next frame. Cancel-safe.
pub(super) async fn next_frame(received: &mut Received) -> Result<FromEnclave, Ended> {
    loop {
        match received.next() {
            Err(error) => return Err(Ended::Misbehaved(error.into())),
            Ok(Some(frame)) => return Ok(frame),
            Ok(None) => {}
        }
        if !received.fill().await.map_err(|_| Ended::Lost)? {
            return Err(Ended::Lost);
        }
    }
}

fn silent() -> Ended {
    Ended::Misbehaved(EnclaveMisbehaved::Silent)
}

/// Logs a line of the enclave: a short, plain text and a number, whatever it really sent.
fn log(line: &LogLine) {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '.' | ',' | ':');
    let text: String = line.event.chars().filter(plain).take(80).collect();
    let count = line.count.unwrap_or_default();
    match line.level {
        Level::Error => tracing::error!(text, count, "enclave"),
        Level::Warn => tracing::warn!(text, count, "enclave"),
        Level::Info => tracing::info!(text, count, "enclave"),
    }
}
