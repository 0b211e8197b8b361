//! How much may come from others: a token bucket for each connection and group, and one for all who
//! are none. What is over it is to come again later. It costs nothing to forget it.

use std::collections::BTreeMap;

use vettid_wire::content::Parcel;
use vettid_wire::limits;
use vettid_wire::time::{SECOND, UnixMillis};

/// The buckets of one vault; no more than it has connections and groups, and one.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    known: BTreeMap<[u8; 16], Bucket>,
    strangers: Bucket,
}

impl Flow {
    /// Takes one delivery out of its bucket; whether there was one. `known` says whether there is a
    /// connection or group of an id.
    pub(crate) fn take(
        &mut self,
        parcel: &Parcel,
        now: UnixMillis,
        known: impl FnOnce(&[u8; 16]) -> bool,
    ) -> bool {
        let id = conversation(parcel);
        if !known(&id) {
            return self.strangers.take(now, STRANGERS);
        }
        if self.known.len() >= limits::CONNECTIONS + limits::GROUPS {
            // A bucket that is full again says nothing that a new one does not.
            self.known.retain(|_, bucket| !bucket.is_full(now, KNOWN));
        }
        self.known.entry(id).or_default().take(now, KNOWN)
    }
}

/// What a parcel is about.
fn conversation(parcel: &Parcel) -> [u8; 16] {
    match parcel {
        Parcel::Hello(hello) => hello.connection.0,
        Parcel::Offer(offer) => offer.connection.0,
        Parcel::Answer(sealed) | Parcel::Welcome(sealed) | Parcel::Resume(sealed) => {
            sealed.connection.0
        }
        Parcel::Talk(talk) => talk.connection.0,
        Parcel::Circle(circle) => circle.group.0,
    }
}

/// Deliveries a second in the long run, and at once after a pause.
type Rate = (u64, u64);

const KNOWN: Rate = (limits::PEER_DELIVERIES, limits::PEER_BURST);
const STRANGERS: Rate = (limits::STRANGER_DELIVERIES, limits::STRANGER_BURST);
/// What one delivery takes: thousandths, so that each millisecond puts whole ones in.
const ONE: u64 = SECOND;

/// What has been taken out of a bucket and not run in again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    taken: u64,
    at: UnixMillis,
}

impl Bucket {
    fn taken(&self, now: UnixMillis, (rate, _): Rate) -> u64 {
        self.taken
            .saturating_sub(now.since(self.at).saturating_mul(rate))
    }

    fn is_full(&self, now: UnixMillis, rate: Rate) -> bool {
        self.taken(now, rate) == 0
    }

    fn take(&mut self, now: UnixMillis, rate: Rate) -> bool {
        let taken = self.taken(now, rate).saturating_add(ONE);
        let fits = taken <= rate.1.saturating_mul(ONE);
        if fits {
            *self = Self { taken, at: now };
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::content::Circle;
    use vettid_wire::id::GroupId;

    fn circle(number: u8) -> Parcel {
        Parcel::Circle(Circle {
            group: GroupId([number; 16]),
            message: vec![],
        })
    }

    #[test]
    fn burst_is_taken_and_then_what_the_rate_gives() {
        let (mut flow, now) = (Flow::default(), UnixMillis(1_000_000));
        let mut take = |number, at, known: bool| flow.take(&circle(number), at, |_| known);
        for _ in 0..limits::STRANGER_BURST {
            assert!(take(1, now, false));
        }

        assert!(!take(1, now, false) && !take(2, now, false));
        assert!(take(3, now, true), "whoever is known is not held up");
        assert!(take(1, now.plus(SECOND), false));
    }

    #[test]
    fn buckets_are_bounded() {
        let mut flow = Flow::default();
        for number in 0..3_000_u32 {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            let parcel = Parcel::Circle(Circle {
                group: GroupId(id),
                message: vec![],
            });
            let now = UnixMillis(u64::from(number) * SECOND);
            assert!(flow.take(&parcel, now, |_| true));
        }

        assert!(flow.known.len() <= limits::CONNECTIONS + limits::GROUPS);
    }
}
