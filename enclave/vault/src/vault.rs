//! One owner's vault, as its process holds it.

use vettid_crypto::password::Cost;
use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::{Entropy, SealingKey};
use vettid_store::Database;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::link::Closed;
use vettid_wire::time::UnixMillis;

use crate::lifecycle::{Phase, State, checkpoint, upkeep};
use crate::outside::Outside;
use crate::pace::Pace;
use crate::stop::Stop;
use crate::{Answer, Caller, Clock, Host, Unreadable, dispatch};

/// One owner's vault: from the first request of an invited app to the lock.
///
/// Every method returns at once but for what the host makes it wait for. Whoever drives it releases
/// a reply when the record that the answer names is durable, and ends the process when an answer
/// says that the vault is closed.
#[derive(Debug)]
pub struct Vault {
    state: State,
    pace: Pace,
    started: UnixMillis,
    /// The vault's time less the clock's: more than zero after the clock was set back.
    ahead: u64,
    cost: Cost,
}

impl Vault {
    /// A vault that does not exist yet; whoever knows the token of this hash may set it up.
    #[must_use]
    pub fn fresh(
        space: SpaceId,
        sealing_key: SealingKey,
        token_hash: [u8; 32],
        template: Database,
        clock: &dyn Clock,
    ) -> Self {
        let state = State::fresh(space, sealing_key, token_hash, template);
        Self {
            state,
            pace: Pace::default(),
            started: clock.now(),
            ahead: 0,
            cost: Cost::STANDARD,
        }
    }

    /// A vault with a log, sealed until its owner proves the PIN.
    ///
    /// Reads the log. One that is damaged or rolled back gives a vault that serves nothing and says
    /// why to whoever asks.
    pub fn existing(
        space: SpaceId,
        sealing_key: SealingKey,
        template: Database,
        host: &mut dyn Host,
        clock: &dyn Clock,
    ) -> Result<Self, Unreadable> {
        let state = State::existing(space, sealing_key, template, host)?;
        let mut vault = Self {
            state,
            pace: Pace::default(),
            started: clock.now(),
            ahead: 0,
            cost: Cost::STANDARD,
        };
        vault.never_before_its_record(clock);
        Ok(vault)
    }

    /// Answers one request.
    pub fn call(
        &mut self,
        caller: &Caller,
        request: &[u8],
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut out = self.outside(host, clock, entropy);
        let expired = self.enrollment_expired(out.now);
        if expired {
            self.state = State::expired();
        }
        let (id, served) =
            dispatch::serve(&mut self.state, &mut self.pace, caller, request, &mut out);
        let (feed, close) = match &served {
            Ok(served) => (served.feed, served.close),
            Err(_) => (None, expired.then_some(Closed::EnrollmentExpired)),
        };
        let served = match served {
            Ok(served) => Ok(served),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Lost) => return self.lost(),
        };
        let snapshot = if checkpoint::overdue(&self.state) {
            checkpoint::take(&mut self.state, &mut out)
        } else if close.is_some() {
            checkpoint::before_closing(&mut self.state, &mut out)
        } else {
            Ok(())
        };
        if snapshot.is_err() {
            return self.lost();
        }
        self.never_before_its_record(clock);
        let after = self.state.newest();
        let reply = dispatch::reply(id, self.state.head(), served);
        if close.is_some() {
            self.state = State::Closed;
        }
        Answer {
            reply,
            after,
            feed,
            close,
        }
    }

    /// Does what time asks for: ends an enrollment that took too long, forgets what need not be
    /// kept, writes a snapshot when it is due, gives memory back. For when nothing else is going on.
    pub fn tick(
        &mut self,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut out = self.outside(host, clock, entropy);
        if self.enrollment_expired(out.now) {
            self.state = State::expired();
            return Answer {
                close: Some(Closed::EnrollmentExpired),
                ..Answer::default()
            };
        }
        if upkeep::run(&mut self.state, &mut out).is_err() {
            return self.lost();
        }
        Answer {
            after: self.state.newest(),
            ..Answer::default()
        }
    }

    /// Whether a device may have a session. To a vault that is not set up, or that can only say
    /// why it serves nothing, anybody may speak.
    #[must_use]
    pub fn admits(&self, device_key: &VerifyingKey) -> bool {
        match self.state.header() {
            Some(header) => header.device(device_key).is_some(),
            None => !matches!(self.state, State::Closed),
        }
    }

    /// What state the vault is in.
    #[must_use]
    pub fn state(&self) -> Phase {
        self.state.phase()
    }

    fn outside<'a>(
        &self,
        host: &'a mut dyn Host,
        clock: &dyn Clock,
        entropy: &'a mut dyn Entropy,
    ) -> Outside<'a> {
        Outside {
            host,
            entropy,
            now: clock.now().plus(self.ahead),
            cost: self.cost,
        }
    }

    /// Keeps the vault's time at or behind the latest that it has on record.
    fn never_before_its_record(&mut self, clock: &dyn Clock) {
        let now = clock.now().plus(self.ahead);
        self.ahead = self
            .ahead
            .saturating_add(self.state.time_floor().since(now));
    }

    fn enrollment_expired(&self, now: UnixMillis) -> bool {
        matches!(self.state.phase(), Phase::Fresh | Phase::Staged)
            && now.since(self.started) > limits::ENROLLMENT
    }

    fn lost(&mut self) -> Answer {
        self.state = State::Closed;
        Answer {
            close: Some(Closed::AppendRefused),
            ..Answer::default()
        }
    }

    /// Makes hashing cheap. Tests only.
    #[cfg(test)]
    pub(crate) fn dangerous_with_cost(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    /// The database, to look behind the operations. Tests only.
    #[cfg(test)]
    pub(crate) fn database(&mut self) -> &mut Database {
        &mut self.state.unlocked().expect("unlocked").database
    }

    /// The header. Tests only.
    #[cfg(test)]
    pub(crate) fn header_mut(&mut self) -> &mut vettid_store::Header {
        &mut self.state.unlocked().expect("unlocked").gate.header
    }

    /// Does something behind the operations. Tests only.
    #[cfg(test)]
    pub(crate) fn act<T>(
        &mut self,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
        f: impl FnOnce(&mut crate::lifecycle::Unlocked, &mut Outside<'_>) -> T,
    ) -> T {
        let mut out = self.outside(host, clock, entropy);
        f(self.state.unlocked().expect("unlocked"), &mut out)
    }
}
