//! Whether the node works: alive as long as it answers, ready when everything it needs is there.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::child::Life;
use crate::database::Database;
use crate::enclave_link::LinkStatus;

/// What a node needs, and whether it is there.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Readiness {
    /// The bus runs and the node is connected to it.
    pub bus: bool,
    /// The enclave serves.
    pub enclave: bool,
    /// The database takes writes.
    pub storage: bool,
}

/// Watches what a node needs. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    bus: watch::Receiver<bool>,
    server: watch::Receiver<Life>,
    enclave: watch::Receiver<LinkStatus>,
    database: Database,
}

impl Health {
    /// Watches the given parts.
    #[must_use]
    pub fn new(
        bus: watch::Receiver<bool>,
        server: watch::Receiver<Life>,
        enclave: watch::Receiver<LinkStatus>,
        database: Database,
    ) -> Self {
        Self {
            bus,
            server,
            enclave,
            database,
        }
    }

    /// What is there now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness {
            bus: *self.bus.borrow() && self.server.borrow().running,
            enclave: self.enclave.borrow().serving,
            storage: self.database.is_writable(),
        }
    }

    /// What the enclave says of itself.
    #[must_use]
    pub fn enclave(&self) -> LinkStatus {
        *self.enclave.borrow()
    }

    /// Changes of the link to the enclave.
    pub(crate) fn enclave_changes(&self) -> watch::Receiver<LinkStatus> {
        self.enclave.clone()
    }

    /// Waits until bus and enclave are there.
    pub async fn until_ready(&self) {
        let mut health = self.clone();
        while !self.readiness().is_ready() {
            tokio::select! {
                // An error means that the node stops; the caller's deadline ends the wait.
                changed = health.bus.changed() => if changed.is_err() { return },
                changed = health.server.changed() => if changed.is_err() { return },
                changed = health.enclave.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Readiness {
    /// Whether nothing is missing.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        self.bus && self.enclave && self.storage
    }
}
