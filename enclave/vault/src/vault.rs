//! One owner's vault, as its process holds it.

use vettid_crypto::Entropy;
use vettid_crypto::password::Cost;
use vettid_crypto::sign::{Signature, VerifyingKey};
use vettid_store::Database;
use vettid_wire::home;
use vettid_wire::id::{DeliveryId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::Closed;
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::time::UnixMillis;

use crate::lifecycle::{Phase, State, checkpoint, peering, upkeep};
use crate::outside::Outside;
use crate::pace::Pace;
use crate::stop::Stop;
use crate::{
    Answer, Caller, Clock, HeaderKeys, Host, Inbound, Place, Received, Unreadable, dispatch,
};

/// One owner's vault: from the first request of an invited app to the lock.
///
/// Every method returns at once but for what the host makes it wait for. Whoever drives it releases
/// a reply when the record that the answer names is durable, and ends the process when an answer
/// says that the vault is closed.
#[derive(Debug)]
pub struct Vault {
    space: SpaceId,
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
        keys: HeaderKeys,
        token_hash: [u8; 32],
        template: Database,
        clock: &dyn Clock,
    ) -> Self {
        let state = State::fresh(space, keys, token_hash, template);
        Self {
            space,
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
        keys: HeaderKeys,
        template: Database,
        host: &mut dyn Host,
        clock: &dyn Clock,
    ) -> Result<Self, Unreadable> {
        let state = State::existing(space, keys, template, host)?;
        let mut vault = Self {
            space,
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
        if self.follow_up(&mut out, close.is_some()).is_err() {
            return self.lost();
        }
        self.never_before_its_record(clock);
        let reply = dispatch::reply(id, self.state.head(), served);
        let mut answer = self.answer();
        (answer.reply, answer.close) = (reply, close);
        answer.feed = answer.feed.max(feed);
        if close.is_some() {
            self.state = State::Closed;
        }
        answer
    }

    /// Takes in where the vault's node is now; the first time after an unlock, hands on everything
    /// that is still to be delivered. To be called after every unlock, and when anything in it changes.
    pub fn place(
        &mut self,
        place: &Place,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut out = self.outside(host, clock, entropy);
        let placed = peering::place(&mut self.state, place, &mut out);
        self.concluded(placed, &mut out)
    }

    /// Hands on everything that is still to be delivered: the host has not stored all of it.
    pub fn hand_on(
        &mut self,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut out = self.outside(host, clock, entropy);
        peering::hand_on(&mut self.state);
        self.concluded(Ok(()), &mut out)
    }

    /// Takes something from another vault.
    pub fn receive(
        &mut self,
        inbound: &Inbound<'_>,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Received {
        let mut out = self.outside(host, clock, entropy);
        match peering::receive(&mut self.state, inbound, &mut out) {
            Ok(outcome) => {
                let answer = self.concluded(Ok(()), &mut out);
                // What cannot be made durable is not answered for.
                let outcome = match answer.close {
                    Some(_) => Delivered::Refused(NotTaken::Busy),
                    None => outcome,
                };
                Received { outcome, answer }
            }
            Err(_) => Received {
                outcome: Delivered::Refused(NotTaken::Busy),
                answer: self.lost(),
            },
        }
    }

    /// Takes in what became of something for another vault.
    pub fn settled(
        &mut self,
        delivery: DeliveryId,
        outcome: Delivered,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut out = self.outside(host, clock, entropy);
        let settled = peering::settled(&mut self.state, &delivery, outcome, &mut out);
        self.concluded(settled, &mut out)
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
        let kept_up = upkeep::run(&mut self.state, &mut out);
        self.concluded(kept_up, &mut out)
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

    /// Proves to the enclave, which drew `challenge` for this vault's process, that the process holds
    /// the vault's identity. None while the vault is not open.
    #[must_use]
    pub fn claim(&self, challenge: &[u8; 32]) -> Option<Signature> {
        let key = peering::identity_key(&self.state)?;
        Some(home::claim(&self.space, challenge, &key))
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
            at_hand: None,
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

    /// Says what is still to be said, and writes a snapshot that cannot wait.
    fn follow_up(&mut self, out: &mut Outside<'_>, closing: bool) -> Result<(), Stop> {
        if closing {
            upkeep::before_closing(&mut self.state, out)?;
        }
        peering::follow_up(&mut self.state, out)?;
        if checkpoint::overdue(&self.state) {
            checkpoint::take(&mut self.state, out)?;
        } else if closing {
            checkpoint::before_closing(&mut self.state, out)?;
        }
        Ok(())
    }

    /// The answer to what no device asked for.
    fn concluded(&mut self, result: Result<(), Stop>, out: &mut Outside<'_>) -> Answer {
        match result.and_then(|()| self.follow_up(out, false)) {
            Ok(()) => self.answer(),
            Err(_) => self.lost(),
        }
    }

    /// What has come of everything since the last answer.
    fn answer(&mut self) -> Answer {
        let after = self.state.newest();
        let news = self
            .state
            .unlocked()
            .map(|open| std::mem::take(&mut open.news))
            .unwrap_or_default();
        Answer {
            after,
            feed: news.feed,
            messages: news.messages,
            outbound: news.outbound,
            home: news.home,
            ..Answer::default()
        }
    }

    fn lost(&mut self) -> Answer {
        self.state = State::Closed;
        Answer {
            close: Some(Closed::AppendRefused),
            ..Answer::default()
        }
    }

    /// Makes hashing cheap. Tests only.
    #[cfg(any(test, feature = "simulation"))]
    #[must_use]
    pub fn dangerous_with_cost(self, cost: Cost) -> Self {
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

    /// Does what no operation does, as a vault would that was tampered with. Tests only.
    #[cfg(test)]
    pub(crate) fn dangerous_stir<T>(
        &mut self,
        host: &mut dyn Host,
        clock: &dyn Clock,
        entropy: &mut dyn Entropy,
        body: impl FnOnce(&mut crate::effect::Changing<'_>) -> T,
    ) -> (T, Answer) {
        let mut out = self.outside(host, clock, entropy);
        let open = self.state.unlocked().expect("unlocked");
        let value = open.stir(&mut out, |on| Ok(body(on))).expect("committed");
        (value, self.answer())
    }
}
