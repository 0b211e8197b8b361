//! Home records of this node that are put into the network, again and again until they expire.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;
use vettid_wire::limits;

use super::LOCATION;

/// Records of this node's vaults, each with the time at which it is put again.
#[derive(Debug, Default)]
pub(crate) struct Published {
    records: HashMap<[u8; LOCATION], Own>,
    due: BTreeSet<(Instant, [u8; LOCATION])>,
}

#[derive(Debug)]
struct Own {
    value: Vec<u8>,
    expires: Instant,
    due: Instant,
}

impl Published {
    /// Takes a record that is due at once, in place of an earlier one of the location.
    pub(crate) fn put(
        &mut self,
        location: [u8; LOCATION],
        value: Vec<u8>,
        expires: Instant,
        now: Instant,
        most: usize,
    ) -> bool {
        let is_new = !self.records.contains_key(&location);
        if is_new && self.records.len() >= most || value.len() > limits::HOME_RECORD {
            return false;
        }
        self.remove(&location);
        self.due.insert((now, location));
        let own = Own {
            value,
            expires,
            due: now,
        };
        self.records.insert(location, own);
        true
    }

    pub(crate) fn remove(&mut self, location: &[u8; LOCATION]) {
        if let Some(own) = self.records.remove(location) {
            self.due.remove(&(own.due, *location));
        }
    }

    /// The next record that is due, which is due again after `pause`; expired ones are forgotten.
    pub(crate) fn next_due(
        &mut self,
        now: Instant,
        pause: Duration,
    ) -> Option<([u8; LOCATION], Vec<u8>, Duration)> {
        loop {
            let (due, location) = *self.due.first()?;
            if due > now {
                return None;
            }
            self.due.remove(&(due, location));
            let own = self.records.get_mut(&location)?;
            let Some(left) = own.expires.checked_duration_since(now) else {
                self.records.remove(&location);
                continue;
            };
            own.due = now + pause;
            self.due.insert((own.due, location));
            return Some((location, own.value.clone(), left));
        }
    }

    /// Has a record put again soon: the network did not take it.
    pub(crate) fn retry(&mut self, location: [u8; LOCATION], at: Instant) {
        if let Some(own) = self.records.get_mut(&location) {
            self.due.remove(&(own.due, location));
            own.due = at;
            self.due.insert((at, location));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_records_are_due_at_once_and_again_until_they_expire() {
        let mut published = Published::default();
        let (now, pause) = (Instant::now(), Duration::from_secs(60));
        let expires = now + Duration::from_secs(100);
        assert!(published.put([1; 32], vec![1], expires, now, 2));

        let due = |published: &mut Published, after| {
            let next = published.next_due(now + Duration::from_secs(after), pause);
            next.map(|(location, value, _)| (location, value))
        };
        assert_eq!(due(&mut published, 0), Some(([1; 32], vec![1])));
        assert_eq!(due(&mut published, 59), None);
        assert_eq!(due(&mut published, 60), Some(([1; 32], vec![1])));
        assert_eq!(due(&mut published, 121), None);
        assert!(published.records.is_empty());
    }

    #[test]
    fn later_record_takes_the_place_of_the_earlier_and_too_many_are_refused() {
        let mut published = Published::default();
        let (now, pause) = (Instant::now(), Duration::from_secs(60));
        let expires = now + Duration::from_secs(1_000);
        assert!(published.put([1; 32], vec![1], expires, now, 1));
        assert!(published.put([1; 32], vec![2], expires, now, 1));
        assert!(!published.put([2; 32], vec![2], expires, now, 1));
        let large = vec![3; limits::HOME_RECORD + 1];
        assert!(!published.put([1; 32], large, expires, now, 1));

        let next = published.next_due(now, pause).map(|(_, value, _)| value);
        assert_eq!(next, Some(vec![2]));
        published.retry([1; 32], now);
        assert!(published.next_due(now, pause).is_some());
        published.remove(&[1; 32]);
        assert!(published.next_due(now + pause, pause).is_none());
    }
}
