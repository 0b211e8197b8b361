//! Enclaves that were appraised: the next session with one spares both sides a document.

use std::collections::BTreeMap;

use vettid_session::{Established, KnownEnclave};
use vettid_wire::id::NodeId;
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

/// The newest appraisal of each node, at most [`limits::PEERS`].
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<NodeId, (KnownEnclave, UnixMillis)>);

impl Known {
    /// What is known of a node.
    pub(super) fn of(&self, node: &NodeId) -> Option<KnownEnclave> {
        self.0.get(node).map(|(known, _)| known.clone())
    }

    /// Remembers what a session has shown; what ends soonest makes room.
    pub(super) fn remember(&mut self, node: NodeId, session: &Established, expires: UnixMillis) {
        let Some(known) = session.known_enclave() else {
            return;
        };
        if self.0.len() >= limits::PEERS && !self.0.contains_key(&node) {
            let soonest = self.0.iter().min_by_key(|(_, (_, expires))| *expires);
            if let Some(soonest) = soonest.map(|(node, _)| *node) {
                self.0.remove(&soonest);
            }
        }
        self.0.insert(node, (known, expires));
    }

    /// A session that counted on it failed.
    pub(super) fn forget(&mut self, node: &NodeId) {
        self.0.remove(node);
    }

    /// Nothing counts any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
