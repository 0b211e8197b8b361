//! The exported audit chain, checked outside the vault.

use vettid_wire::id::VaultId;
use vettid_wire::operation::audit::{AuditHead, Event, HeadError};

/// Why an export is not a whole and genuine chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenChain {
    /// An event does not follow from the one before it.
    #[error("event {0} does not follow from the one before it")]
    Event(u64),
    /// The signed head is not that of the last event.
    #[error("the signed head is not that of the last event")]
    Head,
    /// The vault did not sign the head.
    #[error(transparent)]
    NotSigned(#[from] HeadError),
}

/// Checks that `events` are the whole chain from the first event to the head, and that the head was
/// signed by the key that the statements in it lead to from the id of `vault`.
///
/// Says nothing about whether the head is the newest there is: one that was signed before the last
/// events, or before the last rotation of the identity, passes too.
pub fn check(vault: VaultId, events: &[Event], head: &AuditHead) -> Result<(), BrokenChain> {
    let (mut sequence, mut hash) = (0, [0; 32]);
    for event in events {
        sequence += 1;
        if event.body.sequence != sequence || event.hash != event.body.hash(&hash) {
            return Err(BrokenChain::Event(sequence));
        }
        hash = event.hash;
    }
    if head.sequence != sequence || head.hash != hash {
        return Err(BrokenChain::Head);
    }
    Ok(head.verify(vault)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::sign::SigningKey;
    use vettid_wire::identity::{IdentityChain, IdentityError, Rotation};
    use vettid_wire::limits;
    use vettid_wire::operation::audit::EventBody;
    use vettid_wire::time::UnixMillis;

    fn key(index: usize) -> SigningKey {
        SigningKey::from_seed(&[u8::try_from(index).expect("few"); 32])
    }

    fn vault() -> VaultId {
        VaultId::of(&key(0).verifying_key())
    }

    /// Statements of an identity that was rotated this often.
    fn identity(rotations: usize) -> IdentityChain {
        let rotation = |index: usize| {
            let number = u32::try_from(index + 2).expect("few");
            let keys = (&key(index), &key(index + 1));
            Rotation::new(vault(), number, keys.0, keys.1, UnixMillis(5))
        };
        IdentityChain {
            rotations: (0..rotations).map(rotation).collect(),
            ..IdentityChain::of(&key(0).verifying_key())
        }
    }

    /// Takes a statement away.
    fn without(rotations: &mut Vec<Rotation>, index: usize) {
        rotations.remove(index);
    }

    fn chain(length: u64) -> Vec<Event> {
        let mut hash = [0; 32];
        let event = |sequence| {
            let body = EventBody {
                sequence,
                at: UnixMillis(sequence),
                operation: "item.put".into(),
                device: None,
                subject: None,
                done: true,
            };
            hash = body.hash(&hash);
            Event { body, hash }
        };
        (1..=length).map(event).collect()
    }

    /// A head that the key after this many rotations signed.
    fn head(vault: VaultId, events: &[Event], rotations: usize) -> AuditHead {
        let hash = events.last().map_or([0; 32], |event| event.hash);
        let place = (events.len() as u64, hash);
        let identity = identity(rotations);
        AuditHead::new(vault, place, UnixMillis(9), identity, &key(rotations))
    }

    #[test]
    fn whole_chain_is_accepted_and_so_is_an_empty_one() {
        for length in [0, 1, 3] {
            let events = chain(length);

            assert_eq!(check(vault(), &events, &head(vault(), &events, 0)), Ok(()));
        }
    }

    #[test]
    fn head_of_an_identity_that_was_rotated_is_traced_to_the_vault() {
        let events = chain(2);
        for rotations in [1, 2, limits::ROTATIONS] {
            let head = head(vault(), &events, rotations);

            assert_eq!(check(vault(), &events, &head), Ok(()));
        }
    }

    #[test]
    fn key_that_no_statement_leads_to_is_found() {
        let events = chain(2);
        let whole = head(vault(), &events, 3);
        let changed = |change: &dyn Fn(&mut AuditHead)| {
            let mut changed = whole.clone();
            change(&mut changed);
            check(vault(), &events, &changed)
        };

        let none = changed(&|head| head.identity = IdentityChain::of(&key(3).verifying_key()));
        let missing = changed(&|head| without(&mut head.identity.rotations, 1));
        let forged = changed(&|head| head.identity.rotations[2].by_from = [0; 64]);
        let shorter = changed(&|head| without(&mut head.identity.rotations, 2));

        assert_eq!(
            none,
            Err(BrokenChain::NotSigned(HeadError::Identity(
                IdentityError::Foreign
            )))
        );
        let out_of_place = IdentityError::OutOfPlace(3);
        assert_eq!(
            missing,
            Err(BrokenChain::NotSigned(HeadError::Identity(out_of_place)))
        );
        let not_signed = IdentityError::Signature(4);
        assert_eq!(
            forged,
            Err(BrokenChain::NotSigned(HeadError::Identity(not_signed)))
        );
        assert_eq!(shorter, Err(BrokenChain::NotSigned(HeadError::Signature)));
    }

    #[test]
    fn altered_missing_and_swapped_events_are_found() {
        let events = chain(3);
        let head = head(vault(), &events, 0);
        let mut altered = events.clone();
        altered[1].body.done = false;
        let mut swapped = events.clone();
        swapped.swap(0, 1);
        let check = |events| check(vault(), events, &head);

        assert_eq!(check(&altered), Err(BrokenChain::Event(2)));
        assert_eq!(check(&swapped), Err(BrokenChain::Event(1)));
        assert_eq!(check(&events[1..]), Err(BrokenChain::Event(1)));
        assert_eq!(check(&events[..2]), Err(BrokenChain::Head));
    }

    #[test]
    fn head_of_another_vault_or_time_is_found() {
        let events = chain(2);
        let mut later = head(vault(), &events, 0);
        later.at = UnixMillis(10);
        let stranger = VaultId([9; 32]);

        let foreign = check(stranger, &events, &head(stranger, &events, 0));
        let for_another = check(vault(), &events, &head(stranger, &events, 0));

        assert_eq!(
            foreign,
            Err(BrokenChain::NotSigned(HeadError::Identity(
                IdentityError::Foreign
            )))
        );
        assert_eq!(
            for_another,
            Err(BrokenChain::NotSigned(HeadError::Signature))
        );
        assert_eq!(
            check(vault(), &events, &later),
            Err(BrokenChain::NotSigned(HeadError::Signature))
        );
    }
}
