//! What the driver has others do: the database's writer and tasks that read.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use vettid_wire::limits;
use vettid_wire::link::federation::{MailOutcome, ToEnclave};

use super::driver::{Done, Driver};
use super::exchange::Write;
use super::homes::Published;
use crate::clock::{unix_millis, unix_seconds};
use crate::mailbox::Post;
use crate::spool::{Spooled, Step};

/// Settled deliveries that wait to be removed; what is not removed is delivered again, once.
const SETTLED: usize = 16_384;

impl Driver {
    pub(super) fn take_step(&mut self, step: Step) {
        match step {
            Step::Offer(lane, spooled) => {
                self.metrics.spool_offered.inc();
                let Spooled {
                    delivery, bytes, ..
                } = spooled;
                let bytes = Vec::from(bytes);
                self.exchange.outputs.to_enclave.push_back(ToEnclave::Due {
                    lane,
                    delivery,
                    bytes,
                });
            }
            Step::Forget(delivery) => {
                if self.settled.len() < SETTLED {
                    self.settled.push(delivery);
                }
            }
            Step::Load(load) => {
                let (spool, done) = (self.spool.clone(), self.done.0.clone());
                tokio::spawn(async move {
                    let read = spool.load(load.lane, load.behind, load.count, unix_millis());
                    let read = read.await.ok();
                    let _ = done.send(Done::Loaded(load, read)).await;
                });
            }
        }
    }

    /// Does what the time has come for.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        self.exchange.lanes.tick(now);
        let unkept = self.unkept.due(now).into_iter();
        let told = unkept.map(|space| ToEnclave::Unkept { space });
        self.exchange.outputs.to_enclave.extend(told);
    }

    pub(super) fn write(&mut self, write: Write) {
        match write {
            Write::Bind { space, mailbox } => {
                if self.mailboxes.bind(space, mailbox).is_err() {
                    let mailboxes = self.mailboxes.clone();
                    tokio::spawn(async move { mailboxes.bind_when_free(space, mailbox).await });
                }
            }
            Write::Post { request, post } => self.post(request, post),
            Write::Page {
                request,
                space,
                behind,
            } => {
                let (mailboxes, link) = (self.mailboxes.clone(), self.exchange.link());
                let done = self.done.0.clone();
                let session = self.session.as_ref().map(mpsc::Sender::downgrade);
                let is_up = move || session.as_ref().is_some_and(|it| it.upgrade().is_some());
                tokio::spawn(async move {
                    let page = mailboxes.page_when_readable((space, behind), unix_millis, is_up);
                    if let Some(items) = page.await {
                        let answer = ToEnclave::MailPage { request, items };
                        let _ = done.send(Done::Answer(link, answer)).await;
                    }
                });
            }
            Write::Home {
                space,
                location,
                expires,
                record,
            } => {
                let home = Published {
                    location,
                    expires,
                    record,
                };
                if self.homes.keep(space, home).is_err() {
                    tracing::warn!("the database is busy: a home record is lost at a restart");
                }
            }
            // A busy database loses what operators are shown before it loses deliveries.
            Write::Peer(note) => {
                let _ = self.peers.note(note, unix_seconds());
            }
        }
    }

    fn post(&mut self, request: u64, mut post: Post) {
        post.expires = post.expires.min(unix_millis().plus(limits::DELIVERY_TIME));
        let (done, link) = (self.done.0.clone(), self.exchange.link());
        let metrics = Arc::clone(&self.metrics);
        let told = move |outcome: MailOutcome| {
            match outcome {
                MailOutcome::Stored => metrics.mail_stored.inc(),
                MailOutcome::Failed | MailOutcome::Full | MailOutcome::Unknown => {
                    metrics.mail_refused.inc()
                }
            };
            // There is room for every question; after a stop nobody asks.
            let answer = ToEnclave::MailStored { request, outcome };
            let _ = done.try_send(Done::Answer(link, answer));
        };
        if self.mailboxes.put(post, told).is_err() {
            let outcome = MailOutcome::Failed;
            let answer = ToEnclave::MailStored { request, outcome };
            self.exchange.answer(link, answer);
        }
    }

    /// Removes settled deliveries, many in one transaction.
    pub(super) fn forget(&mut self) {
        self.forgetting = true;
        let settled = std::mem::take(&mut self.settled);
        let (spool, done) = (self.spool.clone(), self.done.0.clone());
        tokio::spawn(async move {
            if let Err(error) = spool.forget(settled).await {
                tracing::warn!(%error, "settled deliveries are still there");
            }
            let _ = done.send(Done::Forgotten).await;
        });
    }
}
