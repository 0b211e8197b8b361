//! Groups as OpenMLS has them in memory, kept from one message to the next: to read one from its rows
//! takes longer than all that is done with it then.
//!
//! A group is at hand as long as its message keys, which every step of a group replaces, are the ones
//! that are stored. What a transaction or a part of one undoes, it undoes to these too, so that nobody
//! has to say so here.

use core::fmt;
use std::cell::RefCell;
use std::collections::VecDeque;

use openmls::prelude::MlsGroup;
use vettid_wire::operation::message::Conversation;

/// Groups at hand. One of two members takes some tens of KiB; what a large one takes is its members and
/// its message keys, of which the latter are bounded here.
const GROUPS: usize = 16;
/// Most bytes of message keys, as they are stored, with which a group is kept: others can have a vault
/// keep keys that they do not use.
const LARGEST: usize = 256 * 1024;

/// The message keys of a group as they are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp {
    /// Their digest.
    pub(super) digest: [u8; 32],
    /// Their bytes.
    pub(super) size: usize,
}

/// Groups of one vault that were used last.
#[derive(Default)]
pub(crate) struct AtHand {
    groups: RefCell<VecDeque<Kept>>,
}

struct Kept {
    conversation: Conversation,
    stamp: Stamp,
    group: Box<MlsGroup>,
}

impl AtHand {
    /// Takes the group of this id out, if its message keys are still these.
    pub(super) fn take(
        &self,
        conversation: &Conversation,
        id: &[u8],
        stamp: &Stamp,
    ) -> Option<Box<MlsGroup>> {
        let mut groups = self.groups.borrow_mut();
        let is_it = |kept: &Kept| {
            kept.conversation == *conversation && kept.group.group_id().as_slice() == id
        };
        let place = groups.iter().position(is_it)?;
        let kept = groups.remove(place)?;
        (kept.stamp == *stamp).then_some(kept.group)
    }

    /// Keeps a group with its message keys, and lets go of the one that was used longest ago.
    pub(super) fn keep(&self, conversation: Conversation, stamp: Stamp, group: Box<MlsGroup>) {
        if stamp.size > LARGEST {
            return;
        }
        let mut groups = self.groups.borrow_mut();
        groups.retain(|kept| {
            kept.conversation != conversation || kept.group.group_id() != group.group_id()
        });
        groups.push_back(Kept {
            conversation,
            stamp,
            group,
        });
        if groups.len() > GROUPS {
            groups.pop_front();
        }
    }

    /// Lets go of the groups of a conversation whose keys are destroyed.
    pub(crate) fn let_go(&self, conversation: &Conversation) {
        let mut groups = self.groups.borrow_mut();
        groups.retain(|kept| kept.conversation != *conversation);
    }

    /// Lets go of all: nothing is lost but time.
    pub(crate) fn clear(&self) {
        *self.groups.borrow_mut() = VecDeque::new();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.groups.borrow().len()
    }
}

