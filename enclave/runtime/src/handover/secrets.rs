//! What is handed over, and what was taken over: their forms inside the seal.

use vettid_crypto::{
    BindingSeed, HandoverRoot, Label, MailboxKey, SealingRoot, SecretBytes, WipedVec, derive,
    digest,
};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::{Secret, cbor, limits};

use super::HandoverError;

/// What a node is, whichever release runs.
#[derive(Debug)]
pub(crate) struct NodeSecrets {
    /// Its identity.
    pub(crate) identity: BindingSeed,
    /// What mailboxes are sealed under.
    pub(crate) mailbox: MailboxKey,
}

impl NodeSecrets {
    /// Those of a node that has known no earlier release.
    pub(crate) fn first(root: &SealingRoot) -> Self {
        Self {
            identity: derive::key(root, Label::NodeIdentity, &[]),
            mailbox: derive::key(root, Label::MailboxKey, &[]),
        }
    }
}

/// What was taken over of earlier releases.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) secrets: NodeSecrets,
    /// What each of them shares with this one.
    pub(super) earlier: Vec<(u32, HandoverRoot)>,
}

impl Inherited {
    /// Adds what one more release shares; whether it is new.
    pub(super) fn add(
        &mut self,
        secrets: &NodeSecrets,
        (from, root): (u32, HandoverRoot),
    ) -> Result<bool, HandoverError> {
        if !same(&self.secrets.identity, &secrets.identity) {
            return Err(HandoverError::OtherNode);
        }
        let is_known =
            |(release, known): &(u32, HandoverRoot)| *release == from && same(known, &root);
        if self.earlier.iter().any(is_known) {
            return Ok(false);
        }
        // One that has another root by now may have sealed headers under the one before.
        if self.earlier.len() >= limits::RELEASES {
            return Err(HandoverError::TooMany);
        }
        self.earlier.push((from, root));
        Ok(true)
    }

    pub(super) fn encode(&self) -> WipedVec {
        let earlier = |(release, root): &(u32, HandoverRoot)| Earlier {
            release: *release,
            root: plain(root),
        };
        WipedVec::new(cbor::encode(&Inheritance {
            identity: plain(&self.secrets.identity),
            mailbox: plain(&self.secrets.mailbox),
            earlier: self.earlier.iter().map(earlier).collect(),
        }))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let Inheritance {
            identity,
            mailbox,
            earlier,
        } = cbor::decode_exact(bytes).ok()?;
        let earlier = earlier
            .iter()
            .map(|earlier| Some((earlier.release, typed(&earlier.root)?)));
        Some(Self {
            secrets: NodeSecrets {
                identity: typed(&identity)?,
                mailbox: typed(&mailbox)?,
            },
            earlier: earlier.collect::<Option<_>>()?,
        })
    }
}

/// What a handover holds.
#[derive(Decode, Encode)]
#[cbor(map)]
pub(super) struct Handed {
    #[n(0)]
    identity: Secret,
    #[n(1)]
    mailbox: Secret,
    #[n(2)]
    root: Secret,
}

impl Handed {
    pub(super) fn encode(secrets: &NodeSecrets, root: &HandoverRoot) -> WipedVec {
        WipedVec::new(cbor::encode(&Self {
            identity: plain(&secrets.identity),
            mailbox: plain(&secrets.mailbox),
            root: plain(root),
        }))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<(NodeSecrets, HandoverRoot)> {
        let handed: Self = cbor::decode_exact(bytes).ok()?;
        let secrets = NodeSecrets {
            identity: typed(&handed.identity)?,
            mailbox: typed(&handed.mailbox)?,
        };
        Some((secrets, typed(&handed.root)?))
    }
}

#[derive(Decode, Encode)]
#[cbor(map)]
struct Inheritance {
    #[n(0)]
    identity: Secret,
    #[n(1)]
    mailbox: Secret,
    #[n(2)]
    earlier: Vec<Earlier>,
}

#[derive(Decode, Encode)]
#[cbor(map)]
struct Earlier {
    #[n(0)]
    release: u32,
    #[n(1)]
    root: Secret,
}

fn plain(secret: &impl SecretBytes<32>) -> Secret {
    secret.expose(|bytes| Secret::new(bytes.to_vec()))
}

fn typed<T: SecretBytes<32>>(secret: &Secret) -> Option<T> {
    secret.expose(|bytes| bytes.try_into().ok().map(T::from_bytes))
}

fn same<T: SecretBytes<32>>(one: &T, other: &T) -> bool {
    one.expose(|one| other.expose(|other| digest::same(one, other)))
}
