//! The order in which a release settles with its host what it shares with others.

use vettid_attestation::{Measurement, Policy, Statement};
use vettid_crypto::{Entropy, HandoverRoot, Label, SealingRoot, derive, digest};
use vettid_wire::link::handover::{LaterImage, Others};
use vettid_wire::network::{Network, ReferenceValue};
use vettid_wire::operation::release::Offered;
use vettid_wire::{cbor, limits};

use super::offer::Refused;
use super::secrets::Inherited;
use super::{HandoverError, NodeSecrets, Shared};
use crate::host_line::{HostLine, Wanted};
use crate::platform::Attester;

/// The release that runs, and where.
#[derive(Debug)]
pub(crate) struct Settling<'a, P> {
    pub(crate) platform: &'a mut P,
    pub(crate) root: &'a SealingRoot,
    pub(crate) network: &'a Network,
    pub(crate) policy: &'a Policy,
}

impl<P: Attester> Settling<'_, P> {
    /// Settles with the host what this release shares with others; nothing, where the host wanted to
    /// know what earlier releases seal to, and no more.
    ///
    /// # Errors
    /// When it is not to serve, or the host does not keep what it must.
    pub(crate) fn settle(
        &mut self,
        host: &mut HostLine<'_>,
        entropy: &mut impl Entropy,
    ) -> Result<Option<(NodeSecrets, Shared)>, HandoverError> {
        let release = self.platform.release();
        let others = match host.others(release)? {
            Wanted::Serve(others) => others,
            Wanted::Offer => {
                let offer = cbor::encode(&self.offer()?);
                return match host.offer(release, offer)? {
                    true => Ok(None),
                    false => Err(HandoverError::NotKept),
                };
            }
            Wanted::Nothing => return Err(HandoverError::NotToServe(release)),
        };
        if others.handovers.len().max(others.later.len()) > limits::RELEASES {
            return Err(HandoverError::TooMany);
        }
        let mut shared = Shared::default();
        let inherited = self.take_over_all(&others, &mut shared, host, entropy)?;
        let secrets = match inherited {
            Some(Inherited { secrets, earlier }) => {
                shared.earlier = earlier;
                secrets
            }
            None => NodeSecrets::first(self.root),
        };
        self.share(&others, &secrets, &mut shared, host, entropy)?;
        Ok(Some((secrets, shared)))
    }

    /// Takes over what earlier releases have handed over, and has the host keep it if any of it is new.
    fn take_over_all(
        &self,
        others: &Others,
        shared: &mut Shared,
        host: &mut HostLine<'_>,
        entropy: &mut impl Entropy,
    ) -> Result<Option<Inherited>, HandoverError> {
        let kept = others.inheritance.as_ref();
        let kept = kept.map(|sealed| self.open_inheritance(sealed)).transpose();
        let (mut refused, mut inherited) = match kept {
            Ok(inherited) => (None, inherited),
            // What is handed over may do in its place.
            Err(why) => (Some(why), None),
        };
        let mut changed = false;
        for handover in &others.handovers {
            match self.take_over(handover, &mut inherited) {
                Ok(new) => changed |= new,
                Err(why) => refused = Some(refused.unwrap_or(why)),
            }
        }
        shared.handover_refused = refused.is_some();
        match (&inherited, refused) {
            // Without what it is handed, it would be another node.
            (None, Some(why)) => return Err(why),
            (Some(inherited), _) if changed => {
                let sealed = self.seal_inheritance(inherited, entropy);
                if !host.inherit(sealed)? {
                    return Err(HandoverError::NotKept);
                }
            }
            _ => {}
        }
        Ok(inherited)
    }

    /// Shares with later releases what it was handed over to them, and hands over to the one that is
    /// offered.
    fn share(
        &mut self,
        others: &Others,
        secrets: &NodeSecrets,
        shared: &mut Shared,
        host: &mut HostLine<'_>,
        entropy: &mut impl Entropy,
    ) -> Result<(), HandoverError> {
        let own = self.platform.release();
        for image in others.later.iter().filter(|image| image.release > own) {
            shared.later.push((*image, self.root_for(image)));
        }
        let Some(offer) = &others.offer else {
            return Ok(());
        };
        let handed = match self.accept(offer) {
            Ok((offered, key)) => {
                let to = image_of(&offered);
                let handover = self.hand_over(&to, &key, secrets, entropy)?;
                handover.map(|handover| (offered, to, handover))
            }
            Err(Refused) => Err(Refused),
        };
        match handed {
            Ok((offered, to, handover)) => {
                if !host.hand_over(to, cbor::encode(&handover))? {
                    return Err(HandoverError::NotKept);
                }
                shared.offered = Some((offered, self.root_for(&to)));
            }
            Err(Refused) => shared.offer_refused = true,
        }
        Ok(())
    }

    pub(super) fn root_for(&self, later: &LaterImage) -> HandoverRoot {
        let parts: [&[u8]; 2] = [&later.release.to_be_bytes(), &later.image];
        derive::key(self.root, Label::HandoverRoot, &parts)
    }

    /// What an authentic document of this network's platform says, if it says it of `digest`.
    pub(super) fn stated(&self, document: &[u8], digest: &[u8; 48]) -> Option<Statement> {
        let statement = self.policy.archived(document).ok()?;
        let said = statement.user_data.as_deref() == Some(digest);
        Some(statement).filter(|_| said)
    }

    /// What the network lists under a measurement, retired or not.
    pub(super) fn listed(&self, measurement: &Measurement) -> Option<&ReferenceValue> {
        let measures = |value: &&ReferenceValue| {
            (&value.pcr0, &value.pcr1, &value.pcr2)
                == (measurement.pcr0(), measurement.pcr1(), measurement.pcr2())
        };
        self.network.reference_values.iter().find(measures)
    }
}

fn image_of(offered: &Offered) -> LaterImage {
    let registers = [offered.pcr0, offered.pcr1, offered.pcr2].concat();
    LaterImage {
        release: offered.release,
        image: digest::sha256(&registers),
    }
}
