//! How much may come from others: a token bucket for each vault with a connection, one for each group
//! that this vault is in, and one for all others. What is over it is to come again later. It costs nothing to forget it.

use std::collections::BTreeMap;

use vettid_wire::content::Parcel;
use vettid_wire::id::{GroupId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::UnixMillis;

use crate::bucket::{Bucket, ONE, Rate};

/// Whom a bucket is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Known {
    /// Members of a group: which of them it is, is known only when it was opened.
    Group(GroupId),
    /// Another vault, in whatever connection.
    Vault(VaultId),
}

/// The buckets of one vault; no more than it has connections and groups, and one.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    known: BTreeMap<Known, Bucket>,
    strangers: Bucket,
}

impl Flow {
    /// Takes one delivery out of its bucket; whether there was one. `known` says who is in a
    /// conversation.
    pub(crate) fn take(
        &mut self,
        parcel: &Parcel,
        now: UnixMillis,
        known: impl FnOnce(&Conversation) -> Option<Known>,
    ) -> bool {
        // Anybody may say hello, whoever he says that he is.
        let known = match parcel {
            Parcel::Hello(_) => None,
            _ => known(&conversation(parcel)),
        };
        let Some(known) = known else {
            return self.strangers.take(STRANGERS, ONE, now);
        };
        if self.known.len() >= limits::CONNECTIONS + limits::GROUPS {
            // A bucket that is full again says nothing that a new one does not.
            self.known.retain(|_, bucket| !bucket.is_full(KNOWN, now));
        }
        self.known.entry(known).or_default().take(KNOWN, ONE, now)
    }
}

/// What a parcel is about.
pub(crate) fn conversation(parcel: &Parcel) -> Conversation {
    match parcel {
        Parcel::Hello(hello) => hello.connection.into(),
        Parcel::Offer(offer) => offer.connection.into(),
        Parcel::Answer(sealed) | Parcel::Welcome(sealed) | Parcel::Resume(sealed) => {
            sealed.connection.into()
        }
        Parcel::Talk(talk) => talk.connection.into(),
        Parcel::Circle(circle) => circle.group.into(),
    }
}

const KNOWN: Rate = Rate {
    per_second: limits::PEER_DELIVERIES,
    burst: limits::PEER_BURST,
};
const STRANGERS: Rate = Rate {
    per_second: limits::STRANGER_DELIVERIES,
    burst: limits::STRANGER_BURST,
};

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::content::{Circle, Talk};
    use vettid_wire::id::ConnectionId;
    use vettid_wire::time::SECOND;

    fn circle(number: u8) -> Parcel {
        Parcel::Circle(Circle {
            group: GroupId([number; 16]),
            message: vec![],
        })
    }

    #[test]
    fn burst_is_taken_and_then_what_the_rate_gives() {
        let (mut flow, now) = (Flow::default(), UnixMillis(1_000_000));
        let known = |number| Known::Group(GroupId([number; 16]));
        let mut take = |number, at, is_known: bool| {
            flow.take(&circle(number), at, |_| is_known.then(|| known(number)))
        };
        for _ in 0..limits::STRANGER_BURST {
            assert!(take(1, now, false));
        }

        assert!(!take(1, now, false) && !take(2, now, false));
        assert!(take(3, now, true), "whoever is known is not held up");
        assert!(take(1, now.plus(SECOND), false));
    }

    #[test]
    fn vault_has_one_bucket_for_all_its_connections() {
        let (mut flow, now) = (Flow::default(), UnixMillis(1_000_000));
        let mut take = |number: u8| {
            let talk = Parcel::Talk(Talk {
                connection: ConnectionId([number; 16]),
                generation: 0,
                sequence: 1,
                message: vec![],
                after: [0; 8],
                mark: [0; 8],
            });
            flow.take(&talk, now, |_| Some(Known::Vault(VaultId([1; 32]))))
        };
        for _ in 0..limits::PEER_BURST / 2 {
            assert!(take(1) && take(2));
        }

        assert!(!take(1) && !take(2) && !take(3));
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
            assert!(flow.take(&parcel, now, |_| Some(Known::Group(GroupId(id)))));
        }

        assert!(flow.known.len() <= limits::CONNECTIONS + limits::GROUPS);
    }
}
