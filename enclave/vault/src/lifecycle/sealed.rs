//! A vault that waits for its PIN, and one that cannot be opened at all.

use vettid_crypto::VaultKey;
use vettid_store::{Chain, Database, Freshness, Linked, Replay, RestoreError, Restored};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::Head;

use super::Gate;
use crate::Host;
use crate::outside::Outside;
use crate::stop::Stop;

/// A vault whose log was read and is one chain. What it says is sealed until the PIN is proven.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) gate: Gate,
    pub(crate) chain: Chain,
    pub(crate) records: Vec<Linked>,
    /// What the database is restored into; made anew after a restore that failed.
    pub(crate) vessel: Option<Database>,
}

/// A vault whose log cannot be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unusable {
    pub(crate) why: Code,
    /// Newest record that could be read.
    pub(crate) newest: u64,
}

impl Unusable {
    /// What a caller is told who has seen the vault at `seen`.
    pub(crate) fn refusal(&self, seen: Option<Head>) -> Refusal {
        match seen {
            Some(seen) if seen.number > self.newest => Code::RolledBack.into(),
            _ => self.why.into(),
        }
    }
}

impl Sealed {
    /// Compares the log with a head that a device has seen.
    pub(crate) fn freshness(&self, seen: &Head) -> Freshness {
        let read = self.chain.head().map_or(0, |head| head.number);
        if seen.number > read {
            self.gate.log.tail.freshness(seen)
        } else {
            self.chain.freshness(seen)
        }
    }

    /// Restores the database from snapshot and log.
    pub(crate) fn restore(
        &mut self,
        key: &VaultKey,
        out: &mut Outside<'_>,
    ) -> Result<Restored, Stop> {
        let vessel = match self.vessel.take() {
            Some(vessel) => vessel,
            None => Database::template()?,
        };
        let mut unreadable = false;
        let restored = replay(&self.records, vessel, key, out.host, &mut unreadable);
        let Ok(restored) = restored else {
            return Err(if unreadable {
                Code::Unavailable
            } else {
                Code::Damaged
            }
            .into());
        };
        match restored.database.view().vault()? {
            Some(vault) if vault.id == self.gate.header.vault => Ok(restored),
            Some(_) | None => Err(Code::Damaged.into()),
        }
    }
}

fn replay(
    records: &[Linked],
    vessel: Database,
    key: &VaultKey,
    host: &mut dyn Host,
    unreadable: &mut bool,
) -> Result<Restored, RestoreError> {
    let [checkpoint, rest @ ..] = records else {
        return Err(RestoreError::OutOfOrder(0));
    };
    // The first record of a vault has none, and one that does not open is refused below.
    let snapshot = checkpoint.open_snapshot(key).ok();
    let count = snapshot.map_or(0, |snapshot| snapshot.chunks);
    let mut fetch = |snapshot, index| {
        host.get_chunk(snapshot, index, count).unwrap_or_else(|_| {
            *unreadable = true;
            None
        })
    };
    let mut replay = Replay::begin(vessel, checkpoint, key, &mut fetch)?;
    for record in rest {
        replay.apply(record)?;
    }
    replay.finish()
}
