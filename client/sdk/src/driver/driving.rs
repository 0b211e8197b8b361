//! The loop, and what it does when.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use vettid_session::KnownEnclave;
use vettid_wire::request::FromVault;

use super::absence::Absence;
use super::news::{News, announce, answered};
use super::outstanding::{Answered, Ask, Outstanding};
use super::pause::backoff;
use super::probe::Probe;
use super::release::Release;
use crate::clock::Clock;
use crate::error::{Error, Fault, Unreachable};
use crate::keeper::Keeper;
use crate::pass::Pass;
use crate::session::{Arrived, Ended, Endpoint, Session};
use crate::transport::{Arrival, Dial, Transport};
use crate::trust::{Trust, TrustError};

/// What callers want.
pub(crate) enum Command {
    /// An answer.
    Ask(Ask),
    /// To hear of feed and messages: a session is kept open from now on.
    Watch,
}

/// What a driver works with.
pub(crate) struct Parts<D: Dial> {
    pub(crate) dial: D,
    pub(crate) pass: Arc<Pass<D>>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) trust: Arc<Mutex<Trust>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) endpoint: Endpoint,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) feed: watch::Sender<u64>,
    pub(crate) messages: watch::Sender<u64>,
}

/// Keeps one device connected to its vault for as long as anybody asks.
pub(crate) struct Driver<D: Dial> {
    pub(super) parts: Parts<D>,
    pub(super) outstanding: Outstanding,
    pub(super) watching: bool,
    pub(super) news: Option<News>,
    /// What finds out whether the vault that was seen is there.
    pub(super) probe: Option<Probe>,
    pub(super) transport: Option<D::Transport>,
    pub(super) connected: bool,
    pub(super) session: Option<Session>,
    pub(super) known: Option<KnownEnclave>,
    pub(super) floor: Option<u64>,
    pub(super) renewal: Option<JoinHandle<bool>>,
    pub(super) renew_at: Instant,
    pub(super) asked_node: bool,
    pub(super) failures: u32,
    pub(super) retry_at: Instant,
    pub(super) quiet_since: Instant,
    pub(super) absence: Absence,
}

impl<D: Dial> Driver<D> {
    pub(crate) fn new(parts: Parts<D>) -> Self {
        let now = Instant::now();
        Self {
            parts,
            outstanding: Outstanding::default(),
            watching: false,
            news: None,
            probe: None,
            transport: None,
            connected: false,
            session: None,
            known: None,
            floor: None,
            renewal: None,
            renew_at: now,
            asked_node: false,
            failures: 0,
            retry_at: now,
            quiet_since: now,
            absence: Absence::default(),
        }
    }

    /// Runs until every caller is gone.
    pub(crate) async fn run(mut self) {
        // One timer for all turns. It may go off early, since most messages only move its end away.
        let mut alarm = pin!(sleep_until(self.wake_at()));
        loop {
            self.advance().await;
            let wake = self.wake_at();
            if alarm.is_elapsed() || wake < alarm.deadline() {
                alarm.as_mut().reset(wake);
            }
            let room = self.outstanding.len() < MOST_OUTSTANDING;
            tokio::select! {
                command = self.parts.commands.recv(), if room => match command {
                    Some(command) => self.take(command).await,
                    None => return,
                },
                arrival = receive(&mut self.transport) => self.arrived(arrival).await,
                renewed = finished(&mut self.renewal) => self.renewed(renewed).await,
                answer = answered(&mut self.news) => self.heard(answer),
                () = &mut alarm => {}
            }
        }
    }

