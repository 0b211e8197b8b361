//! Where other vaults are, as far as this enclave knows: verified records, the newest of each vault.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vettid_crypto::digest::sha256;
use vettid_crypto::sign::VerifyingKey;
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::bytes::ByteVec;
use vettid_wire::home::{self, Home, HomeError, HomeNode};
use vettid_wire::id::{NodeId, VaultId};
use vettid_wire::identity::IdentityChain;
use vettid_wire::time::{MINUTE, UnixMillis};

use super::checks::Checks;
use super::remembered::{Known, Remembered};
use super::sealed::Whereabouts;

/// Records that did not verify and are remembered, so that they are not checked again.
const REFUSED: usize = 4_096;

/// A vault is not looked up again before this, ms.
const LOOK_UP_PAUSE: u64 = MINUTE;

/// A node that said that a vault is not there is not asked again before this, ms.
const AWAY: u64 = MINUTE;

/// Vaults whose look-ups, and nodes whose answers, are remembered.
const NOTES: usize = 4_096;

/// Homes of other vaults.
#[derive(Debug, Default)]
pub(super) struct Homes {
    known: Remembered,
    refused: BTreeSet<[u8; 32]>,
    /// The same, oldest first.
    refusals: VecDeque<[u8; 32]>,
    checks: Checks,
    looked_up: BTreeMap<VaultId, UnixMillis>,
    away: BTreeMap<(VaultId, NodeId), UnixMillis>,
}

/// Why a record says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NotLearned {
    /// Too many are checked now.
    Busy,
    /// It is none, or not one that counts.
    Record(HomeError),
}

impl Homes {
    /// Nodes that take what `from` sends to `vault`, best first; those that said that it is not there
    /// are left out for a while. Nothing while what is told cannot be checked.
    pub(super) fn nodes(
        &mut self,
        from: VaultId,
        vault: &VaultId,
        told: &Whereabouts,
        now: UnixMillis,
    ) -> Option<Vec<HomeNode>> {
        let learned = match told {
            Whereabouts::Record(record) => self.learn(from, vault, record, now),
            Whereabouts::Node(_) => Ok(()),
        };
        let known = self.known.get(vault).filter(|known| known.expires > now);
        let nodes = match (known, told) {
            (Some(known), _) => known.nodes.clone(),
            (None, Whereabouts::Node(node)) if node.is_bounded() => vec![node.clone()],
            (None, _) if learned == Err(NotLearned::Busy) => return None,
            // A record of another vault, forged or too old counts for nothing.
            (None, _) => Vec::new(),
        };
        let is_away = |node: &HomeNode| {
            let said = self.away.get(&(*vault, node.node));
            said.is_some_and(|said| now.since(*said) < AWAY)
        };
        Some(nodes.into_iter().filter(|node| !is_away(node)).collect())
    }

    /// Takes a signed record of a vault; the one with the highest sequence counts. What it takes to
    /// check it is on the account of `on`.
    pub(super) fn learn(
        &mut self,
        on: VaultId,
        vault: &VaultId,
        record: &[u8],
        now: UnixMillis,
    ) -> Result<(), NotLearned> {
        let no = |why| Err(NotLearned::Record(why));
        let Some(claimed) = Home::claimed(record) else {
            return no(HomeError::Malformed);
        };
        if claimed.vault != *vault {
            return no(HomeError::Foreign);
        }
        if claimed.expires <= now {
            return no(HomeError::Expired);
        }
        let known = self.known.get(vault);
        // It may have been remembered for less time than it claims.
        let is_newer = |known: &Known| {
            claimed.sequence > known.sequence
                || claimed.sequence == known.sequence && known.expires <= now
        };
        if !known.is_none_or(is_newer) {
            return Ok(());
        }
        let checks = match checks(&claimed) {
            Ok(checks) => checks,
            Err(why) => return no(why),
        };
        let digest = sha256(record);
        if self.refused.contains(&digest) {
            return no(HomeError::Signature);
        }
        if !self.checks.spend(on, checks, now) {
            return Err(NotLearned::Busy);
        }
        match Home::verify(record, vault, now, current_key) {
            Ok(home) => {
                self.known.insert(on, home, now);
                Ok(())
            }
            Err(why) => {
                self.refuse(digest);
                no(why)
            }
        }
    }

