//! What a release offers to earlier ones, and what it hands over to later ones.

use vettid_crypto::sealed_box::{BoxPublic, BoxSecret};
use vettid_crypto::{Entropy, Label, OfferSeed, SecretBytes, derive, digest};
use vettid_wire::link::handover::{Handover, LaterImage, Offer};
use vettid_wire::operation::release::Offered;
use vettid_wire::{cbor, limits};

use super::secrets::Handed;
use super::{HandoverError, NodeSecrets, Settling};
use crate::platform::Attester;

/// An offer that nothing is handed over to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Refused;

impl<P: Attester> Settling<'_, P> {
    /// What earlier releases seal to.
    pub(super) fn offer(&mut self) -> Result<Offer, HandoverError> {
        let release = self.platform.release();
        let key = self.offer_secret().public().0;
        let digest = self.offer_digest(release, &key);
        let document = self.platform.document(&digest, None)?;
        Ok(Offer {
            release,
            key,
            document,
        })
    }

    /// Whether an offer is of a later release that the network accepts.
    pub(super) fn accept(&self, offer: &[u8]) -> Result<(Offered, BoxPublic), Refused> {
        let offer = Some(offer).filter(|offer| offer.len() <= limits::HANDOVER);
        let offer: Offer = offer
            .and_then(|offer| cbor::decode_exact(offer).ok())
            .ok_or(Refused)?;
        let digest = self.offer_digest(offer.release, &offer.key);
        let statement = self.stated(&offer.document, &digest).ok_or(Refused)?;
        let value = self.listed(&statement.measurement).ok_or(Refused)?;
        let accepted = self.policy.accepted_release_of(&statement.measurement);
        if accepted != Some(offer.release) || offer.release <= self.platform.release() {
            return Err(Refused);
        }
        Ok((Offered::from(value), BoxPublic(offer.key)))
    }

    /// Hands over to a later release that was accepted, unless what it offers is no key.
    pub(super) fn hand_over(
        &mut self,
        later: &LaterImage,
        key: &BoxPublic,
        secrets: &NodeSecrets,
        entropy: &mut impl Entropy,
    ) -> Result<Result<Handover, Refused>, HandoverError> {
        let (from, to) = (self.platform.release(), later.release);
        let plain = Handed::encode(secrets, &self.root_for(later));
        let context: [&[u8]; 2] = [&from.to_be_bytes(), &to.to_be_bytes()];
        let Ok(sealed) = key.seal(Label::Handover, &context, &plain, entropy) else {
            return Ok(Err(Refused));
        };
        let digest = self.handover_digest(from, to, &sealed);
        let document = self.platform.document(&digest, None)?;
        Ok(Ok(Handover {
            from,
            to,
            sealed,
            document,
        }))
    }

    pub(super) fn offer_secret(&self) -> BoxSecret {
        let seed: OfferSeed = derive::key(self.root, Label::OfferKey, &[]);
        seed.expose(BoxSecret::from_bytes)
    }

    pub(super) fn offer_digest(&self, release: u32, key: &[u8]) -> [u8; 48] {
        let (network, release) = (cbor::encode(&self.network.id()), release.to_be_bytes());
        let parts: [&[u8]; 3] = [&network, &release, key];
        digest::labeled384(Label::OfferDocument, &parts)
    }

    pub(super) fn handover_digest(&self, from: u32, to: u32, sealed: &[u8]) -> [u8; 48] {
        let network = cbor::encode(&self.network.id());
        let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
        let parts: [&[u8]; 4] = [&network, &from, &to, sealed];
        digest::labeled384(Label::HandoverDocument, &parts)
    }
}