    /// Takes what callers want. Those who are about to ask as well, since replies to them came
    /// together, get a turn first: their requests share a frame.
    async fn take(&mut self, first: Command) {
        tokio::task::yield_now().await;
        let is_open = self.session.as_ref().is_some_and(Session::is_open);
        if self.outstanding.is_empty() && !is_open {
            self.failures = 0;
            self.absence = Absence::default();
            self.retry_at = Instant::now();
        }
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Ask(ask) => self.outstanding.add(ask),
                Command::Watch => self.watch(),
            }
            let room = self.outstanding.len() < MOST_OUTSTANDING;
            next = if room {
                self.parts.commands.try_recv().ok()
            } else {
                None
            };
        }
    }

    fn watch(&mut self) {
        self.watching = true;
        // Without a session the one that opens next asks.
        if self.session.as_ref().is_some_and(Session::is_open) {
            self.catch_up();
        }
    }

    /// Does what can be done without waiting for the vault.
    async fn advance(&mut self) {
        self.outstanding.forget_abandoned();
        self.check_patience();
        self.renew_in_time();
        if !self.is_wanted() || Instant::now() < self.retry_at {
            return;
        }
        if self.transport.is_none() {
            match self.parts.dial.connect(Arc::clone(&self.parts.pass)).await {
                Ok(transport) => {
                    self.transport = Some(transport);
                    self.connected = true;
                }
                // Credentials may be void though they have not ended: those of a space that was
                // suspended and let in again.
                Err(Error::Unreachable(Unreachable::BusRefused)) if !self.asked_node => {
                    return self.ask_node().await;
                }
                Err(error) => return self.failed(&error),
            }
        }
        if !self.connected {
            return;
        }
        match &self.session {
            None => self.open().await,
            Some(session) if session.is_open() => self.send_requests().await,
            Some(_) => {}
        }
    }

    async fn open(&mut self) {
        let now = self.parts.clock.now();
        let known = self.known.clone();
        let started = Session::start(
            &self.parts.endpoint,
            &mut lock(&self.parts.trust),
            known,
            now,
        );
        match started {
            Ok((session, envelope)) => {
                self.session = Some(session);
                self.quiet_since = Instant::now();
                self.publish(vec![envelope]).await;
            }
            Err(ended) => self.ended(ended).await,
        }
    }

    async fn send_requests(&mut self) {
        if self.probe.is_some() {
            return self.probe().await;
        }
        let now = self.parts.clock.now();
        if !self.outstanding.any_sent() {
            self.quiet_since = Instant::now();
        }
        let messages = self.outstanding.unsent();
        let Some(session) = self.session.as_mut().filter(|_| !messages.is_empty()) else {
            return;
        };
        match session.seal(now, &messages) {
            Ok(envelopes) => {
                self.outstanding.sent();
                self.publish(envelopes).await;
            }
            Err(ended) => self.ended(ended).await,
        }
    }

    pub(super) async fn publish(&mut self, envelopes: Vec<Vec<u8>>) {
        let Some(transport) = &mut self.transport else {
            return;
        };
        for envelope in envelopes {
            if let Err(error) = transport.publish(envelope).await {
                self.transport = None;
                return self.failed(&error.into());
            }
        }
    }

    /// Takes what came, and what came with it, so that it is kept at once.
    async fn arrived(&mut self, first: Arrival) {
        let mut release = Release::default();
        let mut next = Some(first);
        while let Some(arrival) = next {
            match arrival {
                Arrival::Envelope(bytes) => self.envelope(&bytes, &mut release).await,
                Arrival::Nobody => self.absent(),
                Arrival::Interrupted => {
                    self.connected = false;
                    self.absence.ends();
                    self.quiet_since = Instant::now();
                    self.lose(&Unreachable::Bus.into());
                }
                Arrival::Resumed => self.connected = true,
                Arrival::Closed => {
                    self.transport = None;
                    self.failed(&Unreachable::Bus.into());
                }
            }
            next = match &mut self.transport {
                Some(transport) if release.len() < BATCH => transport.receive().now_or_never(),
                _ => None,
            };
        }
        release.release(&self.parts.keeper);
    }

    async fn envelope(&mut self, bytes: &[u8], release: &mut Release) {
        let Some(session) = &mut self.session else {
            return;
        };
        let now = self.parts.clock.now();
        let arrived = session.handle(
            bytes,
            &self.parts.endpoint,
            &mut lock(&self.parts.trust),
            now,
        );
        if !matches!(arrived, Ok(Arrived::Nothing)) {
            self.absence.ends();
        }
        match arrived {
            Ok(Arrived::Nothing) => {}
            Ok(Arrived::Send(envelopes)) => self.publish(envelopes).await,
            Ok(Arrived::Opened) => match self.refused() {
                None => self.opened(),
                Some(error) => self.failed(&error.into()),
            },
            Ok(Arrived::Messages(messages)) => {
                for message in messages {
                    self.message(message, release);
                }
            }
            Err(ended) => self.ended(ended).await,
        }
    }

    /// Why nothing is sent in a session whose two sides are proven.
    fn refused(&self) -> Option<TrustError> {
        let checked = lock(&self.parts.trust).check_setting_up();
        checked.err().filter(|_| self.sets_up())
    }

    /// Whether the vault is still being set up.
    pub(super) fn sets_up(&self) -> bool {
        let keeper = &self.parts.keeper;
        keeper.read(|state| state.enrollment.is_some())
    }

    /// Keeps what the session proved, before anything is sent in it.
    fn opened(&mut self) {
        if let Err(error) = self.remember() {
            return self.failed(&error);
        }
        if let Err(error) = self.begin_with_probe() {
            return self.failed(&error);
        }
        self.known = self.session.as_ref().and_then(Session::known_enclave);
        self.floor = self.parts.keeper.head().map(|head| head.number);
        self.asked_node = false;
        self.quiet_since = Instant::now();
        self.catch_up();
    }

    /// Keeps what was accepted, if it is new.
    pub(super) fn remember(&self) -> Result<(), Error> {
        let remembered = lock(&self.parts.trust).remembered();
        let keeper = &self.parts.keeper;
        if keeper.read(|state| state.remembered) != remembered {
            keeper.change(|state| state.remembered = remembered)?;
        }
        Ok(())
    }

    fn message(&mut self, message: FromVault, release: &mut Release) {
        self.quiet_since = Instant::now();
        match message {
            FromVault::Reply(reply) => {
                if let Some(probe) = self.probe_answered(reply.id) {
                    return self.probed(&probe, &reply.outcome);
                }
                self.failures = 0;
                self.absence.answered();
                if let Some((ask, repeated)) = self.outstanding.answered(reply.id) {
                    let floor = self.floor.filter(|_| !repeated);
                    release.add(ask.answer, Answered { reply, repeated }, floor);
                }
            }
            FromVault::Feed(sequence) => announce(&self.parts.feed, sequence),
            FromVault::Messages(change) => announce(&self.parts.messages, change),
            FromVault::Closing => self.lose(&Unreachable::Reset.into()),
        }
    }

    pub(super) async fn ended(&mut self, ended: Ended) {
        match ended {
            // A vault in a later policy epoch drops a device of an earlier one without a word.
            Ended::Reset if self.failures > 0 && !self.asked_node => {
                self.ask_node().await;
            }
            Ended::Broken | Ended::Reset => self.failed(&Unreachable::Reset.into()),
            Ended::Forgotten => {
                self.known = None;
                self.failed(&Unreachable::Reset.into());
            }
            Ended::Unreadable => self.failed(&Fault::Answer.into()),
            Ended::Untrusted(TrustError::PolicyAhead { .. }) if !self.asked_node => {
                self.ask_node().await;
            }
            Ended::Untrusted(error) => self.failed(&error.into()),
        }
    }

    /// Fetches credentials, and the network file that comes with them, once for every session that opens.
    async fn ask_node(&mut self) {
        self.asked_node = true;
        let error = self.parts.pass.renew().await.err();
        let error = error.filter(|error| !error.is_passing());
        self.failed(&error.unwrap_or_else(|| Unreachable::Reset.into()));
    }

    /// The session is gone; what is not answered is repeated in another one.
    pub(super) fn lose(&mut self, error: &Error) {
        self.session = None;
        self.probe = None;
        self.outstanding.requeue(error);
    }

    /// The same, and it counts against the vault being reached at all.
    pub(super) fn failed(&mut self, error: &Error) {
        self.lose(error);
        self.failures = self.failures.saturating_add(1);
        if !error.is_passing() || self.failures > REOPENINGS {
            self.outstanding.fail(error);
        }
        let now = Instant::now();
        self.retry_at = now.checked_add(backoff(self.failures)).unwrap_or(now);
    }
}

async fn receive<T: Transport>(transport: &mut Option<T>) -> Arrival {
    match transport {
        Some(transport) => transport.receive().await,
        None => pending().await,
    }
}

async fn finished(task: &mut Option<JoinHandle<bool>>) -> bool {
    match task {
        Some(task) => task.await.unwrap_or(false),
        None => pending().await,
    }
}

/// A change of the trust that panicked half-way leaves values of valid types, and only stricter.
pub(super) fn lock(trust: &Mutex<Trust>) -> MutexGuard<'_, Trust> {
    trust.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests without an answer at once; more wait with their callers.
const MOST_OUTSTANDING: usize = 1_024;
/// Replies that are kept together.
const BATCH: usize = 64;
/// Sessions that may fail in a row before callers are told. With the waits in between an enclave has
/// some seconds to start anew.
const REOPENINGS: u32 = 6;
