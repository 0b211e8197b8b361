//! So many at once, and so many more as time passes.

use std::time::Duration;

use tokio::time::Instant;

/// Tokens that come back one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    most: u32,
    /// Time in which one comes back.
    pause: Duration,
    filled: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) const fn new(most: u32, pause: Duration, now: Instant) -> Self {
        Self {
            tokens: most,
            most,
            pause,
            filled: now,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_nanos();
        let back = passed
            .checked_div(self.pause.as_nanos())
            .unwrap_or(u128::MAX);
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(back).min(self.most);
        if self.tokens == self.most {
            self.filled = now;
        } else {
            self.filled += self.pause.saturating_mul(back);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_one_by_one_and_no_more_than_there_were() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut bucket = Bucket::new(2, Duration::from_secs(1), start);

        assert!(bucket.take(at(0)));
        assert!(bucket.take(at(0)));
        assert!(!bucket.take(at(999)));
        assert!(bucket.take(at(1_000)));
        assert!(!bucket.take(at(1_900)));
        assert!(bucket.take(at(2_000)));
        assert!(bucket.take(at(60_000)));
        assert!(bucket.take(at(60_000)));
        assert!(!bucket.take(at(60_000)));
    }
}
