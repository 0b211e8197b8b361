//! Where another vault was, as it is kept; and home records, checked.

use vettid_crypto::sign::VerifyingKey;
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::home::{Home, HomeNode};
use vettid_wire::id::{NodeId, VaultId};
use vettid_wire::identity::IdentityChain;
use vettid_wire::refusal::Code;
use vettid_wire::time::UnixMillis;

use crate::KnownHome;
use crate::stop::Stop;

/// Where another vault was, as far as this one knows.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) enum Known {
    /// At this node, by an invitation.
    #[n(0)]
    Node(#[n(0)] HomeNode),
    /// As that vault itself has signed, and which of its records that is.
    #[n(1)]
    Record {
        /// The signed record.
        #[cbor(n(0), with = "minicbor::bytes")]
        record: Vec<u8>,
        /// Its sequence.
        #[n(1)]
        sequence: u64,
        /// First of its nodes.
        #[n(2)]
        node: NodeId,
    },
}

impl Known {
    /// As a checked record says.
    pub(crate) fn record(home: &Home, record: &[u8]) -> Self {
        let node = home.nodes.first().map_or(NodeId([0; 32]), |node| node.node);
        Self::Record {
            record: record.to_vec(),
            sequence: home.sequence,
            node,
        }
    }

    /// Somewhere: a vault whose record nobody has told, which can be looked up in the network.
    pub(crate) const fn nowhere() -> Self {
        Self::Record {
            record: Vec::new(),
            sequence: 0,
            node: NodeId([0; 32]),
        }
    }

    /// As it was kept.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Stop> {
        cbor::decode(bytes).map_err(|_| Code::Internal.into())
    }

    /// Node where that vault was.
    pub(crate) fn node(&self) -> NodeId {
        match self {
            Self::Node(node) => node.node,
            Self::Record { node, .. } => *node,
        }
    }

    /// Whether a record says more than this. One by a later identity does, whatever number whoever had
    /// the earlier one gave to theirs.
    pub(crate) fn is_older_than(&self, home: &Home) -> bool {
        self.standing() < Some((rotations(&home.identity), home.sequence))
    }

    /// What decides between two of them: the greater one says more.
    pub(crate) fn standing(&self) -> Option<(u64, u64)> {
        match self {
            Self::Node(_) => None,
            Self::Record {
                record, sequence, ..
            } => {
                let held = Home::claimed(record).map_or(0, |held| rotations(&held.identity));
                Some((held, *sequence))
            }
        }
    }

    /// As it is handed on.
    pub(crate) fn handed_on(self) -> KnownHome {
        match self {
            Self::Node(node) => KnownHome::Node(node),
            Self::Record { record, .. } => KnownHome::Record(record),
        }
    }
}

/// Key that speaks for a vault by these statements, if they lead there.
pub(crate) fn speaks_for(statements: &[u8], vault: &VaultId) -> Option<VerifyingKey> {
    let chain: IdentityChain = cbor::decode(statements).ok()?;
    chain.verify(vault).ok()
}

/// How often an identity was rotated, by statements that lead somewhere.
pub(crate) fn rotations(statements: &[u8]) -> u64 {
    let chain: Result<IdentityChain, _> = cbor::decode(statements);
    chain.map_or(0, |chain| {
        u64::try_from(chain.rotations.len()).unwrap_or(u64::MAX)
    })
}

/// Checks a home record of a vault that only the record names.
pub(crate) fn open_any_home(record: &[u8], now: UnixMillis) -> Option<Home> {
    open_home(record, &Home::claimed(record)?.vault, now)
}

/// Checks a home record of a vault.
pub(crate) fn open_home(record: &[u8], vault: &VaultId, now: UnixMillis) -> Option<Home> {
    Home::verify(record, vault, now, speaks_for).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::sign::SigningKey;
    use vettid_wire::identity::Rotation;

    #[test]
    fn record_of_a_later_identity_counts_whatever_numbers_were_used_before() {
        let (first, second) = (key(1), key(2));
        let vault = VaultId::of(&first.verifying_key());
        let mut chain = IdentityChain::of(&first.verifying_key());
        let stolen = home(vault, &chain, u64::MAX);
        let known = Known::record(&stolen, &stolen.sign(&first));
        assert!(!known.is_older_than(&home(vault, &chain, 5)));

        chain.rotations = vec![Rotation::new(vault, 2, &first, &second, UnixMillis(0))];

        let own = home(vault, &chain, 6);
        assert!(known.is_older_than(&own));
        let known = Known::record(&own, &own.sign(&second));
        assert!(!known.is_older_than(&stolen));
        assert!(known.is_older_than(&home(vault, &chain, 7)));
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn home(vault: VaultId, chain: &IdentityChain, sequence: u64) -> Home {
        Home {
            vault,
            identity: cbor::encode(chain),
            nodes: vec![],
            sequence,
            expires: UnixMillis(1),
        }
    }
}
