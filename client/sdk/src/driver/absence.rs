//! A node that is away while its bus runs.

use std::time::Duration;

use tokio::time::Instant;

use super::pause::backoff;
use crate::entropy::below;

/// Since when nobody at the node takes what is sent, and how often that was found.
///
/// | what happens | time | count |
/// |---|---|---|
/// | the session hears something, or the connection breaks | ends | stays |
/// | a request is answered | stays | begins anew |
/// | the first request after a while without | ends | begins anew |
///
/// So a node that just starts anew has all of its time, and one that opens sessions and answers nothing
/// is looked for ever more seldom.
#[derive(Default)]
pub(super) struct Absence {
    since: Option<Instant>,
    found: u32,
}

impl Absence {
    /// It is found once more: whether its time to come back is over, and the pause before the next look.
    pub(super) fn found(&mut self, now: Instant) -> (bool, Duration) {
        let since = *self.since.get_or_insert(now);
        self.found = self.found.saturating_add(1);
        let pause = if self.found <= LOOKS {
            LOOK.saturating_add(Duration::from_millis(below(LOOK_SPREAD)))
        } else {
            backoff(self.found)
        };
        (now.duration_since(since) >= ABSENCE, pause)
    }

    /// Somebody is there, or it is not known who is.
    pub(super) fn ends(&mut self) {
        self.since = None;
    }

    /// A request was answered.
    pub(super) fn answered(&mut self) {
        self.found = 0;
    }
}

/// Time that a node has to come back to its bus.
const ABSENCE: Duration = Duration::from_secs(10);
/// Pause before it is looked for again, and how much longer that may be, ms.
const LOOK: Duration = Duration::from_millis(250);
const LOOK_SPREAD: u64 = 250;
/// Looks that come so quickly: those within [`ABSENCE`], and some more.
const LOOKS: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_pauses_begin_anew_each_for_its_own_reason() {
        let (mut absence, now) = (Absence::default(), Instant::now());
        assert!(!absence.found(now).0);
        assert!(absence.found(now + ABSENCE).0);
        for _ in 0..LOOKS {
            absence.found(now);
        }
        assert!(absence.found(now).1 > LOOK * 2);

        absence.ends();
        let (is_over, pause) = absence.found(now + ABSENCE);
        assert!(!is_over && pause > LOOK * 2);
        absence.answered();
        let (is_over, pause) = absence.found(now + ABSENCE * 2);
        assert!(is_over && pause < LOOK * 2);
    }
}
