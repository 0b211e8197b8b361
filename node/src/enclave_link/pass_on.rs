//! Handing on what the router decided: to the log, behind it, and to the exchange with peers.

use std::sync::Arc;

use tokio::sync::mpsc;
use vettid_wire::limits;

use super::router::Behind;
use super::session::Session;
use crate::clock::unix_millis;
use crate::federation::LinkReport;
use crate::mailbox::Applied;
use crate::spool::{Keep, Kept};
use crate::vault_log::NoRoom;

impl Session<'_> {
    /// Hands on what waits, in order, as far as there is room.
    pub(super) fn pass_on(&mut self) {
        while let Some(append) = self.router.actions.appends.pop_front() {
            if let Err(NoRoom(append)) = self.appender.append(append) {
                self.router.actions.appends.push_front(append);
                return;
            }
            self.parts.metrics.log_records_appended.inc();
        }
        while let Some(behind) = self.router.actions.behind.pop_front() {
            let queued = match behind.clone() {
                Behind::Forget(applied) => self.forget(applied),
                Behind::Keep(keep) => self.keep(keep),
            };
            if !queued {
                self.router.actions.behind.push_front(behind);
                return;
            }
        }
        while let Some(frame) = self.router.actions.to_peers.pop_front() {
            match self.parts.exchange.try_send(LinkReport::Frame(frame)) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(LinkReport::Frame(frame))) => {
                    self.router.actions.to_peers.push_front(frame);
                    return;
                }
                // Without an exchange there are no peers.
                Err(_) => {}
            }
        }
    }

    /// Whether everything was handed on, so that more can be read from the enclave.
    pub(super) fn has_room(&self) -> bool {
        let actions = &self.router.actions;
        actions.appends.is_empty() && actions.behind.is_empty() && actions.to_peers.is_empty()
    }

    /// Whether only time makes room: outcomes of appends tell of themselves.
    pub(super) fn is_stuck(&self) -> bool {
        self.router.actions.appends.is_empty() && !self.has_room()
    }

    fn forget(&self, applied: Applied) -> bool {
        self.parts.mailboxes.forget(applied).is_ok()
    }

    fn keep(&self, mut keep: Keep) -> bool {
        let latest = unix_millis().plus(limits::DELIVERY_TIME);
        keep.expires = keep.expires.min(latest);
        let Ok(place) = self.parts.exchange.clone().try_reserve_owned() else {
            // Without an exchange nothing is ever offered; the vault's outbox has it.
            return self.parts.exchange.is_closed();
        };
        let metrics = Arc::clone(&self.parts.metrics);
        let told = move |kept: Kept| {
            match &kept {
                Kept::Stored(..) => metrics.spool_stored.inc(),
                Kept::Known(..) => 0,
                Kept::NotStored(_) => metrics.spool_refused.inc(),
            };
            place.send(LinkReport::Kept(kept));
        };
        self.parts.spool.keep(keep, told).is_ok()
    }
}
