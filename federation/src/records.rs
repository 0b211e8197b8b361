//! Home records: those of others that are kept here, and those of this node that are put out.
//!
//! A host cannot read a record, so it cannot tell the true one from a forged one. It keeps several
//! of one location, one from each peer that put one, and hands out all of them: whoever knows the
//! vault picks the valid one with the highest sequence. Who can put, puts so many in a minute; when
//! there is no more room, whoever has most gives way to whoever has less; where all have the same, one
//! of them at random gives way to whoever has nothing, now and then. Bootstrap nodes and relays admit
//! nobody: to them, all that comes from one neighborhood is one peer's.

mod published;

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::iter::{Empty, empty};
use std::net::IpAddr;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use tokio::time::Instant;
use vettid_wire::limits;

pub(crate) use published::Published;

/// Home records that are kept for the network.
#[derive(Debug)]
pub(crate) struct Homes {
    own: PeerId,
    held: HashMap<RecordKey, Vec<Held>>,
    /// How many each has, this node aside.
    shares: HashMap<Keeper, usize>,
    count: usize,
    most: usize,
    rate: u32,
    rates: HashMap<PeerId, Rate>,
    /// When each has lately been let in where others had as little as it was to have: at a location,
    /// or where all have the same of everything.
    let_in: HashMap<Keeper, Vec<(Option<RecordKey>, Instant)>>,
}

#[derive(Debug)]
struct Held {
    source: PeerId,
    keeper: Keeper,
    value: Vec<u8>,
    expires: std::time::Instant,
}

/// To whom a record counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Keeper {
    /// Whoever comes from a neighborhood: 24 bits of IPv4, or 48 of IPv6.
    Neighborhood(IpAddr),
    /// One peer.
    Peer(PeerId),
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    since: Instant,
    count: u32,
}

/// Why a record is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotKept {
    /// Empty, too large, or expired.
    Malformed,
    /// No room for it.
    Full,
    /// Its peer puts too many.
    TooMany,
}

impl Homes {
    pub(crate) fn new(own: PeerId, most: usize, rate: u32) -> Self {
        Self {
            own,
            held: HashMap::new(),
            shares: HashMap::new(),
            count: 0,
            most,
            rate,
            rates: HashMap::new(),
            let_in: HashMap::new(),
        }
    }

    /// Keeps a record that a peer has put, in place of its earlier one of the location.
    pub(crate) fn keep(
        &mut self,
        source: PeerId,
        keeper: Keeper,
        record: Record,
    ) -> Result<(), NotKept> {
        self.keep_at(source, keeper, record, Instant::now())
    }

    fn keep_at(
        &mut self,
        source: PeerId,
        keeper: Keeper,
        record: Record,
        now: Instant,
    ) -> Result<(), NotKept> {
        if !self.is_within_rate(source, now) {
            return Err(NotKept::TooMany);
        }
        self.insert(source, keeper, record, now)
    }

    /// How many are kept of others.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Forgets what has expired.
    pub(crate) fn sweep(&mut self) {
        let now = std::time::Instant::now();
        for held in self.held.values_mut() {
            held.retain(|held| held.expires > now);
        }
        self.held.retain(|_, held| !held.is_empty());
        self.count_all();
        let now = Instant::now();
        self.rates.retain(|_, rate| rate.since + MINUTE > now);
        self.let_in.retain(|_, before| {
            before.retain(|(_, at)| *at + LET_IN > now);
            !before.is_empty()
        });
    }

    fn insert(
        &mut self,
        source: PeerId,
        keeper: Keeper,
        record: Record,
        at: Instant,
    ) -> Result<(), NotKept> {
        let longest = Duration::from_millis(limits::HOME_TIME);
        let now = std::time::Instant::now();
        let expires = record.expires.unwrap_or(now + longest).min(now + longest);
        let fits = (1..=limits::HOME_RECORD).contains(&record.value.len());
        if !fits || record.key.as_ref().len() != LOCATION || expires <= now {
            return Err(NotKept::Malformed);
        }
        self.remove_of(&record.key, source);
        // What this node itself puts out is bounded where it is put.
        let fits = source == self.own
            || self.has_place(&record.key, keeper, at) && self.has_room(keeper, at);
        if !fits {
            return Err(NotKept::Full);
        }
        self.held.entry(record.key).or_default().push(Held {
            source,
            keeper,
            value: record.value,
            expires,
        });
        self.add(source, keeper);
        Ok(())
    }

