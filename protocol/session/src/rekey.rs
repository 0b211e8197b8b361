//! When transport keys change.
//!
//! Each direction counts its own frames, so both sides change its key after the same frame without
//! a word. Time is different at the two ends: there the sending side says in its last frame under
//! the old key that it is the last.

use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

/// After how many frames, or how much time, the key of one direction changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Schedule {
    /// Frames under one key.
    pub(crate) frames: u64,
    /// Age of a key, ms, at which the next sending changes it.
    pub(crate) time: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            frames: limits::REKEY_FRAMES,
            time: limits::REKEY_TIME,
        }
    }
}

/// How long the key of one direction has been in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyAge {
    schedule: Schedule,
    frames: u64,
    since: UnixMillis,
}

impl KeyAge {
    /// A key that comes into use now.
    pub(crate) const fn new(schedule: Schedule, now: UnixMillis) -> Self {
        Self {
            schedule,
            frames: 0,
            since: now,
        }
    }

    /// Whether the key is too old to be used beyond one last frame.
    pub(crate) const fn is_due(&self, now: UnixMillis) -> bool {
        now.since(self.since) >= self.schedule.time
    }

    /// Counts a frame under the key. `true`: the key changes before the next frame, because
    /// `last` said so or because the count is reached.
    #[must_use]
    pub(crate) fn count(&mut self, last: bool, now: UnixMillis) -> bool {
        self.frames = self.frames.saturating_add(1);
        let change = last || self.frames >= self.schedule.frames;
        if change {
            *self = Self::new(self.schedule, now);
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        frames: 3,
        time: 10,
    };

    #[test]
    fn key_changes_after_its_count_of_frames() {
        let mut age = KeyAge::new(SCHEDULE, UnixMillis(0));
        let changes: Vec<bool> = (0..7).map(|_| age.count(false, UnixMillis(0))).collect();

        assert_eq!(changes, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn announced_change_starts_the_count_again() {
        let mut age = KeyAge::new(SCHEDULE, UnixMillis(0));

        assert!(!age.count(false, UnixMillis(0)));
        assert!(age.count(true, UnixMillis(0)));
        assert!(!age.count(false, UnixMillis(0)));
        assert!(!age.count(false, UnixMillis(0)));
        assert!(age.count(false, UnixMillis(0)));
    }

    #[test]
    fn key_is_due_by_age_since_it_last_changed() {
        let mut age = KeyAge::new(SCHEDULE, UnixMillis(5));
        assert!(!age.is_due(UnixMillis(14)));
        assert!(age.is_due(UnixMillis(15)));

        assert!(age.count(true, UnixMillis(15)));

        assert!(!age.is_due(UnixMillis(24)));
        assert!(age.is_due(UnixMillis(25)));
    }

    #[test]
    fn schedule_is_that_of_the_protocol() {
        assert_eq!(
            Schedule::default(),
            Schedule {
                frames: 1 << 16,
                time: 3_600_000
            }
        );
    }
}
