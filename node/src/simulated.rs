//! A spool in memory, for the in-memory federation of the tests: the lanes of `crate::spool`, with
//! rows that lie in a map and a clock that is set from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use vettid_wire::id::{DeliveryId, LaneId, NodeId, SpaceId};
use vettid_wire::link::federation::SpoolOutcome;
use vettid_wire::time::UnixMillis;

use crate::spool::{Known, LANES, Lanes, Load, Spooled, Step};

/// Deliveries of one node's vaults for other vaults, until they are settled.
pub struct SimulatedSpool {
    lanes: Lanes,
    rows: BTreeMap<u64, Row>,
    numbers: BTreeMap<DeliveryId, u64>,
    newest: u64,
    epoch: Instant,
    began: UnixMillis,
}

struct Row {
    space: SpaceId,
    lane: LaneId,
    expires: UnixMillis,
    delivery: DeliveryId,
    bytes: Bytes,
}

impl SimulatedSpool {
    /// An empty one; `seed` makes its pauses differ from others'. No time is before `now`.
    #[must_use]
    pub fn new(seed: u64, now: UnixMillis) -> Self {
        Self {
            lanes: Lanes::new(seed),
            rows: BTreeMap::new(),
            numbers: BTreeMap::new(),
            newest: 0,
            epoch: Instant::now(),
            began: now,
        }
    }

    /// Begins anew with what is stored, as a host that was restarted.
    pub fn restart(&mut self, seed: u64) {
        self.lanes = Lanes::new(seed);
        let mut lanes: BTreeMap<LaneId, Known> = BTreeMap::new();
        for (number, row) in &self.rows {
            let known = Known {
                space: row.space,
                lane: row.lane,
                newest: *number,
            };
            lanes.insert(row.lane, known);
        }
        for known in lanes.into_values().take(LANES) {
            self.lanes.know(known);
        }
    }

    /// A link to the enclave begins.
    pub fn link_up(&mut self) {
        self.lanes.link_up();
    }

    /// The record that a delivery depends on is durable: it is stored, once.
    pub fn keep(
        &mut self,
        now: UnixMillis,
        (space, lane, delivery): (SpaceId, LaneId, DeliveryId),
        expires: UnixMillis,
        bytes: Vec<u8>,
    ) {
        if let Some(newest) = self.numbers.get(&delivery).copied() {
            self.lanes.know(Known {
                space,
                lane,
                newest,
            });
            return;
        }
        self.newest = self.newest.saturating_add(1);
        let (number, bytes) = (self.newest, Bytes::from(bytes));
        self.numbers.insert(delivery, number);
        let row = Row {
            space,
            lane,
            expires,
            delivery,
            bytes: bytes.clone(),
        };
        self.rows.insert(number, row);
        let spooled = Spooled {
            number,
            delivery,
            bytes,
        };
        self.lanes.stored(self.at(now), space, lane, spooled);
    }

    /// What the enclave says of a delivery.
    pub fn settled(&mut self, now: UnixMillis, delivery: DeliveryId, outcome: SpoolOutcome) {
        self.lanes.settled(self.at(now), delivery, outcome);
    }

    /// A node was admitted.
    pub fn admitted(&mut self, now: UnixMillis, node: NodeId) {
        self.lanes.admitted(self.at(now), node);
    }

    /// The next delivery that is to be offered to the enclave, if one is now.
    pub fn next_due(&mut self, now: UnixMillis) -> Option<(LaneId, DeliveryId, Vec<u8>)> {
        self.lanes.tick(self.at(now));
        while let Some(step) = self.lanes.step() {
            match step {
                Step::Offer(lane, spooled) => {
                    return Some((lane, spooled.delivery, spooled.bytes.to_vec()));
                }
                Step::Load(load) => {
                    let read = self.load(load, now);
                    self.lanes.loaded(self.at(now), load, Some(read));
                }
                Step::Forget(delivery) => self.forget(delivery),
            }
        }
        None
    }

    /// When something may be due next.
    #[must_use]
    pub fn next_tick(&self) -> Option<UnixMillis> {
        let after = self.lanes.next_tick()?.duration_since(self.epoch);
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        Some(self.began.plus(millis))
    }

    /// Removes what has expired.
    pub fn sweep(&mut self, now: UnixMillis) {
        self.rows.retain(|_, row| row.expires > now);
        let rows = &self.rows;
        self.numbers.retain(|_, number| rows.contains_key(number));
    }

    /// Loses everything, as a disk does that is replaced.
    pub fn lose(&mut self) {
        self.rows.clear();
        self.numbers.clear();
    }

    /// Deliveries that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Lanes that are followed.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn load(&self, load: Load, now: UnixMillis) -> (Vec<Spooled>, bool) {
        let behind = load.behind.saturating_add(1);
        let rows: Vec<Spooled> = self
            .rows
            .range(behind..)
            .filter(|(_, row)| row.lane == load.lane && row.expires > now)
            .take(load.count)
            .map(|(number, row)| Spooled {
                number: *number,
                delivery: row.delivery,
                bytes: row.bytes.clone(),
            })
            .collect();
        let all = rows.len() < load.count;
        (rows, all)
    }

    fn forget(&mut self, delivery: DeliveryId) {
        if let Some(number) = self.numbers.remove(&delivery) {
            self.rows.remove(&number);
        }
    }

    fn at(&self, now: UnixMillis) -> Instant {
        let after = Duration::from_millis(now.since(self.began));
        self.epoch.checked_add(after).unwrap_or(self.epoch)
    }
}

impl fmt::Debug for SimulatedSpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedSpool")
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}
