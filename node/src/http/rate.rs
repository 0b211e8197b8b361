//! Requests per address: a bucket of tokens each, in a table that cannot grow without end.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses followed at once.
const ADDRESSES: usize = 8_192;

/// Allows so many requests a minute and address, all of them at once at first.
pub struct RateLimit {
    per_minute: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl RateLimit {
    /// At most `per_minute` requests of one address.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: f64::from(per_minute.max(1)),
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one request of `address`, or says how many seconds to wait.
    ///
    /// When the table is full of busy addresses, new ones share one bucket.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = group(address);
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.refilled(bucket, now) < self.per_minute);
            if buckets.len() >= ADDRESSES {
                key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let bucket = buckets.entry(key).or_insert_with(|| Bucket {
            tokens: self.per_minute,
            filled: now,
        });
        bucket.tokens = self.refilled(bucket, now);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - bucket.tokens) * 60.0 / self.per_minute);
            return Err(wait.as_secs().saturating_add(1));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn refilled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        (bucket.tokens + passed * self.per_minute / 60.0).min(self.per_minute)
    }
}

/// One household or machine has a whole /64 of IPv6 addresses.
pub(super) fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            IpAddr::V4,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn address_that_asks_too_often_waits_and_others_do_not() {
        let (limit, now) = (RateLimit::new(2), Instant::now());
        assert_eq!(limit.take(address(1), now), Ok(()));
        assert_eq!(limit.take(address(1), now), Ok(()));

        assert_eq!(limit.take(address(1), now), Err(31));
        assert_eq!(limit.take(address(2), now), Ok(()));
        assert_eq!(
            limit.take(address(1), now + Duration::from_secs(31)),
            Ok(())
        );
    }

    #[test]
    fn neighbors_in_one_ipv6_network_share_a_bucket() {
        let (limit, now) = (RateLimit::new(1), Instant::now());
        let one: IpAddr = "2001:db8::1".parse().expect("address");
        let other: IpAddr = "2001:db8::2".parse().expect("address");
        assert_eq!(limit.take(one, now), Ok(()));
        assert!(limit.take(other, now).is_err());
    }

    #[test]
    fn table_does_not_grow_beyond_its_bound() {
        let (limit, now) = (RateLimit::new(5), Instant::now());
        for index in 0..20_000_u32 {
            let _ = limit.take(IpAddr::from(index.to_be_bytes()), now);
        }
        assert!(limit.buckets.lock().expect("unpoisoned").len() <= ADDRESSES + 1);
    }
}
