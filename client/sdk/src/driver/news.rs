//! Feed and messages, for those who listen: what is announced, and what was while nobody was
//! connected.

use std::future::pending;

use tokio::sync::{oneshot, watch};
use vettid_wire::operation::vault::Status;
use vettid_wire::request::Reply;

use super::driving::Driver;
use super::outstanding::{Answered, Ask};
use crate::call;
use crate::error::Error;
use crate::transport::Dial;

/// An answer that says how far feed and messages have come.
pub(super) type News = oneshot::Receiver<Result<Answered, Error>>;

impl<D: Dial> Driver<D> {
    /// Asks how far they have come, if anybody listens: an announcement that fell between two
    /// sessions does not come again.
    pub(super) fn catch_up(&mut self) {
        if !self.watching {
            return;
        }
        // It is sent once: the next session asks anew.
        if let Ok(prepared) = call::prepare(&Status { seen: None }) {
            let (answer, news) = oneshot::channel();
            self.outstanding.add(Ask {
                id: prepared.id,
                message: prepared.message,
                sends: 1,
                again: false,
                answer,
            });
            self.news = Some(news);
        }
    }

    /// Takes that answer. A locked vault tells nothing, and has nothing new.
    pub(super) fn heard(&mut self, answer: Option<Reply>) {
        self.news = None;
        let report =
            answer.and_then(|reply| call::read::<Status>(reply.id, reply.outcome, None).ok());
        if let Some(open) = report.and_then(|report| report.open) {
            announce(&self.parts.feed, open.feed);
            announce(&self.parts.messages, open.messages);
        }
    }
}

/// Tells who listens.
pub(super) fn announce(listeners: &watch::Sender<u64>, number: u64) {
    listeners.send_if_modified(|newest| {
        let is_newer = *newest < number;
        *newest = number.max(*newest);
        is_newer
    });
}

/// Waits for the answer, if one is awaited. Cancel-safe.
pub(super) async fn answered(news: &mut Option<News>) -> Option<Reply> {
    match news {
        Some(news) => news.await.ok()?.ok().map(|answered| answered.reply),
        None => pending().await,
    }
}
