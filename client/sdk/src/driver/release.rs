//! Replies on their way to their callers: what they say is kept first.

use tokio::sync::oneshot;
use vettid_wire::request::{Head, Outcome};

use super::outstanding::Answered;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::trust::TrustError;

type Answer = oneshot::Sender<Result<Answered, Error>>;

/// Replies that came together.
#[derive(Default)]
pub(super) struct Release {
    answers: Vec<(Answer, Result<Answered, Error>)>,
    newest: Option<Head>,
}

impl Release {
    /// Takes a reply. `floor` is the newest record seen when the session was opened; what was sent
    /// only once in it cannot be answered from before that.
    pub(super) fn add(&mut self, answer: Answer, answered: Answered, floor: Option<u64>) {
        let reply = &answered.reply;
        let refused = matches!(reply.outcome, Outcome::Refused(_));
        match (reply.head, floor) {
            (Some(head), Some(seen)) if head.number < seen && !refused => {
                let shown = head.number;
                let rolled_back = TrustError::RolledBack { seen, shown };
                self.answers.push((answer, Err(rolled_back.into())));
                return;
            }
            (Some(head), _) => {
                if self.newest.is_none_or(|newest| newest.number < head.number) {
                    self.newest = Some(head);
                }
            }
            (None, _) => {}
        }
        self.answers.push((answer, Ok(answered)));
    }

    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Keeps the newest head, and lets the callers hear.
    pub(super) fn release(self, keeper: &Keeper) {
        let kept = self.newest.map_or(Ok(()), |head| match keeper.see(head) {
            Ok(seen) => seen.map_err(Error::from),
            Err(error) => Err(error.into()),
        });
        for (answer, reply) in self.answers {
            let reply = reply.and_then(|answered| kept.clone().map(|()| answered));
            // The caller may have gone; the reply of a change can be asked for again.
            let _ = answer.send(reply);
        }
    }
}
