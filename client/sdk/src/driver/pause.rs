//! Pauses between sessions that fail.

use std::time::Duration;

use crate::entropy::below;

/// The first retry is at once; later ones wait twice as long each, half of it at random.
pub(super) fn backoff(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(2) else {
        return Duration::ZERO;
    };
    let half = 125_u64.saturating_mul(1 << doublings.min(5));
    Duration::from_millis(half.saturating_add(below(half)))
}
