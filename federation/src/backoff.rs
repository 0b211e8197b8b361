//! Who is kept out for a while: longer with every refusal.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Waits that double with every failure of the same key.
#[derive(Debug)]
pub(crate) struct Backoff<K> {
    entries: HashMap<K, Entry>,
    /// Failures that cost nothing.
    free: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    until: Instant,
}

impl<K: Copy + Eq + Hash> Backoff<K> {
    /// Nobody is kept out; the first `free` failures of a key cost nothing.
    pub(crate) fn new(free: u32) -> Self {
        Self {
            entries: HashMap::new(),
            free,
        }
    }

    /// Counts a failure; how long the key is kept out for it.
    pub(crate) fn refuse(&mut self, key: K, now: Instant) -> Duration {
        self.refuse_at_most(key, LONGEST, now)
    }

    /// The same, for a failure that may be nobody's fault: no longer than `longest`, nor shorter
    /// than the key is kept out already.
    pub(crate) fn refuse_at_most(&mut self, key: K, longest: Duration, now: Instant) -> Duration {
        self.forget_old(now);
        let before = self.entries.get(&key);
        let failures = before.map_or(1, |e| e.failures.saturating_add(1));
        let wait = match failures.checked_sub(self.free.saturating_add(1)) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(1 << doublings.min(16)).min(longest),
        };
        let until = before.map_or(now + wait, |e| e.until.max(now + wait));
        self.entries.insert(key, Entry { failures, until });
        until.saturating_duration_since(now)
    }

    /// How long a key is kept out yet.
    pub(crate) fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let left = self.entries.get(key)?.until.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// Forgets the failures of a key.
    pub(crate) fn forgive(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// How many are kept out.
    pub(crate) fn count(&self, now: Instant) -> usize {
        let waiting = |entry: &&Entry| entry.until > now;
        self.entries.values().filter(waiting).count()
    }

    fn forget_old(&mut self, now: Instant) {
        if self.entries.len() < MOST {
            return;
        }
        self.entries.retain(|_, entry| entry.until + LONGEST > now);
        if self.entries.len() >= MOST {
            let first = self.entries.iter().min_by_key(|(_, entry)| entry.until);
            if let Some(key) = first.map(|(key, _)| *key) {
                self.entries.remove(&key);
            }
        }
    }
}

/// First wait.
const FIRST: Duration = Duration::from_secs(10);
/// Longest wait; failures are remembered as long after it.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Keys that are remembered.
const MOST: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_longest() {
        let mut backoff = Backoff::new(0);
        let now = Instant::now();
        let waits: Vec<_> = (0..12).map(|_| backoff.refuse(1, now).as_secs()).collect();

        assert_eq!(waits[..4], [10, 20, 40, 80]);
        assert_eq!(waits[11], 3_600);
        assert_eq!(backoff.wait(&1, now), Some(LONGEST));
        assert_eq!(backoff.wait(&1, now + LONGEST), None);
    }

    #[test]
    fn failure_that_may_be_nobodys_fault_keeps_out_for_a_short_while() {
        let mut backoff = Backoff::new(0);
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        let waits = (0..9).map(|_| backoff.refuse_at_most(1, minute, now));
        assert_eq!(waits.max(), Some(minute));

        let wait = backoff.refuse(1, now);
        assert_eq!(backoff.refuse_at_most(1, minute, now), wait);
    }

    #[test]
    fn free_failures_cost_nothing_and_forgiven_ones_are_forgotten() {
        let mut backoff = Backoff::new(2);
        let now = Instant::now();

        assert_eq!(backoff.refuse(1, now), Duration::ZERO);
        assert_eq!(backoff.refuse(1, now), Duration::ZERO);
        assert_eq!(backoff.refuse(1, now), FIRST);
        backoff.forgive(&1);
        assert_eq!(backoff.refuse(1, now), Duration::ZERO);
        assert_eq!(backoff.wait(&2, now), None);
    }

    #[test]
    fn flood_of_keys_is_bounded_and_keeps_who_waits_longest() {
        let mut backoff = Backoff::new(0);
        let now = Instant::now();
        for _ in 0..9 {
            backoff.refuse(0, now);
        }
        for key in 1..10_000 {
            backoff.refuse(key, now);
        }

        assert!(backoff.entries.len() <= MOST);
        assert_eq!(backoff.wait(&0, now), Some(Duration::from_secs(2_560)));
        assert!(backoff.count(now) <= MOST);
    }
}
