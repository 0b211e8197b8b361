//! Requests without an answer.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;
use vettid_crypto::WipedVec;
use vettid_wire::id::RequestId;
use vettid_wire::refusal::Refusal;
use vettid_wire::request::{Outcome, Reply};

use crate::error::{Error, Unreachable};
use crate::owner::is_before_looking;

/// An answer to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    /// Whether the request may have come to the vault before: a refusal to look at it says nothing of
    /// what became of it then.
    pub(crate) repeated: bool,
}

/// A request on its way to the vault.
pub(crate) struct Ask {
    /// Its id.
    pub(crate) id: RequestId,
    /// Its encoding.
    pub(crate) message: WipedVec,
    /// How often it may be sent, the first time counted.
    pub(crate) sends: u32,
    /// Whether an earlier program may have sent it.
    pub(crate) again: bool,
    /// Who waits for the answer.
    pub(crate) answer: oneshot::Sender<Result<Answered, Error>>,
}

struct Waiting {
    ask: Ask,
    sent: u32,
    turn: u64,
}

impl Waiting {
    /// Whether it may have come to the vault.
    const fn was_sent(&self) -> bool {
        self.ask.again || self.sent > 0
    }
}

/// Requests without an answer, in the order in which they were asked.
#[derive(Default)]
pub(super) struct Outstanding {
    waiting: BTreeMap<RequestId, Waiting>,
    unsent: VecDeque<RequestId>,
    turns: u64,
}

impl Outstanding {
    pub(super) fn add(&mut self, ask: Ask) {
        self.turns = self.turns.saturating_add(1);
        self.unsent.push_back(ask.id);
        self.waiting.insert(
            ask.id,
            Waiting {
                sent: 0,
                turn: self.turns,
                ask,
            },
        );
    }

    /// The requests to send, in their order. Those whose callers have gone are left out.
    pub(super) fn unsent(&self) -> Vec<&[u8]> {
        self.unsent
            .iter()
            .filter_map(|id| self.waiting.get(id))
            .map(|waiting| waiting.ask.message.as_slice())
            .collect()
    }

