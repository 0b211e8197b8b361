//! A token bucket: so much a second in the long run, and so much at once after a pause.

use vettid_wire::time::{SECOND, UnixMillis};

/// What one thing takes out of a bucket: thousandths, so that each millisecond puts whole ones in.
pub(crate) const ONE: u64 = SECOND;

/// How fast a bucket fills, and what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Things a second.
    pub(crate) per_second: u64,
    /// Things at once.
    pub(crate) burst: u64,
}

/// What has been taken out of a bucket and not run in again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    taken: u64,
    at: UnixMillis,
}

impl Bucket {
    /// Whether it says nothing that a new one does not.
    pub(crate) fn is_full(&self, rate: Rate, now: UnixMillis) -> bool {
        self.taken(rate, now) == 0
    }

    /// Takes so many thousandths out, if they are in it. A clock that was set back gives nothing for the time
    /// until now, and goes on from there.
    pub(crate) fn take(&mut self, rate: Rate, cost: u64, now: UnixMillis) -> bool {
        let before = self.taken(rate, now);
        let after = before.saturating_add(cost);
        let fits = after <= rate.burst.saturating_mul(ONE);
        let taken = if fits { after } else { before };
        *self = Self { taken, at: now };
        fits
    }

    fn taken(&self, rate: Rate, now: UnixMillis) -> u64 {
        let refilled = now.since(self.at).saturating_mul(rate.per_second);
        self.taken.saturating_sub(refilled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_was_set_back_gives_nothing_and_goes_on() {
        let rate = Rate {
            per_second: 1,
            burst: 2,
        };
        let (mut bucket, now) = (Bucket::default(), UnixMillis(1_000_000));
        assert!(bucket.take(rate, 2 * ONE, now));

        let before = UnixMillis(10);
        assert!(!bucket.take(rate, ONE, before));
        assert!(bucket.take(rate, ONE, before.plus(SECOND)));
        assert!(!bucket.is_full(rate, before.plus(2 * SECOND)));
        assert!(bucket.is_full(rate, before.plus(3 * SECOND)));
    }
}
