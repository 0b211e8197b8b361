//! Where other vaults are, as far as this enclave knows: verified records, the newest of each vault.

use std::collections::BTreeMap;

use vettid_crypto::digest::sha256;
use vettid_crypto::sign::VerifyingKey;
use vettid_wire::cbor;
use vettid_wire::home::{self, Home, HomeError, HomeNode};
use vettid_wire::id::{NodeId, VaultId};
use vettid_wire::identity::IdentityChain;
use vettid_wire::time::{MINUTE, UnixMillis};

use super::sealed::Whereabouts;

/// Records that are remembered.
const REMEMBERED: usize = 1_024;

/// A vault is not looked up again before this, ms.
const LOOK_UP_PAUSE: u64 = MINUTE;

/// A node that said that a vault is not there is not asked again before this, ms.
const AWAY: u64 = MINUTE;

/// Vaults whose look-ups, and nodes whose answers, are remembered.
const NOTES: usize = 4_096;

/// Homes of other vaults.
#[derive(Debug, Default)]
pub(super) struct Homes {
    known: BTreeMap<VaultId, Known>,
    looked_up: BTreeMap<VaultId, UnixMillis>,
    away: BTreeMap<(VaultId, NodeId), UnixMillis>,
}

#[derive(Debug)]
struct Known {
    home: Home,
    digest: [u8; 32],
}

impl Homes {
    /// Nodes that take what is for `vault`, best first; those that said that it is not there are
    /// left out for a while.
    pub(super) fn nodes(
        &mut self,
        vault: &VaultId,
        told: &Whereabouts,
        now: UnixMillis,
    ) -> Vec<HomeNode> {
        if let Whereabouts::Record(record) = told {
            // One that is of another vault, forged or too old counts for nothing.
            let _ = self.learn(vault, record, now);
        }
        let known = self
            .known
            .get(vault)
            .filter(|known| known.home.expires > now);
        let nodes = match (known, told) {
            (Some(known), _) => known.home.nodes.clone(),
            (None, Whereabouts::Node(node)) if node.is_bounded() => vec![node.clone()],
            (None, _) => Vec::new(),
        };
        let is_away = |node: &HomeNode| {
            let said = self.away.get(&(*vault, node.node));
            said.is_some_and(|said| now.since(*said) < AWAY)
        };
        nodes.into_iter().filter(|node| !is_away(node)).collect()
    }

    /// Takes a signed record of a vault; the one with the highest sequence counts.
    pub(super) fn learn(
        &mut self,
        vault: &VaultId,
        record: &[u8],
        now: UnixMillis,
    ) -> Result<(), HomeError> {
        let digest = sha256(record);
        if self
            .known
            .get(vault)
            .is_some_and(|known| known.digest == digest)
        {
            return Ok(());
        }
        let home = Home::verify(record, vault, now, current_key)?;
        let is_newer = |known: &Known| known.home.sequence < home.sequence;
        if self.known.get(vault).is_none_or(is_newer) {
            make_room(&mut self.known, REMEMBERED, vault, |known| {
                known.home.expires
            });
            self.known.insert(*vault, Known { home, digest });
        }
        Ok(())
    }

    /// Takes what the host found in the network for a vault: sealed, unverified.
    pub(super) fn found(
        &mut self,
        vault: &VaultId,
        sealed: &[u8],
        now: UnixMillis,
    ) -> Result<(), HomeError> {
        let record = home::open(vault, sealed)?;
        self.learn(vault, &record, now)
    }

    /// Whether a vault is to be looked up now; the next time is a while from now.
    pub(super) fn look_up(&mut self, vault: &VaultId, now: UnixMillis) -> bool {
        let before = self.looked_up.get(vault);
        if before.is_some_and(|before| now.since(*before) < LOOK_UP_PAUSE) {
            return false;
        }
        make_room(&mut self.looked_up, NOTES, vault, |at| *at);
        self.looked_up.insert(*vault, now);
        true
    }

    /// A node said that a vault is not there.
    pub(super) fn note_away(&mut self, vault: &VaultId, node: NodeId, now: UnixMillis) {
        let pair = (*vault, node);
        make_room(&mut self.away, NOTES, &pair, |at| *at);
        self.away.insert(pair, now);
    }
}

/// The key that identity statements lead to.
pub(super) fn current_key(identity: &[u8], vault: &VaultId) -> Option<VerifyingKey> {
    let chain: IdentityChain = cbor::decode(identity).ok()?;
    chain.verify(vault).ok()
}

/// Drops what is oldest when the map is full and `key` is not in it.
fn make_room<K: Copy + Ord, V>(
    map: &mut BTreeMap<K, V>,
    most: usize,
    key: &K,
    age: impl Fn(&V) -> UnixMillis,
) {
    if map.len() >= most && !map.contains_key(key) {
        let oldest = map.iter().min_by_key(|(_, value)| age(value));
        if let Some(oldest) = oldest.map(|(key, _)| *key) {
            map.remove(&oldest);
        }
    }
}
