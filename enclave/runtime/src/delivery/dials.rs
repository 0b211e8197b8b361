//! Which nodes are dialed for which vaults: no vault has so many dialed that others wait for it.

use std::collections::BTreeMap;

use vettid_wire::id::{NodeId, VaultId};
use vettid_wire::time::{SECOND, UnixMillis};

/// Nodes that are dialed for one vault and were not reached. The host dials 64 at once, and has a thousand
/// wait.
const OF_ONE: usize = 16;

/// Time after which the host has given up, ms.
const DIAL_TIME: u64 = 30 * SECOND;

/// Vaults that are remembered before those for which nothing is dialed are forgotten.
const MANY: usize = 1_024;

/// The dials of all vaults, and since when.
#[derive(Debug, Default)]
pub(super) struct Dials(BTreeMap<VaultId, BTreeMap<NodeId, UnixMillis>>);

impl Dials {
    /// Whether a node may be dialed for a vault; from now on it is.
    pub(super) fn begin(&mut self, vault: VaultId, node: NodeId, now: UnixMillis) -> bool {
        let lasts = |since: &UnixMillis| now.since(*since) < DIAL_TIME;
        if self.0.len() >= MANY {
            self.0.retain(|_, dials| dials.values().any(lasts));
        }
        let own = self.0.entry(vault).or_default();
        own.retain(|_, since| lasts(since));
        if !own.contains_key(&node) && own.len() >= OF_ONE {
            return false;
        }
        own.insert(node, now);
        true
    }

    /// A node was reached.
    pub(super) fn reached(&mut self, node: &NodeId) {
        for own in self.0.values_mut() {
            own.remove(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn node(number: usize) -> NodeId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        NodeId(id)
    }

    #[test]
    fn vault_has_so_many_nodes_dialed_until_they_are_reached_or_given_up() {
        let mut dials = Dials::default();
        let (own, other) = (VaultId([1; 32]), VaultId([2; 32]));
        for number in 0..OF_ONE {
            assert!(dials.begin(own, node(number), NOW));
        }

        assert!(!dials.begin(own, node(OF_ONE), NOW));
        assert!(dials.begin(own, node(0), NOW), "the same once more");
        assert!(dials.begin(other, node(OF_ONE), NOW));
        dials.reached(&node(3));
        assert!(dials.begin(own, node(OF_ONE), NOW));
        assert!(!dials.begin(own, node(3), NOW));
        assert!(dials.begin(own, node(3), NOW.plus(DIAL_TIME)));
    }

    #[test]
    fn vaults_without_dials_are_forgotten() {
        let mut dials = Dials::default();
        for number in 0..MANY {
            let vault = VaultId(node(number).0);
            assert!(dials.begin(vault, node(0), NOW));
        }

        assert!(dials.begin(VaultId([9; 32]), node(0), NOW.plus(DIAL_TIME)));

        assert_eq!(dials.0.len(), 1);
    }
}
