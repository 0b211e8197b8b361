//! What the enclave says about other nodes: in part it depends on records, in part it does not.

use bytes::Bytes;
use vettid_wire::id::SpaceId;
use vettid_wire::link::federation::FromEnclave;

use super::{Router, State};
use crate::enclave_link::EnclaveMisbehaved;
use crate::federation::is_bounded;
use crate::mailbox::Applied;
use crate::spool::Keep;

/// Something that is written behind the records queued before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::enclave_link) enum Behind {
    /// Forget mail that a record holds.
    Forget(Applied),
    /// Keep a delivery that a record tells of.
    Keep(Keep),
}

impl Router {
    /// Takes what the enclave says about other nodes.
    pub(super) fn hear_about_peers(&mut self, frame: FromEnclave) -> Result<(), EnclaveMisbehaved> {
        if !is_bounded(&frame) {
            return Err(EnclaveMisbehaved::Oversized);
        }
        match frame {
            FromEnclave::Spool {
                space,
                after,
                lane,
                delivery,
                expires,
                bytes,
            } => {
                let bytes = Bytes::from(bytes);
                let keep = Keep {
                    space,
                    after,
                    lane,
                    delivery,
                    expires,
                    bytes,
                };
                self.behind(space, after, Behind::Keep(keep))
            }
            FromEnclave::MailDrop {
                space,
                after,
                through,
                behind,
            } => {
                let applied = Applied {
                    space,
                    after,
                    through,
                    behind,
                };
                self.behind(space, after, Behind::Forget(applied))
            }
            other => {
                self.actions.to_peers.push_back(other);
                Ok(())
            }
        }
    }

    /// Of an open space the record must have been sent; of any other the table decides.
    fn behind(&mut self, id: SpaceId, after: u64, behind: Behind) -> Result<(), EnclaveMisbehaved> {
        if let Some(space) = self.spaces.get(&id) {
            let is_open = !matches!(space.state, State::Closed | State::Looking { .. });
            if space.refused {
                return Ok(());
            }
            if is_open && after > space.queued {
                return Err(EnclaveMisbehaved::Future);
            }
        }
        self.actions.behind.push_back(behind);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use vettid_wire::id::{DeliveryId, LaneId};
    use vettid_wire::limits;
    use vettid_wire::link::FromEnclave as Frame;
    use vettid_wire::link::{Entry, FromHost};
    use vettid_wire::time::UnixMillis;

    use super::*;
    use crate::bus::inbound::Inbound;
    use crate::database::WriteError;
    use crate::vault_log::AppendError;

    const SPACE: SpaceId = SpaceId([1; 16]);

    fn spool(space: SpaceId, after: u64) -> Frame {
        Frame::Federation(FromEnclave::Spool {
            space,
            after,
            lane: LaneId([2; 16]),
            delivery: DeliveryId([3; 16]),
            expires: UnixMillis(1),
            bytes: vec![4],
        })
    }

    fn append(number: u64) -> Frame {
        Frame::Append {
            space: SPACE,
            number,
            checkpoint: false,
            record: vec![1],
        }
    }

    /// A router whose space is open with five records.
    fn open() -> Router {
        let mut router = Router::default();
        router.hear_app(Inbound {
            space: SPACE,
            envelope: Bytes::new(),
        });
        router.looked_up(SPACE, Some((Entry::Existing, 5)));
        router
            .hear_enclave(Frame::Opened { space: SPACE })
            .expect("accepted");
        let frames = router.actions.to_enclave.take();
        assert!(matches!(frames[..], [FromHost::Open { .. }, _]));
        router
    }

    #[test]
    fn delivery_is_queued_behind_its_record_and_a_later_record_is_not_believed() {
        let mut router = open();
        router.hear_enclave(append(6)).expect("accepted");
        router.hear_enclave(spool(SPACE, 6)).expect("accepted");

        assert_eq!(router.actions.behind.len(), 1);
        assert_eq!(
            router.hear_enclave(spool(SPACE, 7)),
            Err(EnclaveMisbehaved::Future)
        );
    }

    #[test]
    fn delivery_behind_a_refused_record_is_dropped() {
        let mut router = open();
        router.hear_enclave(append(6)).expect("accepted");
        let refused = AppendError::Write(WriteError::Failed);
        router.settled(SPACE, 6, Err(refused));

        router.hear_enclave(spool(SPACE, 6)).expect("accepted");

        assert!(router.actions.behind.is_empty());
    }

    #[test]
    fn delivery_of_a_closed_space_is_left_to_the_table() {
        let mut router = open();
        router
            .hear_enclave(spool(SpaceId([9; 16]), 70))
            .expect("accepted");

        assert_eq!(router.actions.behind.len(), 1);
    }

    #[test]
    fn delivery_that_is_too_large_is_misbehavior() {
        let mut router = open();
        let large = Frame::Federation(FromEnclave::MailPut {
            request: 1,
            mailbox: vettid_wire::id::MailboxId([1; 16]),
            delivery: DeliveryId([3; 16]),
            expires: UnixMillis(1),
            bytes: vec![0; 2 * limits::DELIVERY],
        });

        assert_eq!(
            router.hear_enclave(large),
            Err(EnclaveMisbehaved::Oversized)
        );
    }
}