impl fmt::Debug for AtHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtHand").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use openmls::group::GroupId;
    use openmls_traits::OpenMlsProvider as _;
    use vettid_crypto::SeededEntropy;
    use vettid_crypto::sign::SigningKey;
    use vettid_store::Database;
    use vettid_wire::id::{ConnectionId, VaultId};
    use vettid_wire::refusal::Code;

    use super::*;
    use crate::mls::{Heard, Keys, Mls, NotMls, Suite};
    use crate::stop::Stop;

    const GROUP: [u8; 16] = [7; 16];

    /// One vault of two that are connected.
    struct Side {
        keys: Keys,
        database: Database,
        entropy: SeededEntropy,
        at_hand: AtHand,
    }

    impl Side {
        fn new(number: u8) -> Self {
            Self {
                keys: Keys {
                    vault: VaultId([number; 32]),
                    signer: SigningKey::from_seed(&[number; 32]),
                },
                database: Database::template().expect("template"),
                entropy: SeededEntropy::dangerous_new(u64::from(number)),
                at_hand: AtHand::default(),
            }
        }

        fn act<T>(
            &mut self,
            step: impl FnOnce(&Mls<'_>, &Keys) -> Result<T, Stop>,
        ) -> Result<T, Stop> {
            let Self {
                keys,
                database,
                entropy,
                at_hand,
            } = self;
            let done = database.transaction(|change| {
                let conversation = ConnectionId(GROUP);
                step(
                    &Mls::new(change, conversation, entropy, Some(at_hand)),
                    keys,
                )
            });
            done.map(|done| done.value)
        }

        fn say(&mut self) -> Vec<u8> {
            self.act(|mls, keys| Ok(mls.say(keys, &GROUP, b"", b"words")?))
                .expect("said")
        }

        fn hear(&mut self, message: &[u8]) -> Result<Heard, Stop> {
            self.act(|mls, _| Ok(hear(mls, message)?))
        }
    }

    fn hear(mls: &Mls<'_>, message: &[u8]) -> Result<Heard, NotMls> {
        mls.hear(&GROUP, message, &|_, _| true, |_, _| true)
    }

    fn connected() -> (Side, Side) {
        let (mut one, mut other) = (Side::new(1), Side::new(2));
        let package = other.act(|mls, keys| Ok(mls.key_package(keys, Suite::Hybrid)?));
        let package = package.expect("package");
        let found = one.act(|mls, keys| {
            mls.found(keys, &GROUP, Suite::Hybrid)?;
            Ok(mls.add(keys, &GROUP, &[package])?)
        });
        let welcome = found.expect("found").welcome;
        let joined = other.act(|mls, _| Ok(mls.join(&welcome, Suite::Hybrid)?));
        joined.expect("joined");
        (one, other)
    }

    #[test]
    fn group_that_was_used_is_at_hand() {
        let (mut one, mut other) = connected();

        for _ in 0..3 {
            let message = one.say();
            assert!(other.hear(&message).is_ok());
        }

        assert_eq!((one.at_hand.count(), other.at_hand.count()), (1, 1));
    }

    /// The message keys as the database has them.
    fn stamp(side: &mut Side) -> Stamp {
        let stamp = side.act(|mls, _| {
            let id = GroupId::from_slice(&GROUP);
            Ok(mls.provider().storage().stamp(&id).ok().flatten())
        });
        stamp.ok().flatten().expect("message keys")
    }

    #[test]
    fn group_is_taken_with_the_keys_it_was_left_with_and_no_others() {
        let (mut one, _) = connected();
        let conversation = Conversation::from(ConnectionId(GROUP));
        let _ = one.say();
        let before = stamp(&mut one);
        let _ = one.say();
        let now = stamp(&mut one);

        let other_keys = one.at_hand.take(&conversation, &GROUP, &before);
        assert!(other_keys.is_none());
        assert_eq!(one.at_hand.count(), 0, "what does not fit is of no use");
        let _ = one.say();
        let now_again = stamp(&mut one);
        let other_group = one.at_hand.take(&conversation, &[8; 16], &now_again);
        assert!(other_group.is_none());
        let its_own = one.at_hand.take(&conversation, &GROUP, &now_again);
        assert!(its_own.is_some());
        assert_ne!(now, now_again);
    }

    #[test]
    fn group_with_more_keys_than_usual_is_not_kept() {
        let (mut one, _) = connected();
        let conversation = Conversation::from(ConnectionId(GROUP));
        let stamp = stamp(&mut one);
        let size = |size| Stamp { size, ..stamp };
        let group = one.at_hand.take(&conversation, &GROUP, &stamp);

        one.at_hand
            .keep(conversation, size(LARGEST), group.expect("a group"));
        let group = one.at_hand.take(&conversation, &GROUP, &size(LARGEST));
        one.at_hand
            .keep(conversation, size(LARGEST + 1), group.expect("a group"));

        assert_eq!(one.at_hand.count(), 0);
    }

    #[test]
    fn what_a_transaction_undoes_is_undone() {
        let (mut one, mut other) = connected();
        let (first, second) = (one.say(), one.say());
        assert!(other.hear(&first).is_ok());

        let undone = other.act(|mls, _| {
            hear(mls, &second)?;
            Err::<(), _>(Code::Internal.into())
        });

        assert!(undone.is_err());
        assert!(other.hear(&second).is_ok(), "its key was used up");
        assert!(other.hear(&second).is_err(), "heard twice");
    }

    #[test]
    fn what_a_part_of_a_transaction_undoes_is_undone() {
        let (mut one, mut other) = connected();
        let (first, second) = (one.say(), one.say());
        assert!(other.hear(&first).is_ok());

        let twice = other.act(|mls, _| {
            let part = mls.provider().storage().attempt(|| {
                hear(mls, &second)?;
                Err::<(), _>(NotMls::NotAllowed)
            });
            Ok((part.is_err(), hear(mls, &second).is_ok()))
        });

        assert_eq!(twice, Ok((true, true)));
        assert!(other.hear(&second).is_err(), "heard twice");
    }

    #[test]
    fn what_was_said_in_a_transaction_that_failed_uses_no_key_twice() {
        let (mut one, mut other) = connected();
        let before = one.say();
        let mut lost = Vec::new();
        let undone = one.act(|mls, keys| {
            lost = mls.say(keys, &GROUP, b"", b"lost")?;
            Err::<(), _>(Code::Internal.into())
        });
        assert!(undone.is_err());

        let after = one.say();

        assert_ne!(lost, after);
        assert!(other.hear(&before).is_ok() && other.hear(&after).is_ok());
    }

    #[test]
    fn destroyed_keys_are_not_at_hand() {
        let (mut one, _) = connected();
        one.say();

        one.act(|mls, _| Ok(mls.forget(&GROUP)?))
            .expect("forgotten");

        assert_eq!(one.at_hand.count(), 0);
        let said = one.act(|mls, keys| Ok(mls.say(keys, &GROUP, b"", b"words")?));
        assert!(said.is_err());
    }

    #[test]
    fn no_more_groups_are_at_hand_than_there_may_be() {
        let mut side = Side::new(1);
        for number in 0..=u8::try_from(GROUPS).expect("few") {
            let Side {
                keys,
                database,
                entropy,
                at_hand,
            } = &mut side;
            let done = database.transaction(|change| {
                let id = [number; 16];
                let mls = Mls::new(change, ConnectionId(id), entropy, Some(at_hand));
                mls.found(keys, &id, Suite::Classic)?;
                Ok::<_, Stop>(mls.epoch(&id)?)
            });
            assert_eq!(done.expect("founded").value, 0);
        }

        assert_eq!(side.at_hand.count(), GROUPS);
        side.at_hand.clear();
        assert_eq!(side.at_hand.count(), 0);
    }
}
