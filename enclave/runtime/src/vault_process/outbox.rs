//! Messages that wait to be sealed together.
//!
//! Whoever has several requests under way gets the replies that are ready at the same time in one
//! frame: sealed, carried and released once. A reply waits until all that has arrived is done, or
//! until a request must wait for the host, whichever is first.

use vettid_crypto::WipedVec;
use vettid_wire::time::UnixMillis;

use super::lane_end::LaneEnd;
use super::sessions::{Route, Sessions};
use crate::lane::Up;
use crate::vault_exit::VaultExit;

/// Bytes above which nothing waits any longer: asked after each request.
const FULL: usize = 256 * 1024;

/// The sessions, and what is to be sealed for them.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) sessions: Sessions,
    /// Time of the sealing.
    pub(super) now: UnixMillis,
    waiting: Vec<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    route: Route,
    /// Newest record that it depends on; zero for none.
    after: u64,
    message: WipedVec,
}

impl Outbox {
    /// Nothing waits.
    pub(super) const fn new(sessions: Sessions, now: UnixMillis) -> Self {
        Self {
            sessions,
            now,
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a message for a session, behind all others.
    pub(super) fn add(&mut self, route: Route, after: u64, message: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(message.len());
        self.waiting.push(Waiting {
            route,
            after,
            message: WipedVec::new(message),
        });
    }

    /// Sends if so much waits that it must not grow.
    pub(super) fn send_if_full(&mut self, lane: &mut LaneEnd) -> Result<(), VaultExit> {
        match self.bytes > FULL {
            true => self.send(lane),
            false => Ok(()),
        }
    }

    /// Seals all that waits, in order, and hands it to the lane. Messages for a session that is
    /// gone are dropped.
    pub(super) fn send(&mut self, lane: &mut LaneEnd) -> Result<(), VaultExit> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        for group in waiting.chunk_by(|one, next| one.route == next.route) {
            let Some(first) = group.first() else { continue };
            let messages: Vec<&[u8]> = group.iter().map(|one| one.message.as_slice()).collect();
            let after = group.iter().fold(0, |after, one| one.after.max(after));
            let sealed = self.sessions.seal(self.now, first.route, &messages);
            for envelope in sealed.unwrap_or_default() {
                lane.send(&Up::Frame {
                    after,
                    envelope: &envelope,
                })?;
            }
        }
        Ok(())
    }
}
