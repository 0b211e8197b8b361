//! Waits between attempts: doubling, capped, drawn from the upper half of what the ceiling allows.

use std::time::Duration;

use crate::entropy::random;

/// First ceiling.
const FIRST: Duration = Duration::from_millis(100);

/// Last ceiling.
const LAST: Duration = Duration::from_secs(10);

/// Gives the next wait; begins small again when made anew.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    /// A random wait below the current ceiling, at least half of it; the ceiling then doubles.
    pub fn next_wait(&mut self) -> Duration {
        let half = self.ceiling / 2;
        let wait = half + half.mul_f64(f64::from(u16::from_be_bytes(random())) / 65_536.0);
        self.ceiling = self.ceiling.saturating_mul(2).min(LAST);
        wait
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: FIRST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_stay_there() {
        let mut backoff = Backoff::default();
        let first = backoff.next_wait();
        let later: Vec<_> = (0..20).map(|_| backoff.next_wait()).collect();

        assert!(first >= FIRST / 2 && first < FIRST);
        assert!(later.iter().all(|wait| *wait < LAST));
        assert!(later.last().is_some_and(|wait| *wait >= LAST / 2));
    }
}
