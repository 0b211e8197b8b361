//! How fast a connection is made again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::entropy::below;

/// Delays between attempts to connect, by how many there were within the last minute.
///
/// Successful attempts count too: in the last second of a credential's life a server lets a client
/// in and cuts it off again, hundreds of times if success were a reason to hurry.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<VecDeque<Instant>>);

impl Pace {
    /// Counts an attempt; how long to wait before it.
    pub(super) fn next(&self, now: Instant) -> Duration {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        let recent = attempts.len();
        attempts.push_back(now);
        if attempts.len() > MOST {
            attempts.pop_front();
        }
        longest(recent).map_or(Duration::ZERO, |longest| {
            let half = longest / 2;
            half.saturating_add(Duration::from_millis(below(millis(half))))
        })
    }
}

/// The longest wait after this many attempts.
fn longest(recent: usize) -> Option<Duration> {
    let doublings = u32::try_from(recent.checked_sub(1)?)
        .unwrap_or(u32::MAX)
        .min(6);
    Some(FIRST.saturating_mul(1 << doublings))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const WINDOW: Duration = Duration::from_secs(60);
const FIRST: Duration = Duration::from_millis(125);
/// Attempts remembered: what is beyond changes no delay.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_attempt_is_at_once_and_later_ones_wait_longer() {
        let (pace, now) = (Pace::default(), Instant::now());
        let delays: Vec<Duration> = (0..12).map(|_| pace.next(now)).collect();

        assert_eq!(delays[0], Duration::ZERO);
        for (index, delay) in delays.iter().enumerate().skip(1) {
            let longest = longest(index).unwrap();
            assert!(
                *delay >= longest / 2 && *delay <= longest,
                "{index}: {delay:?}"
            );
        }
        assert_eq!(longest(99), Some(Duration::from_secs(8)));
    }

    #[test]
    fn success_does_not_start_anew_but_a_quiet_minute_does() {
        let (pace, now) = (Pace::default(), Instant::now());
        for _ in 0..12 {
            pace.next(now);
        }

        assert!(pace.next(now + Duration::from_secs(30)) >= Duration::from_secs(4));
        assert_eq!(pace.next(now + Duration::from_secs(120)), Duration::ZERO);
    }
}
