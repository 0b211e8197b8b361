//! Reading a vault's log at its opening: one chain from the newest checkpoint to the newest record.

use vettid_store::{Chain, Database, Freshness, Header, Kind, Linked, Record, Tail};
use vettid_wire::id::SpaceId;
use vettid_wire::refusal::Code;

use super::{Gate, Log, Sealed, Unusable};
use crate::header_keys::HeaderKeys;
use crate::{Host, Unreadable};

/// Reads the log. A log that cannot be used is an answer too.
pub(crate) fn read(
    space: SpaceId,
    mut keys: HeaderKeys,
    vessel: Database,
    host: &mut dyn Host,
) -> Result<Result<Sealed, Unusable>, Unreadable> {
    let mut chain = Chain::new(space);
    let mut records = Vec::new();
    let Followed { complete, newest } = follow(&mut chain, &mut records, host)?;
    // A log that breaks in the middle is damaged; it is an older state only if it ends too early.
    if let Some(seen) = host.newest_seen()
        && (newest < seen.number || complete && chain.freshness(&seen) != Freshness::Fresh)
    {
        return Ok(Err(Unusable {
            why: Code::RolledBack,
            newest,
        }));
    }
    let header = match complete {
        true => newest_header(&records, &mut keys),
        false => Err(Code::Damaged),
    };
    let header = match header {
        Ok(header) => header,
        Err(why) => return Ok(Err(Unusable { why, newest })),
    };
    let log = Log {
        keys,
        tail: Tail::behind(&chain),
    };
    Ok(Ok(Sealed {
        gate: Gate { header, log },
        chain,
        records,
        vessel: Some(vessel),
    }))
}

/// How far a log could be followed.
struct Followed {
    /// Whether it is one chain up to its newest record.
    complete: bool,
    /// Newest record that the host says it has.
    newest: u64,
}

/// Takes pages until the newest record, or until they are no chain.
fn follow(
    chain: &mut Chain,
    records: &mut Vec<Linked>,
    host: &mut dyn Host,
) -> Result<Followed, Unreadable> {
    let mut from = 0;
    loop {
        let page = host.read_log(from)?;
        let followed = |complete| Followed {
            complete,
            newest: page.newest,
        };
        for record in &page.records {
            let linked = Record::parse(&record.0)
                .ok()
                .map(|record| chain.accept(record));
            let Some(Ok(linked)) = linked else {
                return Ok(followed(false));
            };
            records.push(linked);
        }
        let Some(head) = chain.head() else {
            return Ok(followed(false));
        };
        if head.number >= page.newest {
            return Ok(Followed {
                complete: true,
                newest: head.number,
            });
        }
        if page.records.is_empty() {
            return Ok(followed(false));
        }
        from = head.number.saturating_add(1);
    }
}

fn newest_header(records: &[Linked], keys: &mut HeaderKeys) -> Result<Header, Code> {
    let newest = records
        .iter()
        .rev()
        .find(|record| record.kind() != Kind::Changeset);
    keys.open(newest.ok_or(Code::Damaged)?)
}
