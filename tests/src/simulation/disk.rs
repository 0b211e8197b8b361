//! Log and snapshots of one vault at its host. What was handed over is durable a little later; what
//! was not when the host dies is gone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vettid_vault::{Host, Lost, Unreadable};
use vettid_wire::limits;
use vettid_wire::link::{LogPage, RecordBytes};
use vettid_wire::request::Head;

/// Log and snapshots of one vault.
#[derive(Clone, Debug, Default)]
pub struct VaultDisk {
    log: BTreeMap<u64, (bool, Vec<u8>)>,
    chunks: BTreeMap<(u64, u32), Vec<u8>>,
    /// Handed over and not durable.
    pending: VecDeque<(Head, bool, Vec<u8>)>,
    /// Newest durable record of this boot, as the supervisor remembers it.
    seen: Option<Head>,
}

impl VaultDisk {
    /// Number of the newest durable record.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.log.last_key_value().map_or(0, |(number, _)| *number)
    }

    /// The oldest record that is not durable.
    #[must_use]
    pub fn first_waiting(&self) -> Option<u64> {
        self.pending.front().map(|(head, _, _)| head.number)
    }

    /// Makes the oldest `count` records durable that are not.
    ///
    /// # Panics
    /// When records do not follow each other.
    pub fn flush(&mut self, count: usize) {
        for (head, checkpoint, record) in self.pending.drain(..count.min(self.pending.len())) {
            let newest = self.log.last_key_value().map(|(number, _)| *number);
            assert!(
                newest.is_none_or(|newest| newest + 1 == head.number),
                "records come in order"
            );
            self.log.insert(head.number, (checkpoint, record));
            self.seen = Some(head);
        }
    }

    /// Records that are not durable.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// What was not durable is lost, and so is what the enclave remembered.
    pub fn crash(&mut self) {
        self.pending.clear();
        self.seen = None;
    }

    /// Records and chunks that are kept, and their bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let records = self.log.values().map(|(_, record)| record.len());
        let chunks = self.chunks.values().map(Vec::len);
        let count = self.log.len() + self.chunks.len();
        (count, records.chain(chunks).sum())
    }
}

impl Host for VaultDisk {
    fn append(&mut self, head: Head, checkpoint: bool, record: Vec<u8>) {
        self.pending.push_back((head, checkpoint, record));
    }

    fn settle(&mut self) -> Result<(), Lost> {
        self.flush(usize::MAX);
        Ok(())
    }

    fn read_log(&mut self, from: u64) -> Result<LogPage, Unreadable> {
        let checkpoint = self.log.iter().rev().find(|(_, (it, _))| *it);
        let first = match from {
            0 => checkpoint.map_or(0, |(number, _)| *number),
            number => number,
        };
        let mut bytes = 0;
        let records = self.log.range(first..).take_while(|(_, (_, record))| {
            let is_first = bytes == 0;
            bytes += record.len();
            is_first || bytes <= limits::LOG_PAGE
        });
        Ok(LogPage {
            newest: self.newest(),
            first,
            records: records
                .map(|(_, (_, record))| RecordBytes(record.clone()))
                .collect(),
        })
    }

    fn put_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        bytes: Vec<u8>,
        _: Duration,
    ) -> Result<(), Unreadable> {
        self.chunks.insert((snapshot, index), bytes);
        Ok(())
    }

    fn get_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        _: u32,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.chunks.get(&(snapshot, index)).cloned())
    }

    fn cut(&mut self, below: u64, snapshot: Option<u64>) {
        self.log.retain(|number, _| *number >= below);
        self.chunks
            .retain(|(number, _), _| snapshot.is_some_and(|kept| *number >= kept));
    }

    fn enrolled(&mut self) {}

    fn take_kdf_slot(&mut self) -> Result<(), Lost> {
        Ok(())
    }

    fn release_kdf_slot(&mut self) {}

    fn newest_seen(&self) -> Option<Head> {
        self.seen
    }
}