    /// Takes what the host found in the network for a vault: sealed, unverified. Whoever put it there
    /// may be anybody.
    pub(super) fn found(
        &mut self,
        on: VaultId,
        vault: &VaultId,
        sealed: &[ByteVec],
        now: UnixMillis,
    ) {
        let opened = sealed
            .iter()
            .filter_map(|sealed| home::open(vault, sealed).ok());
        let mut records: Vec<_> = opened
            .filter_map(|record| Some((checks(&Home::claimed(&record)?).ok()?, record)))
            .collect();
        // What takes few checks is not kept waiting by what takes all that are left.
        records.sort_by_key(|(checks, _)| *checks);
        for (_, record) in records {
            // One that says nothing, or is too much now, is as if it were not there.
            let _ = self.learn(on, vault, &record, now);
        }
    }

    /// Whether a vault is to be looked up now; the next time is a while from now.
    pub(super) fn look_up(&mut self, vault: &VaultId, now: UnixMillis) -> bool {
        let before = self.looked_up.get(vault);
        if before.is_some_and(|before| now.since(*before) < LOOK_UP_PAUSE) {
            return false;
        }
        make_room(&mut self.looked_up, NOTES, vault);
        self.looked_up.insert(*vault, now);
        true
    }

    /// A node said that a vault is not there.
    pub(super) fn note_away(&mut self, vault: &VaultId, node: NodeId, now: UnixMillis) {
        let pair = (*vault, node);
        make_room(&mut self.away, NOTES, &pair);
        self.away.insert(pair, now);
    }

    /// Forgets who has checked nothing for a while.
    pub(super) fn tick(&mut self, now: UnixMillis) {
        self.checks.tick(now);
    }

    fn refuse(&mut self, digest: [u8; 32]) {
        if self.refusals.len() >= REFUSED
            && let Some(oldest) = self.refusals.pop_front()
        {
            self.refused.remove(&oldest);
        }
        if self.refused.insert(digest) {
            self.refusals.push_back(digest);
        }
    }
}

/// The key that identity statements lead to.
pub(super) fn current_key(identity: &[u8], vault: &VaultId) -> Option<VerifyingKey> {
    let chain: IdentityChain = cbor::decode(identity).ok()?;
    chain.verify(vault).ok()
}

/// Signatures of a record: its own, and two of each statement about its vault's keys.
///
/// # Errors
/// When it is refused for what it says, so that no signature of it need be checked.
fn checks(claimed: &Home) -> Result<u64, HomeError> {
    if !claimed.is_bounded() {
        return Err(HomeError::Large);
    }
    let chain: IdentityChain = cbor::decode(&claimed.identity).map_err(|_| HomeError::Malformed)?;
    // Whoever signed it, it was not with a key of the vault.
    chain
        .check_places(&claimed.vault)
        .map_err(|_| HomeError::Signature)?;
    let statements = u64::try_from(chain.rotations.len()).unwrap_or(u64::MAX);
    Ok(statements.saturating_mul(2).saturating_add(1))
}

/// Drops what is oldest when the map is full and `key` is not in it.
fn make_room<K: Copy + Ord>(map: &mut BTreeMap<K, UnixMillis>, most: usize, key: &K) {
    if map.len() >= most && !map.contains_key(key) {
        let oldest = map.iter().min_by_key(|(_, at)| **at);
        if let Some(oldest) = oldest.map(|(key, _)| *key) {
            map.remove(&oldest);
        }
    }
}