    /// Whether there is a place at a location, or one that its keeper has beside another there.
    fn has_place(&mut self, key: &RecordKey, keeper: Keeper, now: Instant) -> bool {
        let slots = self.held.get(key).map_or(&[][..], Vec::as_slice);
        let others = slots.iter().filter(|held| held.source != self.own);
        if others.clone().count() < limits::HOME_ANSWERS {
            return true;
        }
        let of = |keeper: Keeper| others.clone().filter(|held| held.keeper == keeper).count();
        let most = others.clone().max_by_key(|held| of(held.keeper));
        let gives_way = most.filter(|held| of(held.keeper) > of(keeper).saturating_add(1));
        let any = others.clone().nth(random(limits::HOME_ANSWERS));
        let (own, any) = (of(keeper), any.map(|held| held.source));
        let source = match gives_way.map(|held| held.source) {
            None if own == 0 && self.lets_in(keeper, Some(key), now) => any,
            source => source,
        };
        let Some(source) = source else {
            return false;
        };
        self.remove_of(key, source);
        true
    }

    /// Whether somebody who has nothing takes the place of one of those who have no more than it is
    /// to have: else they would keep out everybody who comes later. Not often in one place, nor in
    /// many at once, so that few cannot drive out all others.
    fn lets_in(&mut self, keeper: Keeper, place: Option<&RecordKey>, now: Instant) -> bool {
        if self.let_in.len() >= LET_IN_KEEPERS && !self.let_in.contains_key(&keeper) {
            return false;
        }
        let before = self.let_in.entry(keeper).or_default();
        before.retain(|(_, at)| *at + LET_IN > now);
        let was_here = before.iter().any(|(before, _)| before.as_ref() == place);
        if was_here || before.len() >= LET_IN_PLACES {
            return false;
        }
        before.push((place.cloned(), now));
        true
    }

    /// Whether there is room for one more of a keeper, or whoever has most gives way to it.
    fn has_room(&mut self, keeper: Keeper, now: Instant) -> bool {
        if self.count < self.most {
            return true;
        }
        let own = self.shares.get(&keeper).copied().unwrap_or_default();
        let most = self.shares.iter().max_by_key(|(_, share)| **share);
        let Some((most, _)) = most.filter(|(_, share)| **share > own.saturating_add(1)) else {
            return own == 0 && self.lets_in(keeper, None, now) && self.remove_any();
        };
        let of_most = self.held.iter().flat_map(|(key, slots)| {
            let slots = slots.iter().filter(|held| held.keeper == *most);
            slots.map(move |held| (held.expires, key, held.source))
        });
        let first = of_most.min_by_key(|(expires, ..)| *expires);
        let Some((key, source)) = first.map(|(_, key, source)| (key.clone(), source)) else {
            return false;
        };
        self.remove_of(&key, source);
        true
    }

    /// Removes a record of others, whichever.
    fn remove_any(&mut self) -> bool {
        let all = self.held.iter().flat_map(|(key, slots)| {
            let slots = slots.iter().filter(|held| held.source != self.own);
            slots.map(move |held| (key, held.source))
        });
        let any = all.clone().nth(random(self.count));
        let Some((key, source)) = any.map(|(key, source)| (key.clone(), source)) else {
            return false;
        };
        self.remove_of(&key, source);
        true
    }

    fn remove_of(&mut self, key: &RecordKey, source: PeerId) {
        let Some(slots) = self.held.get_mut(key) else {
            return;
        };
        let removed = slots.iter().position(|held| held.source == source);
        let Some(removed) = removed.map(|at| slots.remove(at)) else {
            return;
        };
        if slots.is_empty() {
            self.held.remove(key);
        }
        if source != self.own {
            self.count = self.count.saturating_sub(1);
            if let Some(share) = self.shares.get_mut(&removed.keeper) {
                *share = share.saturating_sub(1);
                if *share == 0 {
                    self.shares.remove(&removed.keeper);
                }
            }
        }
    }

