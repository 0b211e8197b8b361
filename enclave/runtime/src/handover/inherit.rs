//! What a release takes over from earlier ones, and keeps under its own seal.

use vettid_crypto::{Entropy, InheritanceKey, Label, derive, seal};
use vettid_wire::link::handover::Handover;
use vettid_wire::{cbor, limits};

use super::secrets::{Handed, Inherited};
use super::{HandoverError, Settling};
use crate::platform::Attester;

impl<P: Attester> Settling<'_, P> {
    /// Takes over what an earlier release has sealed for this one; whether any of it is new.
    pub(super) fn take_over(
        &self,
        handover: &[u8],
        inherited: &mut Option<Inherited>,
    ) -> Result<bool, HandoverError> {
        let own = self.platform.release();
        let handover = Some(handover).filter(|handover| handover.len() <= limits::HANDOVER);
        let handover: Handover = handover
            .and_then(|handover| cbor::decode_exact(handover).ok())
            .filter(|handover: &Handover| handover.to == own)
            .ok_or(HandoverError::Damaged)?;
        let from = handover.from;
        let digest = self.handover_digest(from, own, &handover.sealed);
        let statement = self.stated(&handover.document, &digest);
        // Of a release that was retired since, too: what it let go of is needed all the same.
        let listed = statement.and_then(|statement| self.listed(&statement.measurement));
        if listed.is_none_or(|value| value.release != from) || from >= own {
            return Err(HandoverError::NotEarlier);
        }
        let secret = self.offer_secret();
        let plain = secret
            .open(
                Label::Handover,
                &[&from.to_be_bytes(), &own.to_be_bytes()],
                &handover.sealed,
            )
            .map_err(|_| HandoverError::Damaged)?;
        let (secrets, root) = Handed::decode(&plain).ok_or(HandoverError::Damaged)?;
        let Some(known) = inherited else {
            let earlier = vec![(from, root)];
            *inherited = Some(Inherited { secrets, earlier });
            return Ok(true);
        };
        known.add(&secrets, (from, root))
    }

    pub(super) fn seal_inheritance(
        &self,
        inherited: &Inherited,
        entropy: &mut impl Entropy,
    ) -> Vec<u8> {
        let release = self.platform.release().to_be_bytes();
        let (key, plain) = (self.inheritance_key(), inherited.encode());
        seal::seal(&key, Label::Inheritance, &[&release], &plain, entropy)
    }

    pub(super) fn open_inheritance(&self, sealed: &[u8]) -> Result<Inherited, HandoverError> {
        let release = self.platform.release().to_be_bytes();
        let plain = seal::open(
            &self.inheritance_key(),
            Label::Inheritance,
            &[&release],
            sealed,
        );
        plain
            .ok()
            .and_then(|plain| Inherited::decode(&plain))
            .ok_or(HandoverError::Inheritance)
    }

    fn inheritance_key(&self) -> InheritanceKey {
        derive::key(self.root, Label::InheritanceKey, &[])
    }
}
