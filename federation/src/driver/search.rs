//! Home records in the network: put, put again, searched for.

use std::time::Duration;

use libp2p::PeerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::kad::{
    Event as KadEvent, GetRecordOk, InboundRequest, QueryId, QueryResult, Quorum, Record, RecordKey,
};
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;
use vettid_wire::time::UnixMillis;

use super::connections;
use super::links::unix_millis;
use super::state::{Driver, Search};
use crate::address;
use crate::event::Event;
use crate::records::{Keeper, LOCATION, merge, unbundle};

impl Driver {
    /// Puts a record into the network until it expires.
    pub(super) fn put_record(
        &mut self,
        location: [u8; LOCATION],
        record: Vec<u8>,
        expires: UnixMillis,
    ) {
        let now = Instant::now();
        let left = Duration::from_millis(expires.0.saturating_sub(unix_millis()));
        let most = self.config.limits.own_records;
        if !self.published.put(location, record, now + left, now, most) {
            tracing::warn!("a home record was not published: too many, or too large");
        }
    }

    /// Puts a record no more.
    pub(super) fn drop_record(&mut self, location: &[u8; LOCATION]) {
        self.published.remove(location);
        let key = RecordKey::from(location.to_vec());
        // Not through Kademlia, which removes only what names its publisher; nothing here does.
        let kad = self.swarm.behaviour_mut().kad.inner();
        kad.store_mut().remove(&key);
    }

    /// Looks a record up.
    pub(super) fn find(&mut self, request: u64, location: [u8; LOCATION]) {
        if self.to_search.len() >= WAITING {
            let records = Vec::new();
            self.tell(Event::Homes { request, records });
            return;
        }
        self.to_search.push_back((request, location));
        self.search_next();
    }

    /// Begins as many searches as may be under way.
    fn search_next(&mut self) {
        while self.searches.len() < self.config.limits.searches
            && let Some((request, location)) = self.to_search.pop_front()
        {
            let key = RecordKey::from(location.to_vec());
            let query = self.swarm.behaviour_mut().kad.inner().get_record(key);
            let search = Search {
                request,
                answers: Vec::new(),
            };
            self.searches.insert(query, search);
        }
    }

    pub(super) fn check_records(&mut self, now: Instant) {
        while self.puts.len() < PUTS {
            let pause = self.config.limits.republish;
            let Some((location, value, left)) = self.published.next_due(now, pause) else {
                break;
            };
            let mut record = Record::new(location.to_vec(), value);
            record.expires = Some(std::time::Instant::now() + left);
            let kad = self.swarm.behaviour_mut().kad.inner();
            match kad.put_record(record, Quorum::One) {
                Ok(query) => {
                    self.puts.insert(query, location);
                }
                Err(_) => self.published.retry(location, now + PUT_AGAIN),
            }
        }
        if self.swept + SWEEP <= now {
            self.swept = now;
            self.swarm.behaviour_mut().kad.inner().store_mut().sweep();
        }
        self.count_records();
    }

    pub(super) fn on_kad(&mut self, event: KadEvent) {
        match event {
            KadEvent::InboundRequest {
                request:
                    InboundRequest::PutRecord {
                        source,
                        connection,
                        record: Some(record),
                        ..
                    },
            } => {
                let keeper = self.keeper(source, connection);
                let kad = self.swarm.behaviour_mut().kad.inner();
                if kad.store_mut().keep(source, keeper, record).is_err() {
                    self.metrics.records_refused.inc();
                }
                self.count_records();
            }
            KadEvent::OutboundQueryProgressed {
                id, result, step, ..
            } => self.on_query(id, result, step.last),
            _ => {}
        }
    }

    /// To whom a record counts: an admitted peer is one, strangers of one neighborhood are one.
    fn keeper(&self, source: PeerId, id: ConnectionId) -> Keeper {
        let connection = self.connections.get(&id);
        let stranger = connection.filter(|connection| connection.admitted.is_none());
        let from = stranger.and_then(connections::source);
        match from.filter(|ip| !ip.is_loopback()) {
            Some(ip) => Keeper::Neighborhood(address::neighborhood(ip)),
            None => Keeper::Peer(source),
        }
    }

    fn on_query(&mut self, id: QueryId, result: QueryResult, is_last: bool) {
        match result {
            QueryResult::PutRecord(outcome) => {
                let location = self.puts.remove(&id);
                if let (Some(location), Err(_)) = (location, outcome) {
                    self.published.retry(location, Instant::now() + PUT_AGAIN);
                }
            }
            QueryResult::GetRecord(outcome) => {
                if let Ok(GetRecordOk::FoundRecord(found)) = outcome {
                    self.on_answer(id, &found.record.value);
                }
                if is_last && let Some(search) = self.searches.remove(&id) {
                    self.tell(Event::Homes {
                        request: search.request,
                        records: merge(&search.answers),
                    });
                    self.search_next();
                }
            }
            _ => {}
        }
    }

    fn on_answer(&mut self, id: QueryId, bundle: &[u8]) {
        let Some(search) = self.searches.get_mut(&id) else {
            return;
        };
        search.answers.push(unbundle(bundle));
        if search.answers.len() >= ENOUGH
            && let Some(mut query) = self.swarm.behaviour_mut().kad.inner().query_mut(&id)
        {
            query.finish();
        }
    }

    fn count_records(&mut self) {
        let count = self.swarm.behaviour_mut().kad.inner().store_mut().len();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.records_held.set(count);
    }
}

/// Searches that may wait for their turn.
const WAITING: usize = 1_024;
/// Records that are being put at once.
const PUTS: usize = 8;
/// Pause before a record that nobody took is put again.
const PUT_AGAIN: Duration = Duration::from_secs(10);
/// Answers with which a search ends early: several, since one may be stale or forged.
const ENOUGH: usize = 6;
/// Pause between sweeps of expired records.
const SWEEP: Duration = Duration::from_secs(60);
