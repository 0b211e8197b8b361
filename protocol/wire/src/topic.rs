//! What nodes gossip about. A message announces {kind, hash, size, signer}; bodies are fetched.

use crate::id::NetworkId;

/// A topic of gossip between nodes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Topic {
    /// Ballots of an open proposal.
    Ballot,
    /// Tree heads for witnesses.
    Checkpoint,
    /// Proposals.
    Proposal,
    /// Releases of images.
    Release,
    /// Results of proposals.
    Result,
    /// Network files.
    Roster,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ballot,
        Self::Checkpoint,
        Self::Proposal,
        Self::Release,
        Self::Result,
        Self::Roster,
    ];

    /// Its name in one network.
    #[must_use]
    pub fn name(self, network: &NetworkId) -> String {
        let noun = match self {
            Self::Ballot => "ballot",
            Self::Checkpoint => "checkpoint",
            Self::Proposal => "proposal",
            Self::Release => "release",
            Self::Result => "result",
            Self::Roster => "roster",
        };
        format!("/vettid/{network}/{noun}/1")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::id::NetworkKind;

    #[test]
    fn names_differ_between_topics_and_networks() {
        let network = |anchors| NetworkId {
            kind: NetworkKind::Emulated,
            anchors: [anchors; 32],
        };
        let names: BTreeSet<_> = [network(1), network(2)]
            .iter()
            .flat_map(|network| Topic::ALL.map(|topic| topic.name(network)))
            .collect();

        assert_eq!(names.len(), 12);
    }
}
