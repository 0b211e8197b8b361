//! Spaces of which not every delivery was stored, and when their vaults are to hand on what waits.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use vettid_wire::id::SpaceId;

use crate::backoff::Backoff;

/// Bounds of the pauses before a vault hands on again: a whole outbox comes each time.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(3_600);

/// Spaces followed; vaults of others hand on what waits when they are unlocked.
const SPACES: usize = 65_536;

/// Vaults told at once; others follow.
const AT_ONCE: usize = 32;

/// Spaces of which not every delivery was stored.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    spaces: HashMap<SpaceId, Pause>,
    due: BTreeSet<(Instant, SpaceId)>,
}

/// How long a space waits.
#[derive(Clone, Copy, Debug)]
struct Pause {
    backoff: Backoff,
    /// When its vault is told, or was told last.
    at: Instant,
}

impl Unkept {
    /// A delivery of a space was not stored.
    pub(super) fn note(&mut self, now: Instant, space: SpaceId) {
        if self.spaces.len() >= SPACES && !self.spaces.contains_key(&space) {
            self.forget(now);
            if self.spaces.len() >= SPACES {
                return;
            }
        }
        let first = Pause {
            backoff: Backoff::new(FIRST, LAST),
            at: now,
        };
        let pause = self.spaces.entry(space).or_insert(first);
        if self.due.contains(&(pause.at, space)) {
            return;
        }
        if pause.is_over(now) {
            *pause = first;
        }
        pause.at = now.checked_add(pause.backoff.next_wait()).unwrap_or(now);
        self.due.insert((pause.at, space));
    }

    /// Spaces whose vaults are to be told now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<SpaceId> {
        let mut told = Vec::new();
        while let Some(&(at, space)) = self.due.first()
            && at <= now
            && told.len() < AT_ONCE
        {
            self.due.pop_first();
            told.push(space);
        }
        told
    }

    /// When [`Self::due`] has something.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The enclave is gone: every vault hands on what waits when it is unlocked.
    pub(super) fn clear(&mut self) {
        self.spaces.clear();
        self.due.clear();
    }

    /// Forgets spaces of which everything was stored since.
    fn forget(&mut self, now: Instant) {
        self.spaces
            .retain(|space, pause| self.due.contains(&(pause.at, *space)) || !pause.is_over(now));
    }
}

impl Pause {
    /// Whether its vault was told so long ago that what it handed on then was stored.
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) > self.backoff.ceiling().saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: SpaceId = SpaceId([1; 16]);

    #[test]
    fn vault_is_told_once_after_each_pause_and_pauses_grow_up_to_the_last() {
        let (mut unkept, mut now) = (Unkept::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..14 {
            unkept.note(now, SPACE);
            unkept.note(now, SPACE);
            let at = unkept.next_tick().expect("due");
            assert!(unkept.due(now).is_empty());
            pauses.push(at - now);
            now = at;
            assert_eq!(unkept.due(now), [SPACE]);
        }

        let mut ceiling = FIRST;
        for pause in pauses {
            assert!(pause >= ceiling / 2 && pause < ceiling, "{pause:?}");
            ceiling = (ceiling * 2).min(LAST);
        }
        assert_eq!(ceiling, LAST);
        assert_eq!(unkept.next_tick(), None);
    }

    #[test]
    fn pauses_are_short_again_after_what_waited_was_stored() {
        let (mut unkept, now) = (Unkept::default(), Instant::now());
        unkept.note(now, SPACE);
        assert_eq!(unkept.due(now + FIRST), [SPACE]);
        let later = now + Duration::from_secs(60);

        unkept.note(later, SPACE);

        assert!(unkept.next_tick().is_some_and(|at| at < later + FIRST));
    }

    #[test]
    fn spaces_are_bounded() {
        let (mut unkept, now) = (Unkept::default(), Instant::now());
        for number in 0..=SPACES as u128 {
            unkept.note(now, SpaceId(number.to_be_bytes()));
        }

        assert_eq!(unkept.spaces.len(), SPACES);
        assert_eq!(unkept.due(now + FIRST).len(), AT_ONCE);
        unkept.clear();
        assert_eq!(unkept.next_tick(), None);
    }
}
