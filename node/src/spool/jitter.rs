//! Pauses between tries: doubling with full jitter, then long ones.

use std::time::Duration;

use vettid_wire::limits;

/// Draws pauses. Not secret: it only has to differ from node to node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A pause after so many failures in a row, evenly from nothing to its ceiling.
    pub(super) fn pause(&mut self, failures: u32) -> Duration {
        let ceiling = ceiling(failures);
        Duration::from_millis(self.next() % ceiling.saturating_add(1))
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Longest pause after so many failures, ms.
fn ceiling(failures: u32) -> u64 {
    let doubled = limits::RETRY_FIRST
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u64::MAX);
    if failures > DOUBLINGS {
        limits::RETRY_LATER
    } else {
        doubled.min(limits::RETRY_DOUBLING)
    }
}

/// Failures after which pauses are long: a quarter of a second has then grown to half a minute.
const DOUBLINGS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_to_half_a_minute_and_are_then_five_minutes() {
        let ceilings: Vec<u64> = (1..=10).map(ceiling).collect();
        assert_eq!(
            ceilings,
            [
                250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 300_000, 300_000
            ]
        );
        assert_eq!(ceiling(u32::MAX), 300_000);
    }

    #[test]
    fn pauses_fill_the_whole_range_below_their_ceiling() {
        let mut jitter = Jitter::new(1);
        let pauses: Vec<_> = (0..1_000).map(|_| jitter.pause(3)).collect();

        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(1)));
        assert!(
            pauses
                .iter()
                .any(|pause| *pause < Duration::from_millis(50))
        );
        assert!(
            pauses
                .iter()
                .any(|pause| *pause > Duration::from_millis(950))
        );
    }
}
