//! Questions to the host that its answers name by number.

use std::collections::BTreeMap;

use crate::slot::Slot;

/// Most questions of one vault process at once; an honest one waits for each answer or writes a few
/// chunks ahead.
const PER_VAULT: usize = 8;

/// What was asked; the answer must be of the same kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Chunk { snapshot: u64, index: u32 },
    LogPage,
    Stored,
}

/// Open questions by number.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<u64, (Slot, Kind)>,
    asked: u64,
}

impl Questions {
    /// Number for a new question of a vault process; none when it has too many open.
    pub(super) fn ask(&mut self, slot: Slot, kind: Kind) -> Option<u64> {
        let open = self
            .open
            .values()
            .filter(|(asker, _)| *asker == slot)
            .count();
        if open >= PER_VAULT {
            return None;
        }
        self.asked = self.asked.saturating_add(1);
        self.open.insert(self.asked, (slot, kind));
        Some(self.asked)
    }

    /// Who asked the question that an answer names, and what: `Ok(None)` when the asker is gone by
    /// now.
    ///
    /// # Errors
    /// When it was never asked, or was none that this is an answer to.
    pub(super) fn answered(
        &mut self,
        number: u64,
        answers: impl FnOnce(Kind) -> bool,
    ) -> Result<Option<(Slot, Kind)>, NeverAsked> {
        match self.open.remove(&number) {
            Some((slot, asked)) if answers(asked) => Ok(Some((slot, asked))),
            Some(_) => Err(NeverAsked),
            None if (1..=self.asked).contains(&number) => Ok(None),
            None => Err(NeverAsked),
        }
    }

    /// Forgets the questions of a vault process that has ended.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.open.retain(|_, (asker, _)| *asker != slot);
    }
}

/// An answer without its question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NeverAsked;

#[cfg(test)]
mod tests {
    use super::*;

    const A: Slot = Slot::new(1);
    const B: Slot = Slot::new(2);

    const CHUNK: Kind = Kind::Chunk {
        snapshot: 7,
        index: 2,
    };

    fn is_chunk(kind: Kind) -> bool {
        matches!(kind, Kind::Chunk { .. })
    }

    fn is_page(kind: Kind) -> bool {
        kind == Kind::LogPage
    }

    #[test]
    fn an_answer_finds_its_asker_once() {
        let mut questions = Questions::default();
        let (first, second) = (questions.ask(A, Kind::LogPage), questions.ask(B, CHUNK));

        assert_eq!(
            questions.answered(second.unwrap(), is_chunk),
            Ok(Some((B, CHUNK)))
        );
        assert_eq!(
            questions.answered(first.unwrap(), is_page),
            Ok(Some((A, Kind::LogPage)))
        );
        assert_eq!(questions.answered(first.unwrap(), is_page), Ok(None));
    }

    #[test]
    fn an_answer_of_another_kind_or_to_nothing_is_refused() {
        let mut questions = Questions::default();
        let number = questions.ask(A, Kind::LogPage).unwrap();

        assert_eq!(questions.answered(number, is_chunk), Err(NeverAsked));
        assert_eq!(questions.answered(number + 1, is_page), Err(NeverAsked));
        assert_eq!(questions.answered(0, is_page), Err(NeverAsked));
    }

    #[test]
    fn an_answer_for_a_process_that_is_gone_reaches_nobody() {
        let mut questions = Questions::default();
        let number = questions.ask(A, Kind::LogPage).unwrap();

        questions.forget(A);

        assert_eq!(questions.answered(number, is_page), Ok(None));
    }

    #[test]
    fn one_process_has_so_many_questions_and_leaves_room_for_others() {
        let mut questions = Questions::default();
        for _ in 0..PER_VAULT {
            assert!(questions.ask(A, Kind::Stored).is_some());
        }

        assert_eq!(questions.ask(A, Kind::Stored), None);
        assert!(questions.ask(B, Kind::Stored).is_some());
    }
}
