//! So many at once, and so many more as time passes.

use std::collections::HashMap;
use std::hash::Hash;
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

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens == self.most
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

/// A bucket for each key. Keys whose bucket is full again are forgotten when there are many.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    each: HashMap<K, Bucket>,
    most: u32,
    pause: Duration,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// Every bucket is full.
    pub(crate) fn new(most: u32, pause: Duration) -> Self {
        Self {
            each: HashMap::new(),
            most,
            pause,
        }
    }

    /// Whether the bucket of a key has a token.
    pub(crate) fn has(&self, key: &K, now: Instant) -> bool {
        let mut bucket = self.each.get(key).copied();
        bucket.as_mut().is_none_or(|bucket| bucket.take(now))
    }

    /// Takes a token from the bucket of a key, if there is one.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> bool {
        if self.each.len() >= MANY {
            self.each.retain(|_, bucket| !bucket.is_full(now));
        }
        let new = || Bucket::new(self.most, self.pause, now);
        self.each.entry(key).or_insert_with(new).take(now)
    }
}

/// Keys that are remembered before full buckets are forgotten.
const MANY: usize = 4_096;

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
    #[test]
    fn each_key_has_its_own_bucket_and_full_ones_are_forgotten() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut buckets = Buckets::new(1, second);

        assert!(buckets.take(0, start));
        assert!(!buckets.has(&0, start));
        assert!(!buckets.take(0, start));
        for key in 1..MANY {
            assert!(buckets.has(&key, start) && buckets.take(key, start));
        }
        assert!(buckets.take(MANY, start + second));
        assert_eq!(buckets.each.len(), 1);
        assert!(buckets.has(&0, start + second));
    }
}
