//! Questions to the host that its answers name by number.

use std::collections::BTreeMap;

use super::OutOfTurn;

/// Open questions by number; what each was about.
#[derive(Debug)]
pub(super) struct Asked<T> {
    open: BTreeMap<u64, T>,
    newest: u64,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            newest: 0,
        }
    }
}

impl<T> Asked<T> {
    /// Number of a new question.
    pub(super) fn ask(&mut self, about: T) -> u64 {
        self.newest = self.newest.saturating_add(1);
        self.open.insert(self.newest, about);
        self.newest
    }

    /// What the question was about that an answer names; none when nobody waits for it any more.
    ///
    /// # Errors
    /// When it was never asked.
    pub(super) fn answered(&mut self, number: u64) -> Result<Option<T>, OutOfTurn> {
        if number == 0 || number > self.newest {
            return Err(OutOfTurn);
        }
        Ok(self.open.remove(&number))
    }

    /// Nobody waits any more for what `gone` picks.
    pub(super) fn forget(&mut self, gone: impl Fn(&T) -> bool) {
        self.open.retain(|_, about| !gone(about));
    }

    /// How many are open of those that `is` picks.
    pub(super) fn count(&self, is: impl Fn(&T) -> bool) -> usize {
        self.open.values().filter(|about| is(about)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_question_once_and_never_one_that_was_not_asked() {
        let mut asked = Asked::default();
        let (first, second) = (asked.ask("a"), asked.ask("b"));

        assert_eq!(asked.answered(second), Ok(Some("b")));
        assert_eq!(asked.answered(second), Ok(None));
        assert_eq!(asked.answered(0), Err(OutOfTurn));
        assert_eq!(asked.answered(second + 1), Err(OutOfTurn));
        asked.forget(|about| *about == "a");
        assert_eq!(asked.answered(first), Ok(None));
    }
}
