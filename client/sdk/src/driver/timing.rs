//! What happens because time passes: patience ends, credentials are renewed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use vettid_wire::limits;

use super::driving::Driver;
use super::probe::Probe;
use crate::error::Unreachable;
use crate::transport::{Dial, Transport};

impl<D: Dial> Driver<D> {
    /// Ends what has been silent for too long.
    pub(super) fn check_patience(&mut self) {
        let silent = self.quiet_since.elapsed() >= self.patience();
        if !silent || !self.is_wanted() {
            return;
        }
        if !self.connected {
            if self.transport.take().is_some() {
                self.failed(&Unreachable::Bus.into());
            }
            return;
        }
        let is_due = match &self.session {
            Some(session) => {
                let is_asked = self.probe.as_ref().is_some_and(Probe::is_sent);
                !session.is_open() || self.outstanding.any_sent() || is_asked
            }
            None => false,
        };
        if is_due {
            self.failed(&Unreachable::Unanswered.into());
        }
    }

    /// Nobody at the node takes what is sent: it does not run, though its bus does. One that is just
    /// started anew is waited for.
    pub(super) fn absent(&mut self) {
        if self.session.is_none() {
            // Known already.
            return;
        }
        let now = Instant::now();
        let (is_over, pause) = self.absence.found(now);
        let sent = Unreachable::Unanswered.into();
        self.lose(&sent);
        if is_over {
            let never = Unreachable::Absent.into();
            self.outstanding.fail_unless_sent(&never, &sent);
        }
        self.retry_at = now.checked_add(pause).unwrap_or(now);
    }

    /// How long silence is borne.
    fn patience(&self) -> Duration {
        match &self.session {
            Some(session) if session.is_open() => REPLY,
            _ => OPENING,
        }
    }

    /// Renews the bus credentials well before they end, in a task of its own.
    pub(super) fn renew_in_time(&mut self) {
        let now = Instant::now();
        let is_idle = self.renewal.is_none() && now >= self.renew_at;
        if is_idle && self.transport.is_some() && self.parts.pass.ends_within(RENEWAL) {
            let pass = Arc::clone(&self.parts.pass);
            self.renewal = Some(tokio::spawn(async move { pass.renew().await.is_ok() }));
            self.renew_at = now.checked_add(RENEWAL_RETRY).unwrap_or(now);
        }
    }

    pub(super) async fn renewed(&mut self, renewed: bool) {
        self.renewal = None;
        if renewed && let Some(transport) = &mut self.transport {
            transport.refresh().await;
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.watching || !self.outstanding.is_empty()
    }

    pub(super) fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut wake = now.checked_add(TICK).unwrap_or(now);
        if self.is_wanted() {
            if self.retry_at > now {
                wake = wake.min(self.retry_at);
            }
            let patience = self
                .quiet_since
                .checked_add(self.patience())
                .unwrap_or(wake);
            if patience > now {
                wake = wake.min(patience);
            }
        }
        wake
    }
}

/// Silence during a handshake, before another one is tried.
const OPENING: Duration = Duration::from_secs(5);
/// Silence after a request, before it is repeated in another session.
const REPLY: Duration = Duration::from_secs(15);
/// How often the clock is looked at when nothing happens.
const TICK: Duration = Duration::from_secs(60);
/// Bus credentials with less time left than this, ms, are renewed.
const RENEWAL: u64 = limits::BUS_CREDENTIAL / 4;
/// Between attempts to renew.
const RENEWAL_RETRY: Duration = Duration::from_secs(5 * 60);
