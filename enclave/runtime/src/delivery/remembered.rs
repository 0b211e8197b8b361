//! Homes that are remembered, each on the account of who asked for it: where there is no room for
//! all, who has most gives way, so that nobody's many contacts take the place of another's few.

use std::collections::{BTreeMap, BTreeSet};

use vettid_wire::home::{Home, HomeNode};
use vettid_wire::id::VaultId;
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

/// Bytes of all homes.
const BYTES: usize = 16 * 1024 * 1024;

/// Each counts for this many at least, so that there are at most 16,384.
const LEAST: usize = 1024;

/// The newest home of each vault.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    known: BTreeMap<VaultId, Known>,
    /// Which of them end first.
    ends: BTreeSet<(UnixMillis, VaultId)>,
    bytes: usize,
    accounts: BTreeMap<VaultId, Account>,
    /// Bytes of each account.
    most: BTreeSet<(usize, VaultId)>,
}

/// What is remembered of a record.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) nodes: Vec<HomeNode>,
    pub(super) sequence: u64,
    pub(super) expires: UnixMillis,
    bytes: usize,
    on: VaultId,
}

/// What one vault has asked for.
#[derive(Debug, Default)]
struct Account {
    bytes: usize,
    /// Which ends first.
    ends: BTreeSet<(UnixMillis, VaultId)>,
}

impl Remembered {
    pub(super) fn get(&self, vault: &VaultId) -> Option<&Known> {
        self.known.get(vault)
    }

    /// Takes the place of what was known of a vault, on the account of `on`.
    pub(super) fn insert(&mut self, on: VaultId, home: Home, now: UnixMillis) {
        let vault = home.vault;
        self.forget(&vault);
        let bytes = home.nodes.iter().map(size).sum::<usize>().max(LEAST);
        // Who signs it names its end: no vault means one so far away that it outstays all others.
        let expires = home.expires.min(now.plus(limits::HOME_TIME));
        self.make_room(bytes, now);
        self.bytes = self.bytes.saturating_add(bytes);
        self.ends.insert((expires, vault));
        self.change(on, |account| {
            account.bytes = account.bytes.saturating_add(bytes);
            account.ends.insert((expires, vault));
        });
        let known = Known {
            nodes: home.nodes,
            sequence: home.sequence,
            expires,
            bytes,
            on,
        };
        self.known.insert(vault, known);
    }

    /// Forgets what has ended, then what ends first of who has most.
    fn make_room(&mut self, bytes: usize, now: UnixMillis) {
        while self.bytes.saturating_add(bytes) > BYTES {
            let ended = self.ends.first().filter(|(expires, _)| *expires <= now);
            let most = || {
                let (_, on) = self.most.last()?;
                self.accounts.get(on)?.ends.first()
            };
            let Some((_, vault)) = ended.or_else(most).copied() else {
                return;
            };
            self.forget(&vault);
        }
    }

    fn forget(&mut self, vault: &VaultId) {
        let Some(known) = self.known.remove(vault) else {
            return;
        };
        let end = (known.expires, *vault);
        self.bytes = self.bytes.saturating_sub(known.bytes);
        self.ends.remove(&end);
        self.change(known.on, |account| {
            account.bytes = account.bytes.saturating_sub(known.bytes);
            account.ends.remove(&end);
        });
    }

    fn change(&mut self, on: VaultId, change: impl FnOnce(&mut Account)) {
        let account = self.accounts.entry(on).or_default();
        self.most.remove(&(account.bytes, on));
        change(account);
        if account.ends.is_empty() {
            self.accounts.remove(&on);
        } else {
            self.most.insert((account.bytes, on));
        }
    }
}

fn size(node: &HomeNode) -> usize {
    let peers = node.peers.iter().map(|peer| peer.len());
    let addresses = node.addresses.iter().map(String::len);
    peers.chain(addresses).sum::<usize>().saturating_add(NODE)
}

/// What a node takes beside its peers and addresses, bytes.
const NODE: usize = 128;

#[cfg(test)]
mod tests {
    use vettid_wire::time::DAY;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const GREEDY: VaultId = VaultId([1; 32]);
    const MODEST: VaultId = VaultId([2; 32]);

    fn vault(number: usize) -> VaultId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        VaultId(id)
    }

    fn home(number: usize, expires: UnixMillis) -> Home {
        Home {
            vault: vault(number),
            identity: Vec::new(),
            nodes: Vec::new(),
            sequence: 1,
            expires,
        }
    }

    #[test]
    fn who_has_most_gives_way_whatever_end_its_homes_claim() {
        let mut homes = Remembered::default();
        homes.insert(MODEST, home(0, NOW.plus(DAY)), NOW);
        let all = BYTES / LEAST;
        for number in 1..=2 * all {
            homes.insert(GREEDY, home(number, UnixMillis(u64::MAX)), NOW);
        }

        assert_eq!(homes.known.len(), all);
        assert!(homes.get(&vault(0)).is_some());
        assert!(homes.get(&vault(2 * all)).is_some());
        homes.insert(MODEST, home(2 * all + 1, NOW.plus(DAY)), NOW);
        assert!(homes.get(&vault(0)).is_some());
        assert_eq!(homes.known.len(), all);
        assert_eq!(homes.bytes, BYTES);
    }

    #[test]
    fn home_is_remembered_no_longer_than_any_is_published_for_and_ended_ones_go_first() {
        let mut homes = Remembered::default();
        homes.insert(MODEST, home(0, UnixMillis(u64::MAX)), NOW);
        let end = NOW.plus(limits::HOME_TIME);
        assert_eq!(homes.get(&vault(0)).map(|known| known.expires), Some(end));

        for number in 1..=BYTES / LEAST {
            homes.insert(GREEDY, home(number, end.plus(DAY)), end);
        }
        assert!(homes.get(&vault(0)).is_none());
        assert!(homes.get(&vault(1)).is_some());
        assert_eq!(homes.accounts.len(), 1);
    }

    #[test]
    fn newer_home_takes_the_place_of_the_older_on_the_account_of_who_brought_it() {
        let mut homes = Remembered::default();
        homes.insert(MODEST, home(0, NOW.plus(DAY)), NOW);
        homes.insert(GREEDY, home(0, NOW.plus(2 * DAY)), NOW);

        assert_eq!(homes.ends.len(), 1);
        assert_eq!(homes.bytes, LEAST);
        assert_eq!(homes.most.iter().collect::<Vec<_>>(), [&(LEAST, GREEDY)]);
        assert_eq!(homes.accounts.len(), 1);
    }
}
