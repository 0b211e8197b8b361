//! The exported audit chain, checked outside the vault.

use vettid_crypto::sign::{Signature, VerifyingKey};
use vettid_crypto::{Label, digest};
use vettid_wire::cbor;
use vettid_wire::id::VaultId;
use vettid_wire::operation::audit::{AuditHead, Event};

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
    /// The head's signature does not verify.
    #[error("the signature of the head does not verify")]
    Signature,
}

/// Checks that `events` are the whole chain from the first event to the signed head.
///
/// Says nothing about whether the head is the newest there is, nor about who the head's key belongs
/// to beyond that it signed for `vault`.
pub fn check(vault: VaultId, events: &[Event], head: &AuditHead) -> Result<(), BrokenChain> {
    let (mut sequence, mut hash) = (0, [0; 32]);
    for event in events {
        sequence += 1;
        let follows = digest::labeled(Label::AuditEvent, &[&hash, &cbor::encode(&event.body)]);
        if event.body.sequence != sequence || event.hash != follows {
            return Err(BrokenChain::Event(sequence));
        }
        hash = event.hash;
    }
    if head.sequence != sequence || head.hash != hash {
        return Err(BrokenChain::Head);
    }
    let (sequence, at) = (head.sequence.to_be_bytes(), head.at.0.to_be_bytes());
    VerifyingKey(head.identity_key)
        .verify(
            Label::AuditHead,
            &[&vault.0, &sequence, &head.hash, &at],
            &Signature(head.signature),
        )
        .map_err(|_| BrokenChain::Signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::sign::SigningKey;
    use vettid_wire::operation::audit::EventBody;
    use vettid_wire::time::UnixMillis;

    const VAULT: VaultId = VaultId([1; 32]);

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
            hash = digest::labeled(Label::AuditEvent, &[&hash, &cbor::encode(&body)]);
            Event { body, hash }
        };
        (1..=length).map(event).collect()
    }

    fn head(vault: VaultId, events: &[Event]) -> AuditHead {
        let key = SigningKey::from_seed(&[2; 32]);
        let hash = events.last().map_or([0; 32], |event| event.hash);
        let (sequence, at) = (events.len() as u64, UnixMillis(9));
        let parts: [&[u8]; 4] = [
            &vault.0,
            &sequence.to_be_bytes(),
            &hash,
            &at.0.to_be_bytes(),
        ];
        let signature = key.sign(Label::AuditHead, &parts).0;
        AuditHead {
            sequence,
            hash,
            at,
            identity_key: key.verifying_key().0,
            signature,
        }
    }

    #[test]
    fn whole_chain_is_accepted_and_so_is_an_empty_one() {
        for length in [0, 1, 3] {
            let events = chain(length);

            assert_eq!(check(VAULT, &events, &head(VAULT, &events)), Ok(()));
        }
    }

    #[test]
    fn altered_missing_and_swapped_events_are_found() {
        let events = chain(3);
        let head = head(VAULT, &events);
        let mut altered = events.clone();
        altered[1].body.done = false;
        let mut swapped = events.clone();
        swapped.swap(0, 1);

        assert_eq!(check(VAULT, &altered, &head), Err(BrokenChain::Event(2)));
        assert_eq!(check(VAULT, &swapped, &head), Err(BrokenChain::Event(1)));
        assert_eq!(
            check(VAULT, &events[1..], &head),
            Err(BrokenChain::Event(1))
        );
        assert_eq!(check(VAULT, &events[..2], &head), Err(BrokenChain::Head));
    }

    #[test]
    fn head_of_another_vault_or_time_is_found() {
        let events = chain(2);
        let mut later = head(VAULT, &events);
        later.at = UnixMillis(10);

        let foreign = check(VAULT, &events, &head(VaultId([9; 32]), &events));

        assert_eq!(foreign, Err(BrokenChain::Signature));
        assert_eq!(check(VAULT, &events, &later), Err(BrokenChain::Signature));
    }
}
