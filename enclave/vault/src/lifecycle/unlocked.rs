//! An open vault.

use std::collections::BTreeMap;

use vettid_crypto::VaultKey;
use vettid_store::{Attempts, Change, Committed, Database, Header, Lock, Room, View};
use vettid_wire::id::{DeviceId, SessionId};
use vettid_wire::time::{HOUR, UnixMillis};
use vettid_wire::{Secret, limits};

use super::Gate;
use super::gate::{Charge, RightPin};
use crate::audit;
use crate::call::Call;
use crate::circle::Held;
use crate::connect::News;
use crate::connect::flow::Flow;
use crate::effect::{Changing, Inside, Traces};
use crate::mls::AtHand;
use crate::outside::Outside;
use crate::stop::Stop;

/// An open vault: everything that the PIN gives.
#[derive(Debug)]
pub(crate) struct Unlocked {
    pub(crate) gate: Gate,
    pub(crate) key: VaultKey,
    pub(crate) database: Database,
    pub(crate) pins: FreshPins,
    /// Newest time in the audit chain when the vault was opened.
    pub(crate) last_event: UnixMillis,
    /// When to forget next what need not be kept.
    pub(crate) next_upkeep: UnixMillis,
    /// Refusals that may be noted yet.
    pub(crate) refusals: Refusals,
    /// When the vault was opened.
    pub(crate) opened: UnixMillis,
    /// When to tell other vaults next what was applied.
    pub(crate) next_answer: UnixMillis,
    /// When to do next what time asks for between this vault and others.
    pub(crate) next_round: UnixMillis,
    /// How much comes from others.
    pub(crate) flow: Flow,
    /// Whether it has had a home since it was unlocked.
    pub(crate) placed: bool,
    /// What in groups was told to come again.
    pub(crate) held: Held,
    /// What the next answer takes along.
    pub(crate) news: News,
    /// Groups that need not be read.
    pub(crate) at_hand: AtHand,
}

/// How many refusals the audit chain takes: a device that repeats what is refused must not fill the
/// vault with the traces of it. The first ones of an hour say enough.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    hour: u64,
    noted: u32,
}

impl Refusals {
    fn may_note(&mut self, now: UnixMillis) -> bool {
        let hour = now.0 / HOUR;
        if self.hour != hour {
            *self = Self { hour, noted: 0 };
        }
        self.noted = self.noted.saturating_add(1);
        self.noted <= limits::REFUSALS
    }
}