    fn add(&mut self, source: PeerId, keeper: Keeper) {
        if source != self.own {
            self.count = self.count.saturating_add(1);
            let share = self.shares.entry(keeper).or_default();
            *share = share.saturating_add(1);
        }
    }

    fn count_all(&mut self) {
        (self.count, self.shares) = (0, HashMap::new());
        let all = self.held.values().flatten();
        let all: Vec<_> = all.map(|held| (held.source, held.keeper)).collect();
        all.into_iter()
            .for_each(|(source, keeper)| self.add(source, keeper));
    }

    fn is_within_rate(&mut self, source: PeerId, now: Instant) -> bool {
        let rate = self.rates.entry(source).or_insert(Rate {
            since: now,
            count: 0,
        });
        if rate.since + MINUTE <= now {
            *rate = Rate {
                since: now,
                count: 0,
            };
        }
        rate.count = rate.count.saturating_add(1);
        rate.count <= self.rate
    }
}

impl RecordStore for Homes {
    type RecordsIter<'a> = Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = Empty<Cow<'a, ProviderRecord>>;

    /// All records of a location as one value.
    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let now = std::time::Instant::now();
        let slots = self.held.get(key)?.iter().filter(|held| held.expires > now);
        let value = bundle(slots.map(|held| held.value.as_slice()));
        (!value.is_empty()).then(|| Cow::Owned(Record::new(key.clone(), value)))
    }

    /// Keeps a record of this node.
    fn put(&mut self, record: Record) -> Result<(), Error> {
        let own = self.own;
        self.insert(own, Keeper::Peer(own), record, Instant::now())
            .map_err(|_| Error::MaxRecords)
    }

    fn remove(&mut self, key: &RecordKey) {
        self.remove_of(key, self.own);
    }

    /// None: whoever put a record puts it again.
    fn records(&self) -> Self::RecordsIter<'_> {
        empty()
    }

    fn add_provider(&mut self, _: ProviderRecord) -> Result<(), Error> {
        Err(Error::MaxProvidedKeys)
    }

    fn providers(&self, _: &RecordKey) -> Vec<ProviderRecord> {
        Vec::new()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        empty()
    }

    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {}
}

/// A number below `end`. Not secret: it only must not be foreseen.
fn random(end: usize) -> usize {
    let drawn = RandomState::new().build_hasher().finish();
    usize::try_from(drawn).unwrap_or_default() % end.max(1)
}

/// Records one after the other, each behind its length in four bytes.
fn bundle<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut value = Vec::new();
    for record in records {
        if let Ok(length) = u32::try_from(record.len()) {
            value.extend(length.to_be_bytes());
            value.extend(record);
        }
    }
    value
}

/// Takes a bundle apart; what is malformed or too much ends it.
pub(crate) fn unbundle(mut value: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = value.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let fits = (1..=limits::HOME_RECORD).contains(&length);
        let Some((record, rest)) = rest.split_at_checked(length).filter(|_| fits) else {
            break;
        };
        records.push(record.to_vec());
        value = rest;
        if records.len() == limits::HOME_ANSWERS {
            break;
        }
    }
    records
}

/// What peers answered in one search: as many of each as fit, so that none of them fills all.
pub(crate) fn merge(answers: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    for turn in 0..limits::HOME_ANSWERS {
        for record in answers.iter().filter_map(|answer| answer.get(turn)) {
            if merged.len() < limits::HOME_ANSWERS && !merged.contains(record) {
                merged.push(record.clone());
            }
        }
    }
    merged
}

/// Bytes of a location.
pub(crate) const LOCATION: usize = 32;
const MINUTE: Duration = Duration::from_secs(60);
/// Pause before a keeper is let in again in one place where others have no more than it.
const LET_IN: Duration = Duration::from_secs(600);
/// Places where one keeper is let in within that time, and keepers of which that is remembered; who
/// comes when there are more is not let in.
const LET_IN_PLACES: usize = 16;
const LET_IN_KEEPERS: usize = 4_096;

#[cfg(test)]
mod tests;
