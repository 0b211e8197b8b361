//! Reading a vault's log at its opening: one chain from the newest checkpoint to the newest record.

use vettid_crypto::SealingKey;
use vettid_store::{Chain, Database, Freshness, Header, Kind, Linked, Record, Tail};
use vettid_wire::id::SpaceId;
use vettid_wire::refusal::Code;

use super::{Gate, Log, Sealed, Unusable};
use crate::{Host, Unreadable};

/// Reads the log. A log that cannot be used is an answer too.
pub(crate) fn read(
    space: SpaceId,
    sealing_key: SealingKey,
    vessel: Database,
    host: &mut dyn Host,
) -> Result<Result<Sealed, Unusable>, Unreadable> {
    let mut chain = Chain::new(space);
    let mut records = Vec::new();
    let complete = follow(&mut chain, &mut records, host)?;
    let newest = chain.head().map_or(0, |head| head.number);
    if let Some(seen) = host.newest_seen()
        && chain.freshness(&seen) != Freshness::Fresh
    {
        return Ok(Err(Unusable {
            why: Code::RolledBack,
            newest,
        }));
    }
    let header = complete
        .then(|| newest_header(&records, &sealing_key))
        .flatten();
    let Some(header) = header else {
        return Ok(Err(Unusable {
            why: Code::Damaged,
            newest,
        }));
    };
    let log = Log {
        sealing_key,
        tail: Tail::behind(&chain),
    };
    Ok(Ok(Sealed {
        gate: Gate { header, log },
        chain,
        records,
        vessel: Some(vessel),
    }))
}

/// Takes pages until the newest record. False when they are no chain, or end too early.
fn follow(
    chain: &mut Chain,
    records: &mut Vec<Linked>,
    host: &mut dyn Host,
) -> Result<bool, Unreadable> {
    let mut from = 0;
    loop {
        let page = host.read_log(from)?;
        for record in &page.records {
            let linked = Record::parse(&record.0)
                .ok()
                .map(|record| chain.accept(record));
            let Some(Ok(linked)) = linked else {
                return Ok(false);
            };
            records.push(linked);
        }
        let Some(head) = chain.head() else {
            return Ok(false);
        };
        if head.number >= page.newest {
            return Ok(true);
        }
        if page.records.is_empty() {
            return Ok(false);
        }
        from = head.number.saturating_add(1);
    }
}

fn newest_header(records: &[Linked], key: &SealingKey) -> Option<Header> {
    let newest = records
        .iter()
        .rev()
        .find(|record| record.kind() != Kind::Changeset)?;
    newest.open_header(key).ok()
}
