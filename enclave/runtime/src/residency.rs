//! Which vaults are open: how many, for how long, and which go first when memory runs short.
//!
//! Pure: time and memory come in as arguments, decisions go out as values. Closing loses nothing,
//! since every commit is in the log already.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::slot::Slot;

/// Bounds of residency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResidencyLimits {
    /// Most vaults open at once.
    pub vaults: usize,
    /// Most private memory of all vault processes together, in bytes.
    pub memory: u64,
    /// A vault that nothing was sent to for this long is closed.
    pub idle: Duration,
    /// Most vaults opened within [`OPENING_WINDOW`].
    pub openings: usize,
}

/// Window in which openings are counted.
pub const OPENING_WINDOW: Duration = Duration::from_secs(1);

/// A vault is not evicted before it has been open this long, so that two owners who share the last
/// place do not close each other's vault at every request.
const SETTLING: Duration = Duration::from_secs(5);

/// Whether one more vault may be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Yes.
    Open,
    /// Yes, once the vault in this slot is closed.
    OpenAfterClosing(Slot),
    /// Not now: all places are in use by vaults that were opened or used just now.
    Full,
    /// Not now: too many were opened within the last second.
    TooFast,
}

#[derive(Clone, Copy, Debug)]
struct Resident {
    opened: Duration,
    used: Duration,
    memory: u64,
    closing: bool,
}

/// The open vaults by slot.
#[derive(Debug)]
pub struct Residency {
    limits: ResidencyLimits,
    residents: BTreeMap<Slot, Resident>,
    openings: VecDeque<Duration>,
}

impl Residency {
    /// Nobody is open yet.
    #[must_use]
    pub const fn new(limits: ResidencyLimits) -> Self {
        Self {
            limits,
            residents: BTreeMap::new(),
            openings: VecDeque::new(),
        }
    }

