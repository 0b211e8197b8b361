//! What the second part plays with: a network, who introduces, two sides.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::governance::Governance;
use super::introducer::Introducer;
use super::sight::Sight;
use crate::demo::owner::Owner;
use crate::demo::wait;
use crate::local_node::LocalNode;

/// Words that only the two owners may know: texts, in the order in which they are said.
pub(crate) const TEXTS: [&str; 7] = [
    "the key lies under the copper kettle",
    "then I come by at a quarter past nine",
    "bring the velvet lantern along",
    "and the letters from Lisbon",
    "the night train is called off",
    "take the harbor road instead",
    "nobody but us two knows the meadow",
];

/// What each shows to the other, and a reminder of the one who invites.
pub(crate) const NAMES: [&str; 2] = ["Cleo of the tall mill", "Dan with the red boat"];
pub(crate) const LABEL: &str = "for Dan, from the regatta";

/// Everything that the steps of the second part can reach.
#[derive(Default)]
pub(crate) struct Federation {
    pub(crate) governance: Option<Governance>,
    pub(crate) bootstrap: Option<Introducer>,
    pub(crate) relay: Option<Introducer>,
    /// Cleo's, then Dan's.
    pub(crate) sides: Vec<Side>,
    /// The node with a changed enclave.
    pub(crate) changed: Option<LocalNode>,
    /// What hosts were seen to hold while it lasted.
    pub(crate) seen: Vec<Sight>,
}

/// An operator's node and the owner at it.
pub(crate) struct Side {
    /// Name of the place.
    pub(crate) place: &'static str,
    pub(crate) node: LocalNode,
    pub(crate) owner: Owner,
    /// The connection with the other side, once there is one.
    pub(crate) connection: String,
}

impl Federation {
    /// One side, once it is made.
    pub(crate) fn side(&self, number: usize) -> Result<&Side> {
        self.sides.get(number).context("no such side yet")
    }

    /// One side, to be changed.
    pub(crate) fn side_mut(&mut self, number: usize) -> Result<&mut Side> {
        self.sides.get_mut(number).context("no such side yet")
    }

    /// The network, once it is founded.
    pub(crate) fn governance(&self) -> Result<&Governance> {
        self.governance.as_ref().context("no network yet")
    }

    /// Waits until both nodes have admitted each other, on a path that is wanted.
    pub(crate) fn admitted(&self, path: &str) -> Result<Value> {
        for number in 0..2 {
            let (here, there) = (self.side(number)?, self.side(1 - number)?);
            let node = crate::demo::owner::text_of(&there.node.status()?, "node")?;
            let what = format!("{} has admitted {}, {path}", here.place, there.place);
            wait::until(&what, || {
                let peer = found(&here.node.peers()?, "node", &node);
                Ok(peer.filter(|peer| is(peer, "state", "admitted") && is(peer, "path", path)))
            })?;
        }
        let peers = self.side(0)?.node.peers()?;
        peers.pointer("/peers/0").cloned().context("no peer")
    }

    /// Folders of everybody who is not an owner: node folders, bootstrap node, relay.
    pub(crate) fn host_folders(&self) -> Vec<PathBuf> {
        let nodes = self.sides.iter().map(|side| &side.node);
        let nodes = nodes.chain(&self.changed).map(LocalNode::folder);
        let introducers = self.bootstrap.iter().chain(&self.relay);
        let introducers = introducers.map(Introducer::folder);
        nodes.chain(introducers).map(PathBuf::from).collect()
    }

    /// Leaves everything running.
    pub(crate) fn keep(self) {
        self.bootstrap
            .into_iter()
            .chain(self.relay)
            .for_each(Introducer::keep);
        let nodes = self.sides.into_iter().map(|side| side.node);
        nodes.chain(self.changed).for_each(LocalNode::keep);
    }
}

/// The peer in a list whose `name` is `value`.
pub(crate) fn found(peers: &Value, name: &str, value: &str) -> Option<Value> {
    let mut peers = peers.get("peers")?.as_array()?.iter();
    peers.find(|peer| is(peer, name, value)).cloned()
}

/// Whether a text member of an object is `value`.
pub(crate) fn is(object: &Value, name: &str, value: &str) -> bool {
    object.get(name).and_then(Value::as_str) == Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn peer_is_found_by_any_of_its_members() {
        let peers = json!({ "peers": [{ "node": "a", "state": "away" }, { "node": "b" }] });

        assert_eq!(found(&peers, "node", "b"), Some(json!({ "node": "b" })));
        assert!(found(&peers, "node", "c").is_none());
        assert!(is(&peers["peers"][0], "state", "away"));
    }
}
