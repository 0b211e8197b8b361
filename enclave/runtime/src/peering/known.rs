//! Enclaves that were appraised: the next session with one spares both sides a document.

use std::collections::BTreeMap;

use vettid_session::{Established, KnownEnclave};
use vettid_wire::id::NodeId;
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

use super::admission::Wanted;

/// The newest appraisal of each node, at most [`limits::PEERS`]. It counts for the host that it was
/// made of: anybody can say that he is the node.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<NodeId, Appraisal>);

#[derive(Debug)]
struct Appraisal {
    enclave: KnownEnclave,
    /// PeerId of the host.
    peer: Vec<u8>,
    expires: UnixMillis,
}

impl Known {
    /// What is known of who is wanted.
    pub(super) fn of(&self, wanted: &Wanted) -> Option<KnownEnclave> {
        let appraisal = self.0.get(&wanted.node);
        let appraisal = appraisal.filter(|appraisal| appraisal.peer == wanted.peer);
        appraisal.map(|appraisal| appraisal.enclave.clone())
    }

    /// Remembers what a session has shown; what ends soonest makes room.
    pub(super) fn remember(&mut self, wanted: &Wanted, session: &Established) {
        let Some(enclave) = session.known_enclave() else {
            return;
        };
        let node = wanted.node;
        if self.0.len() >= limits::PEERS && !self.0.contains_key(&node) {
            let soonest = self.0.iter().min_by_key(|(_, known)| known.expires);
            if let Some(soonest) = soonest.map(|(node, _)| *node) {
                self.0.remove(&soonest);
            }
        }
        let appraisal = Appraisal {
            enclave,
            peer: wanted.peer.clone(),
            expires: session.expires(),
        };
        self.0.insert(node, appraisal);
    }

    /// A session that may have counted on it failed.
    pub(super) fn forget(&mut self, wanted: &Wanted) {
        if self.of(wanted).is_some() {
            self.0.remove(&wanted.node);
        }
    }

    /// Nothing counts any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
