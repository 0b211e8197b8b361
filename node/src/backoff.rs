//! Waits between attempts: doubling, capped, drawn from the upper half of what the ceiling allows, so
//! that those who failed together do not all come back together.

use std::time::Duration;

use crate::entropy::random;

/// Gives the next wait; begins small again when made anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
    last: Duration,
}

impl Backoff {
    /// For a program beside this one: from 0.1 to 10 seconds.
    #[must_use]
    pub(crate) const fn of_program() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }

    /// Waits below `first`, then below twice as much each time, up to `last`.
    #[must_use]
    pub(crate) const fn new(first: Duration, last: Duration) -> Self {
        Self {
            ceiling: first,
            last,
        }
    }

    /// A random wait below the current ceiling, at least half of it; the ceiling then doubles.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let half = self.ceiling / 2;
        let wait = half + half.mul_f64(f64::from(u16::from_be_bytes(random())) / 65_536.0);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.last);
        wait
    }

    /// Bound of the next wait; those drawn so far were shorter.
    #[must_use]
    pub(crate) const fn ceiling(&self) -> Duration {
        self.ceiling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_stay_there() {
        let (first, last) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut backoff = Backoff::new(first, last);
        let drawn = backoff.next_wait();
        let later: Vec<_> = (0..20).map(|_| backoff.next_wait()).collect();

        assert!(drawn >= first / 2 && drawn < first);
        assert!(later.iter().all(|wait| *wait < last));
        assert!(later.last().is_some_and(|wait| *wait >= last / 2));
        assert_eq!(backoff.ceiling(), last);
    }
}
