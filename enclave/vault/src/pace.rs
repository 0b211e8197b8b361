//! How fast devices may ask: a token bucket for each device of the vault, and one for all others.
//!
//! Attempts at PIN and password have an account of their own ([`crate::attempts`]) that survives
//! every restart. This one is about the time of the processor that a vault shares with others: it
//! costs nothing to forget it.

use std::collections::BTreeMap;

use vettid_wire::id::DeviceId;
use vettid_wire::limits;
use vettid_wire::refusal::Refusal;
use vettid_wire::time::UnixMillis;

use crate::bucket::{Bucket, ONE, Rate};

/// Bytes of a request that count as one more.
const SHARE: usize = 4096;
const RATE: Rate = Rate {
    per_second: limits::DEVICE_REQUESTS,
    burst: limits::DEVICE_BURST,
};

/// The buckets of one vault; at most [`limits::DEVICES`] and one.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    devices: BTreeMap<DeviceId, Bucket>,
    /// Of everybody who is no device of the vault, whatever keys they come with.
    others: Bucket,
}

impl Pace {
    /// Takes a request of so many bytes out of the bucket of its device, or refuses it until there
    /// is room. A large one counts as several: it costs as much.
    pub(crate) fn take(
        &mut self,
        device: &DeviceId,
        registered: bool,
        bytes: usize,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let weight = u64::try_from(bytes / SHARE).unwrap_or(u64::MAX);
        let most = RATE.burst.saturating_mul(ONE);
        let cost = weight.saturating_add(1).saturating_mul(ONE).min(most);
        match self.bucket(device, registered, now).take(RATE, cost, now) {
            true => Ok(()),
            // A whole second refills thousands of requests: there is no finer unit to wait in.
            false => Err(Refusal::too_fast(1)),
        }
    }

    fn bucket(&mut self, device: &DeviceId, registered: bool, now: UnixMillis) -> &mut Bucket {
        if self.devices.len() >= limits::DEVICES {
            // A bucket that is full again says nothing that a new one does not.
            self.devices.retain(|_, bucket| !bucket.is_full(RATE, now));
        }
        let known = self.devices.contains_key(device);
        if registered && (known || self.devices.len() < limits::DEVICES) {
            self.devices.entry(*device).or_default()
        } else {
            &mut self.others
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vettid_wire::refusal::Code;
    use vettid_wire::time::SECOND;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const PHONE: DeviceId = DeviceId([1; 32]);

    fn numbered(number: u16) -> DeviceId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        DeviceId(id)
    }

    /// Takes as many requests as there are, at one moment.
    fn drain(pace: &mut Pace, device: &DeviceId, registered: bool, now: UnixMillis) -> u64 {
        let mut taken = 0;
        while pace.take(device, registered, 100, now).is_ok() {
            taken += 1;
        }
        taken
    }

    #[test]
    fn burst_is_served_and_the_request_behind_it_is_too_fast() {
        let mut pace = Pace::default();

        assert_eq!(drain(&mut pace, &PHONE, true, NOW), limits::DEVICE_BURST);

        let refusal = pace.take(&PHONE, true, 100, NOW).expect_err("too fast");
        assert_eq!(
            (refusal.code, refusal.retry_after),
            (Code::TooFast, Some(1))
        );
    }

    #[test]
    fn steady_rate_is_served_for_as_long_as_it_lasts() {
        let mut pace = Pace::default();
        drain(&mut pace, &PHONE, true, NOW);

        for millis in 1..=10_000 {
            let taken = drain(&mut pace, &PHONE, true, NOW.plus(millis));
            assert_eq!(taken, limits::DEVICE_REQUESTS / SECOND);
        }
    }

    #[test]
    fn who_waits_as_told_is_served_again() {
        let mut pace = Pace::default();
        drain(&mut pace, &PHONE, true, NOW);
        let refusal = pace.take(&PHONE, true, 100, NOW).expect_err("too fast");
        let wait = refusal.retry_after.expect("told") * SECOND;

        let taken = drain(&mut pace, &PHONE, true, NOW.plus(wait));

        assert_eq!(taken, limits::DEVICE_REQUESTS);
    }

    #[test]
    fn devices_do_not_slow_each_other_down() {
        let mut pace = Pace::default();
        drain(&mut pace, &PHONE, true, NOW);

        assert!(pace.take(&numbered(7), true, 100, NOW).is_ok());
        assert!(pace.take(&numbered(8), false, 100, NOW).is_ok());
    }

    #[test]
    fn all_who_are_no_devices_share_one_bucket() {
        let mut pace = Pace::default();

        let taken: u64 = (0..50)
            .map(|number| drain(&mut pace, &numbered(number), false, NOW))
            .sum();

        assert_eq!(taken, limits::DEVICE_BURST);
        assert!(pace.devices.is_empty());
    }

    #[test]
    fn clock_that_was_set_back_gives_nothing_and_takes_nothing() {
        let mut pace = Pace::default();
        drain(&mut pace, &PHONE, true, NOW);
        let earlier = UnixMillis(NOW.0 - 3_600 * SECOND);

        assert_eq!(drain(&mut pace, &PHONE, true, earlier), 0);
        let taken = drain(&mut pace, &PHONE, true, earlier.plus(SECOND));
        assert_eq!(taken, limits::DEVICE_REQUESTS);
    }

    #[test]
    fn large_requests_count_as_several() {
        let mut pace = Pace::default();

        let served = (0..limits::DEVICE_BURST)
            .take_while(|_| pace.take(&PHONE, true, 4 * SHARE, NOW).is_ok())
            .count();

        assert_eq!(u64::try_from(served), Ok(limits::DEVICE_BURST / 5));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_no_device_gets_more_than_burst_and_rate(
            steps in prop::collection::vec((0..100_u16, any::<bool>(), 0..2_000_u64), 1..400)
        ) {
            let (mut pace, mut now) = (Pace::default(), NOW);
            let mut served = BTreeMap::<u16, u64>::new();
            for (number, registered, pause) in steps {
                now = now.plus(pause);
                for _ in 0..20 {
                    let taken = pace.take(&numbered(number), registered, 100, now).is_ok();
                    *served.entry(number).or_default() += u64::from(taken);
                }
                prop_assert!(pace.devices.len() <= limits::DEVICES);
            }
            let most = limits::DEVICE_BURST + now.since(NOW) * limits::DEVICE_REQUESTS / SECOND;
            // A device that is forgotten and comes back was served less than the others' bucket holds.
            prop_assert!(served.values().all(|served| *served <= 2 * most));
        }
    }
}