    /// Decides about one more vault. `now` is any clock that does not go back.
    pub fn admit(&mut self, now: Duration) -> Admission {
        while self
            .openings
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= OPENING_WINDOW)
        {
            self.openings.pop_front();
        }
        if self.openings.len() >= self.limits.openings {
            return Admission::TooFast;
        }
        let memory_left = self.memory() < self.limits.memory;
        if self.residents.len() < self.limits.vaults && memory_left {
            return Admission::Open;
        }
        self.idlest(now)
            .map_or(Admission::Full, Admission::OpenAfterClosing)
    }

    /// A vault process was started in `slot`.
    pub fn opened(&mut self, slot: Slot, now: Duration) {
        self.openings.push_back(now);
        let resident = Resident {
            opened: now,
            used: now,
            memory: 0,
            closing: false,
        };
        self.residents.insert(slot, resident);
    }

    /// Something was sent to the vault in `slot`.
    pub fn used(&mut self, slot: Slot, now: Duration) {
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.used = now;
        }
    }

    /// Private memory of the vault process in `slot`, in bytes, as last read.
    pub fn measured(&mut self, slot: Slot, memory: u64) {
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.memory = memory;
        }
    }

    /// The vault in `slot` was told to close.
    pub fn closing(&mut self, slot: Slot) {
        if let Some(resident) = self.residents.get_mut(&slot) {
            resident.closing = true;
        }
    }

    /// The process in `slot` has ended.
    pub fn closed(&mut self, slot: Slot) {
        self.residents.remove(&slot);
    }

    /// Vaults to close now: the idle ones, and while memory is short the idlest of the others.
    #[must_use]
    pub fn due(&self, now: Duration) -> Vec<Slot> {
        let mut by_use: Vec<_> = self
            .residents
            .iter()
            .filter(|(_, resident)| !resident.closing)
            .collect();
        by_use.sort_by_key(|(_, resident)| resident.used);
        let mut memory = by_use
            .iter()
            .fold(0, |sum: u64, (_, r)| sum.saturating_add(r.memory));
        let mut due = Vec::new();
        for (slot, resident) in by_use {
            let idle = now.saturating_sub(resident.used) >= self.limits.idle;
            let settled = now.saturating_sub(resident.opened) >= SETTLING;
            if idle || (settled && memory > self.limits.memory) {
                memory = memory.saturating_sub(resident.memory);
                due.push(*slot);
            }
        }
        due
    }

    /// How many vaults are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.residents.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.residents.is_empty()
    }

    /// Private memory of all of them, in bytes, as last read.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.residents
            .values()
            .fold(0, |sum, resident| sum.saturating_add(resident.memory))
    }

    /// Whether more memory is in use than may be.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.memory() > self.limits.memory
    }

    fn idlest(&self, now: Duration) -> Option<Slot> {
        self.residents
            .iter()
            .filter(|(_, resident)| !resident.closing)
            .filter(|(_, resident)| now.saturating_sub(resident.used) >= SETTLING)
            .min_by_key(|(_, resident)| resident.used)
            .map(|(slot, _)| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ResidencyLimits = ResidencyLimits {
        vaults: 3,
        memory: 1000,
        idle: Duration::from_secs(600),
        openings: 10,
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Vaults 0, 1 and 2, opened one second apart from second 0 on.
    fn three() -> Residency {
        let mut residency = Residency::new(LIMITS);
        for number in 0..3 {
            assert_eq!(residency.admit(at(number.into())), Admission::Open);
            residency.opened(Slot::new(number), at(number.into()));
        }
        residency
    }

    #[test]
    fn when_all_places_are_taken_the_idlest_makes_room() {
        let mut residency = three();
        residency.used(Slot::new(0), at(50));

        assert_eq!(
            residency.admit(at(60)),
            Admission::OpenAfterClosing(Slot::new(1))
        );
    }

    #[test]
    fn a_vault_used_just_now_is_not_thrown_out_for_another() {
        let mut residency = three();

        assert_eq!(residency.admit(at(3)), Admission::Full);
    }

    #[test]
    fn a_vault_that_is_closing_already_is_not_chosen_again() {
        let mut residency = three();
        residency.closing(Slot::new(0));

        assert_eq!(
            residency.admit(at(60)),
            Admission::OpenAfterClosing(Slot::new(1))
        );
        residency.closed(Slot::new(0));
        assert_eq!(residency.admit(at(60)), Admission::Open);
    }

    #[test]
    fn openings_are_throttled_and_allowed_again_after_the_window() {
        let mut residency = Residency::new(ResidencyLimits {
            openings: 2,
            vaults: 9,
            ..LIMITS
        });
        residency.opened(Slot::new(0), at(0));
        residency.opened(Slot::new(1), at(0));

        assert_eq!(residency.admit(at(0)), Admission::TooFast);
        assert_eq!(residency.admit(at(1)), Admission::Open);
    }

    #[test]
    fn idle_vaults_are_due_and_busy_ones_are_not() {
        let mut residency = three();
        residency.used(Slot::new(1), at(300));

        assert_eq!(residency.due(at(602)), [Slot::new(0), Slot::new(2)]);
        assert_eq!(residency.due(at(300)), []);
    }

    #[test]
    fn short_memory_closes_the_idlest_first_and_only_as_many_as_needed() {
        let mut residency = three();
        for number in 0..3 {
            residency.measured(Slot::new(number), 400);
        }
        residency.used(Slot::new(0), at(20));

        assert_eq!(residency.due(at(21)), [Slot::new(1)]);
        assert_eq!(residency.memory(), 1200);
    }

    #[test]
    fn no_vault_is_opened_into_short_memory_without_one_closing() {
        let mut residency = Residency::new(LIMITS);
        residency.opened(Slot::new(0), at(0));
        residency.measured(Slot::new(0), 1000);

        assert_eq!(residency.admit(at(2)), Admission::Full);
        assert_eq!(
            residency.admit(at(30)),
            Admission::OpenAfterClosing(Slot::new(0))
        );
    }
}
