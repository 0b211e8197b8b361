//! How many signatures of home records are checked: one thread serves all vaults, and a record of a
//! vault that has had many keys takes as many checks.

use std::collections::BTreeMap;

use vettid_wire::id::VaultId;
use vettid_wire::time::{SECOND, UnixMillis};

/// Checks for all vaults at once, and so many more each second.
const ALL: Rate = Rate {
    most: 4_096,
    per_second: 2_048,
};

/// Of these, for one vault.
const ONE: Rate = Rate {
    most: 512,
    per_second: 256,
};

/// What may be checked yet.
#[derive(Debug)]
pub(super) struct Checks {
    all: Left,
    of: BTreeMap<VaultId, Left>,
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    most: u64,
    per_second: u64,
}

/// Thousandths of checks, since each comes back in part.
#[derive(Clone, Copy, Debug)]
struct Left {
    thousandths: u64,
    at: UnixMillis,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            all: Left::full(ALL, UnixMillis(0)),
            of: BTreeMap::new(),
        }
    }
}

impl Checks {
    /// Spends so many checks on behalf of a vault, if it and all have as many left.
    pub(super) fn spend(&mut self, vault: VaultId, checks: u64, now: UnixMillis) -> bool {
        let of = self.of.entry(vault);
        let of = of.or_insert_with(|| Left::full(ONE, now));
        of.fill(ONE, now);
        self.all.fill(ALL, now);
        let wanted = checks.saturating_mul(1_000);
        if of.thousandths < wanted || self.all.thousandths < wanted {
            return false;
        }
        of.thousandths = of.thousandths.saturating_sub(wanted);
        self.all.thousandths = self.all.thousandths.saturating_sub(wanted);
        true
    }

    /// Forgets vaults that have spent nothing for a while.
    pub(super) fn tick(&mut self, now: UnixMillis) {
        self.of.retain(|_, left| {
            left.fill(ONE, now);
            left.thousandths < ONE.most.saturating_mul(1_000)
        });
    }
}

impl Left {
    const fn full(rate: Rate, now: UnixMillis) -> Self {
        Self {
            thousandths: rate.most.saturating_mul(1_000),
            at: now,
        }
    }

    fn fill(&mut self, rate: Rate, now: UnixMillis) {
        let back = now.since(self.at).saturating_mul(rate.per_second);
        let most = rate.most.saturating_mul(1_000);
        self.thousandths = self.thousandths.saturating_add(back).min(most);
        self.at = now;
    }
}

const _: () = assert!(SECOND == 1_000, "a thousandth comes back each millisecond");

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn one_vault_spends_its_own_and_others_have_theirs() {
        let mut checks = Checks::default();
        let vaults: Vec<_> = (0..9).map(|byte| VaultId([byte; 32])).collect();
        assert!(checks.spend(vaults[0], 512, NOW));
        assert!(!checks.spend(vaults[0], 1, NOW));

        // All together have a bound, too.
        let spent = vaults[1..]
            .iter()
            .filter(|vault| checks.spend(**vault, 512, NOW));
        assert_eq!(spent.count(), 7);
        assert!(!checks.spend(vaults[8], 1, NOW));
        assert!(checks.spend(vaults[8], 512, NOW.plus(500)));
        assert!(checks.spend(vaults[0], 100, NOW.plus(500)));
    }

    #[test]
    fn checks_come_back_and_who_has_all_is_forgotten() {
        let mut checks = Checks::default();
        let vault = VaultId([1; 32]);
        assert!(checks.spend(vault, 512, NOW));
        assert!(!checks.spend(vault, 257, NOW.plus(SECOND)));
        assert!(checks.spend(vault, 256, NOW.plus(SECOND)));

        checks.tick(NOW.plus(2 * SECOND));
        assert_eq!(checks.of.len(), 1);
        checks.tick(NOW.plus(3 * SECOND));
        assert!(checks.of.is_empty());
    }
}