    /// All requests that were to be sent have been.
    pub(super) fn sent(&mut self) {
        for id in self.unsent.drain(..) {
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.sent = waiting.sent.saturating_add(1);
            }
        }
    }

    /// Takes a request whose answer came, and whether it was ever sent before: then the answer may
    /// be an old one.
    pub(super) fn answered(&mut self, id: RequestId) -> Option<(Ask, bool)> {
        let Waiting { ask, sent, .. } = self.waiting.remove(&id)?;
        let repeated = ask.again || sent > 1;
        Some((ask, repeated))
    }

    /// All are to be sent again, in their order; those that were sent as often as they may be fail.
    pub(super) fn requeue(&mut self, error: &Error) {
        let spent: Vec<RequestId> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.sent >= waiting.ask.sends)
            .map(|(id, _)| *id)
            .collect();
        for id in spent {
            if let Some(waiting) = self.waiting.remove(&id) {
                // The caller may have gone.
                let _ = waiting.ask.answer.send(Err(error.clone()));
            }
        }
        let mut order: Vec<(u64, RequestId)> = self
            .waiting
            .iter()
            .map(|(id, waiting)| (waiting.turn, *id))
            .collect();
        order.sort_unstable();
        self.unsent = order.into_iter().map(|(_, id)| id).collect();
    }

    /// All fail.
    pub(super) fn fail(&mut self, error: &Error) {
        self.fail_unless_sent(error, error);
    }

    /// All fail: those that were never sent with one error, the others with another.
    pub(super) fn fail_unless_sent(&mut self, never: &Error, sent: &Error) {
        self.unsent.clear();
        for (_, waiting) in core::mem::take(&mut self.waiting) {
            let error = if waiting.was_sent() { sent } else { never };
            // The caller may have gone.
            let _ = waiting.ask.answer.send(Err(error.clone()));
        }
    }

    /// All are answered with a refusal, as if the vault had refused each without looking at it. Of one
    /// that may have come to it before, a refusal that is not always such says nothing.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.unsent.clear();
        for (id, waiting) in core::mem::take(&mut self.waiting) {
            let repeated = waiting.was_sent();
            let reply = Reply {
                id,
                outcome: Outcome::Refused(refusal.clone()),
                head: None,
                credential: None,
            };
            let answer = if repeated && !is_before_looking(refusal.code) {
                Err(Unreachable::Since(refusal.clone()).into())
            } else {
                Ok(Answered { reply, repeated })
            };
            // The caller may have gone.
            let _ = waiting.ask.answer.send(answer);
        }
    }

    /// Forgets requests whose callers have gone.
    pub(super) fn forget_abandoned(&mut self) {
        self.waiting
            .retain(|_, waiting| !waiting.ask.answer.is_closed());
        self.unsent.retain(|id| self.waiting.contains_key(id));
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether an answer is due for something.
    pub(super) fn any_sent(&self) -> bool {
        self.waiting.len() > self.unsent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Unreachable;
    use vettid_wire::refusal::Code;

    fn ask(byte: u8, sends: u32) -> (Ask, oneshot::Receiver<Result<Answered, Error>>) {
        let (answer, heard) = oneshot::channel();
        let message = WipedVec::new(vec![byte]);
        (
            Ask {
                id: RequestId([byte; 16]),
                message,
                sends,
                again: false,
                answer,
            },
            heard,
        )
    }

    fn sent(outstanding: &mut Outstanding) -> Vec<u8> {
        let bytes = outstanding
            .unsent()
            .iter()
            .map(|message| message[0])
            .collect();
        outstanding.sent();
        bytes
    }

    #[test]
    fn repeats_keep_the_order_in_which_requests_were_asked() {
        let mut outstanding = Outstanding::default();
        let kept: Vec<_> = [9, 3, 7].map(|byte| ask(byte, 5)).into_iter().collect();
        let mut heard = Vec::new();
        for (ask, receiver) in kept {
            outstanding.add(ask);
            heard.push(receiver);
        }
        assert_eq!(sent(&mut outstanding), [9, 3, 7]);

        outstanding.answered(RequestId([3; 16])).unwrap();
        outstanding.requeue(&Unreachable::Reset.into());

        assert_eq!(sent(&mut outstanding), [9, 7]);
    }

    #[test]
    fn request_that_was_sent_often_enough_fails() {
        let mut outstanding = Outstanding::default();
        let (once, mut heard) = ask(1, 1);
        outstanding.add(once);
        sent(&mut outstanding);

        outstanding.requeue(&Unreachable::Reset.into());

        assert!(outstanding.is_empty());
        assert_eq!(heard.try_recv().unwrap(), Err(Unreachable::Reset.into()));
    }

    #[test]
    fn request_that_was_never_sent_is_not_failed_by_a_lost_session() {
        let mut outstanding = Outstanding::default();
        let (once, _heard) = ask(1, 1);
        outstanding.add(once);

        outstanding.requeue(&Unreachable::Reset.into());

        assert_eq!(sent(&mut outstanding), [1]);
    }

    #[test]
    fn refused_requests_say_whether_they_were_sent_before() {
        let mut outstanding = Outstanding::default();
        let (first, mut was_sent) = ask(1, 5);
        outstanding.add(first);
        sent(&mut outstanding);
        let (second, mut never_sent) = ask(2, 5);
        outstanding.add(second);
        let refusal = Refusal::from(Code::RolledBack);

        outstanding.refuse(&refusal);

        assert!(outstanding.is_empty() && outstanding.unsent().is_empty());
        for (heard, byte, repeated) in [(&mut was_sent, 1, true), (&mut never_sent, 2, false)] {
            let answered = heard.try_recv().unwrap().unwrap();
            assert_eq!(answered.reply.id, RequestId([byte; 16]));
            assert_eq!(answered.reply.outcome, Outcome::Refused(refusal.clone()));
            assert_eq!(answered.repeated, repeated);
        }
    }

    #[test]
    fn abandoned_request_is_not_sent() {
        let mut outstanding = Outstanding::default();
        let (first, heard) = ask(1, 5);
        outstanding.add(first);
        drop(heard);

        outstanding.forget_abandoned();

        assert_eq!(sent(&mut outstanding), Vec::<u8>::new());
    }
}