impl Unlocked {
    /// The committed state.
    pub(crate) fn view(&self) -> View<'_> {
        self.database.view()
    }

    /// Runs one transaction, with this much room, and hands its record on. On a refusal nothing has
    /// changed.
    pub(crate) fn commit<T>(
        &mut self,
        room: Room,
        out: &mut Outside<'_>,
        body: impl FnOnce(&Change<'_>, &mut Outside<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let Committed { value, changeset } = self.transact(room, out, body)?;
        if let Some(changeset) = changeset {
            self.gate.log.changeset(&changeset, &self.key, out)?;
        }
        Ok(value)
    }

    /// Runs one transaction, and hands its record on once it is known from its value whether the owner
    /// approved the release that is offered: the same record then seals the header for that release, too.
    /// On a refusal nothing has changed.
    pub(crate) fn commit_approving<T>(
        &mut self,
        room: Room,
        out: &mut Outside<'_>,
        body: impl FnOnce(&Change<'_>, &mut Outside<'_>) -> Result<(T, bool), Stop>,
    ) -> Result<T, Stop> {
        let Committed { value, changeset } = self.transact(room, out, body)?;
        let (value, approved) = value;
        let Gate { header, log } = &mut self.gate;
        if approved {
            log.keys.approve();
        }
        match (changeset, approved) {
            (Some(changeset), false) => log.changeset(&changeset, &self.key, out)?,
            (Some(changeset), true) => log.joint(header, &changeset, &self.key, out)?,
            (None, true) => log.header(header, out)?,
            (None, false) => {}
        }
        Ok(value)
    }

    fn transact<T>(
        &mut self,
        room: Room,
        out: &mut Outside<'_>,
        body: impl FnOnce(&Change<'_>, &mut Outside<'_>) -> Result<T, Stop>,
    ) -> Result<Committed<T>, Stop> {
        let (database, at_hand) = (&mut self.database, &self.at_hand);
        database.transaction_in(room, |change| {
            let mut out = Outside {
                at_hand: Some(at_hand),
                ..out.lend()
            };
            body(change, &mut out)
        })
    }

    /// What changes are made in.
    pub(crate) fn inside(&self) -> Inside {
        Inside {
            vault: self.gate.header.vault,
            indexed: self.database.is_indexed(),
            offered: self.gate.log.keys.offered(),
        }
    }

    /// Runs one transaction that nobody asked for: something came, or time has passed. On a refusal
    /// nothing has changed.
    pub(crate) fn stir<T>(
        &mut self,
        out: &mut Outside<'_>,
        body: impl FnOnce(&mut Changing<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.stir_in(Room::Ordinary, out, body)
    }

    /// The same, with this much room.
    pub(crate) fn stir_in<T>(
        &mut self,
        room: Room,
        out: &mut Outside<'_>,
        body: impl FnOnce(&mut Changing<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut traces = Traces::default();
        let inside = self.inside();
        let value = self.commit(room, out, |change, out| {
            body(&mut Changing::new(change, out, inside, &mut traces))
        })?;
        self.news.absorb(traces.news);
        Ok(value)
    }

    /// Runs one transaction, which may use the reserve, and hands its record on, which also carries
    /// the header as `turn` leaves it. The `settled` oldest attempts that the audit chain lacks go
    /// into it. On a refusal nothing has changed.
    fn commit_with_header<T>(
        &mut self,
        out: &mut Outside<'_>,
        settled: usize,
        turn: impl FnOnce(&mut Header),
        body: impl FnOnce(&Change<'_>, &mut Outside<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let Self {
            gate,
            key,
            database,
            ..
        } = self;
        let tried = gate.header.unaudited.iter().take(settled);
        let run = |change: &Change<'_>| {
            for attempt in tried {
                audit::note_attempt(change, attempt)?;
            }
            body(change, out)
        };
        let committed: Result<Committed<T>, Stop> = database.transaction_in(Room::Reserve, run);
        let Committed { value, changeset } = committed?;
        let header = &mut gate.header;
        header.unaudited.clear();
        header.time_floor = header.time_floor.max(out.now);
        turn(header);
        match changeset {
            Some(changeset) => gate.log.joint(header, &changeset, key, out)?,
            None => gate.log.header(header, out)?,
        }
        Ok(value)
    }

    /// Commits what a right PIN was proven for. The same record clears the account of wrong PINs,
    /// puts those that were tried before into the audit chain, and replaces the lock, if there is
    /// another one. On a refusal the attempt is given back and nothing else has changed.
    pub(crate) fn commit_right_pin<T>(
        &mut self,
        charge: Charge,
        lock: Option<Lock>,
        out: &mut Outside<'_>,
        body: impl FnOnce(&Change<'_>, &mut Outside<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let wrong = self.gate.header.unaudited.len().saturating_sub(1);
        let turn = |header: &mut Header| {
            header.attempts = Attempts::default();
            header.moved_from = None;
            if let Some(lock) = lock {
                header.lock = lock;
            }
        };
        let committed = self.commit_with_header(out, wrong, turn, body);
        if let Err(Stop::Refused(_)) = &committed {
            self.gate.give_back(charge, out)?;
        }
        committed
    }

    /// Adds to the audit chain that a call was refused. A vault that has no room for the event says
    /// all the same why it refused.
    pub(crate) fn note_refusal(
        &mut self,
        call: &Call<'_>,
        out: &mut Outside<'_>,
        subject: Option<&[u8]>,
    ) -> Result<(), Stop> {
        if !self.refusals.may_note(out.now) {
            return Ok(());
        }
        let noted = self.commit(Room::Ordinary, out, |change, out| {
            audit::note_call(change, call, subject, false, out.now)
        });
        unless_lost(noted)
    }

    /// Tries a PIN on the open vault. A wrong one is on record, and this session's earlier proof no
    /// longer counts.
    pub(crate) fn try_pin(
        &mut self,
        pin: &Secret,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<RightPin, Stop> {
        let listed = self.gate.header.unaudited.len();
        let tried = self.gate.try_pin(pin, call, out);
        if let Err(Stop::Refused(_)) = &tried {
            self.pins.forget(call);
            let all = self.gate.header.unaudited.len();
            let noted = if all > listed {
                self.commit_with_header(out, all, |_| (), |_, _| Ok(()))
            } else {
                // It has to wait, and was not charged.
                self.note_refusal(call, out, None)
            };
            // Without room for the event, an attempt that was charged stays listed in the header.
            unless_lost(noted)?;
        }
        tried
    }
}

/// Takes a refusal for nothing: what was refused was only to be noted.
fn unless_lost(noted: Result<(), Stop>) -> Result<(), Stop> {
    match noted {
        Ok(()) | Err(Stop::Refused(_)) => Ok(()),
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// In which sessions the PIN was proven, and when.
///
/// Session ids are chosen by whoever opens a session, so a proof counts for its device only.
#[derive(Debug, Default)]
pub(crate) struct FreshPins(BTreeMap<(DeviceId, SessionId), UnixMillis>);

impl FreshPins {
    /// The PIN was proven now. Proofs that no longer count are forgotten, so there are never more
    /// than were made within [`limits::FRESH_PIN`].
    pub(crate) fn prove(&mut self, call: &Call<'_>, now: UnixMillis) {
        self.0
            .retain(|_, proven| now.since(*proven) <= limits::FRESH_PIN);
        self.0.insert(key(call), now);
    }

    /// Whether a proof of this caller's session still counts.
    pub(crate) fn is_fresh(&self, call: &Call<'_>, now: UnixMillis) -> bool {
        self.0
            .get(&key(call))
            .is_some_and(|proven| now.since(*proven) <= limits::FRESH_PIN)
    }

    /// A proof no longer counts.
    pub(crate) fn forget(&mut self, call: &Call<'_>) {
        self.0.remove(&key(call));
    }
}

fn key(call: &Call<'_>) -> (DeviceId, SessionId) {
    (call.device, call.caller.session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Caller;
    use crate::fixture::encode;
    use vettid_crypto::sign::VerifyingKey;
    use vettid_wire::id::{DeviceRoute, RequestId};
    use vettid_wire::operation::vault::Status;
    use vettid_wire::request::Request;

    fn with_call<T>(device: u8, session: u8, f: impl FnOnce(&Call<'_>) -> T) -> T {
        let caller = Caller {
            device_key: VerifyingKey([device; 32]),
            route: DeviceRoute([0; 16]),
            session: SessionId([session; 16]),
        };
        let bytes = encode(RequestId([0; 16]), &Status { seen: None });
        let request: Request = vettid_wire::cbor::decode(&bytes).expect("request");
        f(&Call::new(&caller, &request, &bytes))
    }

    #[test]
    fn proof_counts_for_five_minutes_and_its_device_and_session_only() {
        let mut pins = FreshPins::default();
        with_call(1, 1, |call| pins.prove(call, UnixMillis(1_000)));
        let fresh = |pins: &FreshPins, device, session, now| {
            with_call(device, session, |call| pins.is_fresh(call, UnixMillis(now)))
        };

        assert!(fresh(&pins, 1, 1, 1_000 + limits::FRESH_PIN));
        assert!(!fresh(&pins, 1, 1, 1_001 + limits::FRESH_PIN));
        assert!(!fresh(&pins, 1, 2, 1_000));
        assert!(!fresh(&pins, 2, 1, 1_000));
        with_call(1, 1, |call| pins.forget(call));
        assert!(!fresh(&pins, 1, 1, 1_000));
    }

    #[test]
    fn so_many_refusals_of_an_hour_are_noted_and_those_of_the_next_again() {
        let mut refusals = Refusals::default();
        let noted = |refusals: &mut Refusals, now| {
            (0..2 * limits::REFUSALS)
                .filter(|_| refusals.may_note(UnixMillis(now)))
                .count()
        };

        let most = usize::try_from(limits::REFUSALS).expect("small");
        assert_eq!(noted(&mut refusals, 5 * HOUR), most);
        assert_eq!(noted(&mut refusals, 5 * HOUR + 1), 0);
        assert_eq!(noted(&mut refusals, 6 * HOUR), most);
    }

    #[test]
    fn old_proofs_are_forgotten() {
        let mut pins = FreshPins::default();
        for number in 0..100_u8 {
            let now = UnixMillis(u64::from(number) * limits::FRESH_PIN);
            with_call(1, number, |call| pins.prove(call, now));
        }

        assert_eq!(pins.0.len(), 2);
    }
}
