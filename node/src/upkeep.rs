//! What a node does by itself from time to time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::NODE_ID;
use crate::bus::revocation::Revocations;
use crate::clock::unix_seconds;
use crate::database::Database;
use crate::enclave_link::SpaceCommand;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::object_store::ObjectStore;
use crate::shutdown::Stop;
use crate::space::{self, Directory};

/// Pause between looks at storage and counts.
const LOOK: Duration = Duration::from_secs(5);

/// Every so many looks, what was abandoned is removed.
const SWEEP: u64 = 12;

/// The node's housekeeper.
pub(crate) struct Upkeep {
    pub(crate) database: Database,
    pub(crate) directory: Directory,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) commands: mpsc::Sender<SpaceCommand>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Health,
}

impl Upkeep {
    /// Looks after the node until asked to stop.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut enclave = self.health.enclave_changes();
        let mut looks = 0_u64;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = enclave.changed() => if changed.is_err() { return },
                () = stop.asked() => return,
            }
            self.note_identity().await;
            self.look().await;
            if looks.is_multiple_of(SWEEP) {
                self.sweep().await;
            }
            looks = looks.wrapping_add(1);
        }
    }

    /// Invitations name the enclave's identity, also when the node does not run.
    async fn note_identity(&self) {
        let Some(node) = self.health.enclave().node else {
            return;
        };
        let noted = space::fact(&self.database, NODE_ID).await;
        if noted.is_ok_and(|noted| noted.as_deref() == Some(&node.0)) {
            return;
        }
        match space::note_fact(&self.database, NODE_ID, node.0.to_vec()).await {
            Ok(_) => tracing::info!("the enclave's identity is noted"),
            Err(error) => tracing::warn!(%error, "the enclave's identity is not noted"),
        }
    }

    async fn look(&self) {
        if !self.database.is_writable() && self.database.probe().await.is_ok() {
            tracing::info!("the database takes writes again");
        }
        if let Ok([pending, active, suspended]) = space::counts(&self.database).await {
            self.metrics.spaces_pending.set(pending);
            self.metrics.spaces_active.set(active);
            self.metrics.spaces_suspended.set(suspended);
        }
    }

    async fn sweep(&self) {
        let Ok(abandoned) = self.directory.sweep_pending(unix_seconds()).await else {
            return;
        };
        if !abandoned.is_empty() {
            tracing::info!(count = abandoned.len(), "abandoned enrollments removed");
            self.metrics
                .enrollments_expired
                .inc_by(abandoned.len() as u64);
            for space in abandoned
                .into_iter()
                .filter(|_| self.health.enclave().serving)
            {
                // Without a link nothing is open.
                let _ = self.commands.send(SpaceCommand::Close(space)).await;
            }
            if let Err(error) = self.revocations.publish().await {
                tracing::error!(%error, "revocations are not published");
            }
        }
        if let Err(error) = self.directory.sweep_objects(&*self.objects).await {
            tracing::warn!(%error, "objects of removed spaces are still there");
        }
    }
}
