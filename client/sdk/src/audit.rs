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
