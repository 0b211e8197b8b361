//! Removing what has expired, and counting what waits.

use std::sync::Arc;

use vettid_federation::Handle;

use super::driver::{Done, Driver, LOOK};
use crate::clock::{unix_millis, unix_seconds};
use crate::database::Database;
use crate::space;
use crate::spool::LANES;

impl Driver {
    /// Starts a task that removes what has expired; sometimes it looks for lanes left out.
    pub(super) fn sweep(&mut self) {
        let lanes = i64::try_from(self.exchange.lanes.len()).unwrap_or(i64::MAX);
        self.metrics.spool_lanes.set(lanes);
        self.sweeps = self.sweeps.wrapping_add(1);
        let looks = self.sweeps.is_multiple_of(LOOK);
        let (spool, mailboxes) = (self.spool.clone(), self.mailboxes.clone());
        let (homes, peers) = (self.homes.clone(), self.peers.clone());
        let (attachments, metrics) = (self.attachments.clone(), Arc::clone(&self.metrics));
        let (done, database) = (self.done.0.clone(), self.database.clone());
        let handle = self
            .network
            .as_ref()
            .map(|network| network.handle().clone());
        tokio::spawn(async move {
            let (now, seconds) = (unix_millis(), unix_seconds());
            for expired in [spool.sweep(now).await, mailboxes.sweep(now).await] {
                metrics
                    .deliveries_expired
                    .inc_by(expired.unwrap_or(0) as u64);
            }
            // What is not removed now is removed by the next sweep.
            let _ = homes.sweep(now).await;
            let _ = peers.sweep(seconds).await;
            attachments.sweep(seconds).await;
            if let Ok((count, bytes)) = spool.count().await {
                metrics.spool_waiting.set(count);
                metrics.spool_waiting_bytes.set(bytes);
            }
            if let Ok((count, bytes)) = mailboxes.count().await {
                metrics.mail_waiting.set(count);
                metrics.mail_waiting_bytes.set(bytes);
            }
            if let Some(handle) = handle {
                note_known(&database, &handle).await;
            }
            if looks && let Ok(lanes) = spool.lanes(LANES).await {
                let _ = done.send(Done::Lanes(lanes)).await;
            }
        });
    }
}

/// Peers that are worth trying after a restart, one a line.
const KNOWN: &str = "known-peers";

/// Notes peers for a start at which no bootstrap node answers.
async fn note_known(database: &Database, handle: &Handle) {
    let Ok(status) = handle.status().await else {
        return;
    };
    if !status.known.is_empty() {
        // What is not noted now is noted by the next sweep.
        let _ = space::note_fact(database, KNOWN, status.known.join("\n").into()).await;
    }
}

/// The peers that an earlier run has noted.
pub(crate) async fn known_peers(database: &Database) -> Vec<String> {
    let noted = space::fact(database, KNOWN).await.ok().flatten();
    let text = noted.and_then(|noted| String::from_utf8(noted).ok());
    text.unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}
