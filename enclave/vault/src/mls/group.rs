//! What vaults do with MLS groups: found one, join, say, hear, renew keys, add and remove.
//!
//! Credentials are VaultIds; that a signature key speaks for a vault is shown outside of MLS, by a
//! signature of the vault's identity or by the word of a group's creator. Every message is
//! encrypted. Nobody joins without a welcome, and no proposal travels alone.

use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    Capabilities, Ciphersuite, GroupId, KeyPackage, KeyPackageIn, LeafNodeIndex,
    LeafNodeParameters, Lifetime, MlsGroup, MlsGroupCreateConfig,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProtocolVersion, StagedWelcome,
};
use openmls_traits::OpenMlsProvider as _;
use vettid_crypto::{Entropy, digest};
use vettid_store::{Change, StoreError};
use vettid_wire::id::VaultId;
use vettid_wire::operation::message::Conversation;

use super::at_hand::{AtHand, Stamp};
use super::config::{self, Window};
use super::framing::{bytes, welcome_in};
use super::member::{Keys, Member, credential, member, members, vault_of};
use super::primitives::Suite;
use super::provider::{Provider, Signs};
use super::usable;
use crate::effect::Changing;

/// What MLS has made that others must be given.
#[derive(Debug)]
pub(crate) struct Found {
    /// For those who were added.
    pub(crate) welcome: Vec<u8>,
    /// For those who were there.
    pub(crate) commit: Vec<u8>,
}

/// A group that was joined.
#[derive(Debug)]
pub(crate) struct Joined {
    /// Its id.
    pub(crate) id: Vec<u8>,
    /// Everybody in it, this vault included.
    pub(crate) members: Vec<Member>,
}

/// Why MLS does not do what it was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NotMls {
    /// It belongs to a later epoch of the group.
    #[error("message is of a later epoch")]
    Early,
    /// So many of its sender's are missing before it that its key is not derived.
    #[error("message is too far ahead")]
    Ahead,
    /// It is a change of an earlier epoch of the group.
    #[error("change is of an earlier epoch")]
    Late,
    /// Not a message of this group, or one that this vault has no keys for.
    #[error("message does not open")]
    NotOpened,
    /// It changes what its sender may not change.
    #[error("message changes what it may not")]
    NotAllowed,
    /// There are no keys of the group, or MLS failed.
    #[error("no keys of the group")]
    NoKeys,
}

impl From<StoreError> for NotMls {
    fn from(_: StoreError) -> Self {
        Self::NoKeys
    }
}

/// What MLS does for one conversation, within a transaction.
#[derive(Debug)]
pub(crate) struct Mls<'a> {
    provider: Provider<'a>,
    conversation: Conversation,
    at_hand: Option<&'a AtHand>,
}

impl<'a> Mls<'a> {
    /// For the conversation of this id, in the transaction under way.
    pub(crate) fn of(on: &mut Changing<'a>, conversation: impl Into<Conversation>) -> Self {
        Self::new(on.change, conversation, on.entropy, on.at_hand)
    }

    /// For the conversation of this id; its group may be at hand.
    pub(super) fn new(
        change: &'a Change<'a>,
        conversation: impl Into<Conversation>,
        entropy: &mut dyn Entropy,
        at_hand: Option<&'a AtHand>,
    ) -> Self {
        let conversation = conversation.into();
        Self {
            provider: Provider::new(change, conversation, entropy),
            conversation,
            at_hand,
        }
    }

    /// Makes what this vault can be added to one group with; one made before counts no more.
    pub(crate) fn key_package(&self, keys: &Keys, suite: Suite) -> Result<Vec<u8>, NotMls> {
        self.key_package_as(keys, suite, (always(), capabilities(suite)))
    }

    pub(super) fn key_package_as(
        &self,
        keys: &Keys,
        suite: Suite,
        (lifetime, capabilities): (Lifetime, Capabilities),
    ) -> Result<Vec<u8>, NotMls> {
        self.provider
            .storage()
            .forget_key_packages()
            .map_err(|_| NotMls::NoKeys)?;
        let bundle = KeyPackage::builder()
            .key_package_lifetime(lifetime)
            .leaf_node_capabilities(capabilities)
            .build(
                suite.number(),
                &self.provider,
                &Signs(&keys.signer),
                credential(keys),
            )
            .map_err(|_| NotMls::NoKeys)?;
        bundle
            .key_package()
            .tls_serialize_detached()
            .map_err(|_| NotMls::NoKeys)
    }

    /// Who would be added with a key package.
    pub(crate) fn owner_of(&self, package: &[u8], suite: Suite) -> Result<Member, NotMls> {
        let package = self.package(package, suite)?;
        let leaf = package.leaf_node();
        member(leaf.credential(), leaf.signature_key().as_slice())
    }

    /// Makes a group in which this vault is alone.
    pub(crate) fn found(&self, keys: &Keys, id: &[u8; 16], suite: Suite) -> Result<(), NotMls> {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(suite.number())
            .capabilities(capabilities(suite))
            .lifetime(always())
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .padding_size(config::PADDING)
            .max_past_epochs(config::past_epochs(suite))
            .sender_ratchet_configuration(config::ratchet(suite, Window::Usual))
            .use_ratchet_tree_extension(true)
            .build();
        let id = GroupId::from_slice(id);
        MlsGroup::new_with_group_id(
            &self.provider,
            &Signs(&keys.signer),
            &config,
            id,
            credential(keys),
        )
        .map(drop)
        .map_err(|_| NotMls::NoKeys)
    }

    /// Adds whoever made the key packages, in the place of what they are in the group already.
    /// Changes nothing if one of them cannot be added.
    pub(crate) fn add(
        &self,
        keys: &Keys,
        id: &[u8; 16],
        packages: &[impl AsRef<[u8]>],
    ) -> Result<Found, NotMls> {
        self.attempt(id, |group| {
            let suite = suite_of(group.ciphersuite())?;
            let packages = packages
                .iter()
                .map(|package| self.package(package.as_ref(), suite));
            let packages: Vec<_> = packages.collect::<Result<_, _>>()?;
            let owners = packages.iter().map(KeyPackage::leaf_node);
            let owners: Vec<_> = owners
                .map(|leaf| vault_of(leaf.credential()))
                .collect::<Result<_, _>>()?;
            let replaced = places(group, &owners);
            let bundle = group
                .commit_builder()
                .propose_removals(replaced)
                .propose_adds(packages)
                .load_psks(self.provider.storage())
                .map_err(|_| NotMls::NoKeys)?
                .build(
                    self.provider.rand(),
                    self.provider.crypto(),
                    &Signs(&keys.signer),
                    |_| true,
                )
                .map_err(|_| NotMls::NotAllowed)?
                .stage_commit(&self.provider)
                .map_err(|_| NotMls::NotAllowed)?;
            let (commit, welcome, _) = bundle.into_messages();
            self.merge(group)?;
            Ok(Found {
                welcome: bytes(&welcome.ok_or(NotMls::NotAllowed)?)?,
                commit: bytes(&commit)?,
            })
        })
    }

    /// Puts members out. Returns the commit; none if there are none of them.
    pub(crate) fn remove(
        &self,
        keys: &Keys,
        id: &[u8; 16],
        vaults: &[VaultId],
    ) -> Result<Option<Vec<u8>>, NotMls> {
        self.within(id, |group| {
            let places = places(group, vaults);
            if places.is_empty() {
                return Ok(None);
            }
            let (commit, _, _) = group
                .remove_members(&self.provider, &Signs(&keys.signer), &places)
                .map_err(|_| NotMls::NotAllowed)?;
            self.merge(group)?;
            bytes(&commit).map(Some)
        })
    }

    /// Renews this vault's keys. Returns the commit.
    pub(crate) fn renew(&self, keys: &Keys, id: &[u8; 16], aad: &[u8]) -> Result<Vec<u8>, NotMls> {
        self.within(id, |group| {
            group.set_aad(aad.to_vec());
            let bundle = group
                .self_update(
                    &self.provider,
                    &Signs(&keys.signer),
                    LeafNodeParameters::default(),
                )
                .map_err(|_| NotMls::NoKeys)?;
            let commit = bytes(&bundle.into_commit())?;
            self.merge(group)?;
            Ok(commit)
        })
    }

    /// Joins the group that a welcome is for.
    pub(crate) fn join(&self, welcome: &[u8], suite: Suite) -> Result<Joined, NotMls> {
        let welcome = welcome_in(welcome)?;
        let config = config::of(suite, Window::Usual);
        let group = StagedWelcome::build_from_welcome(&self.provider, &config, welcome)
            .map_err(|_| NotMls::NotOpened)?
            .skip_lifetime_validation()
            .build()
            .map_err(|_| NotMls::NotOpened)?
            .into_group(&self.provider)
            .map_err(|_| NotMls::NotOpened)?;
        usable::members(self.provider.crypto(), &group)?;
        Ok(Joined {
            id: group.group_id().as_slice().to_vec(),
            members: members(&group)?,
        })
    }

    /// Seals something for everybody else in the group.
    pub(crate) fn say(
        &self,
        keys: &Keys,
        id: &[u8; 16],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, NotMls> {
        self.within(id, |group| {
            group.set_aad(aad.to_vec());
            let message = group
                .create_message(&self.provider, &Signs(&keys.signer), plaintext)
                .map_err(|_| NotMls::NoKeys)?;
            bytes(&message)
        })
    }

    /// Destroys the keys of a group.
    pub(crate) fn forget(&self, id: &[u8; 16]) -> Result<(), NotMls> {
        if let Some(at_hand) = self.at_hand {
            at_hand.let_go(&self.conversation);
        }
        match MlsGroup::load(self.provider.storage(), &GroupId::from_slice(id)) {
            Ok(Some(mut group)) => group
                .delete(self.provider.storage())
                .map_err(|_| NotMls::NoKeys),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Number of the group's state.
    pub(crate) fn epoch(&self, id: &[u8; 16]) -> Result<u64, NotMls> {
        self.within(id, |group| Ok(group.epoch().as_u64()))
    }

    /// Digest of the group's state: the same in two vaults if neither lacks a change.
    pub(crate) fn state(&self, id: &[u8; 16]) -> Result<[u8; 32], NotMls> {
        self.within(id, |group| {
            Ok(digest::sha256(group.epoch_authenticator().as_slice()))
        })
    }

    /// Opens messages of the group as far apart as this from now on.
    pub(super) fn look_through(&self, group: &mut MlsGroup, window: Window) -> Result<(), NotMls> {
        let config = config::of(suite_of(group.ciphersuite())?, window);
        if *group.configuration() == config {
            return Ok(());
        }
        group
            .set_configuration(self.provider.storage(), &config)
            .map_err(|_| NotMls::NoKeys)
    }

    /// Everybody in the group, this vault included.
    pub(crate) fn members(&self, id: &[u8; 16]) -> Result<Vec<Member>, NotMls> {
        self.within(id, |group| members(group))
    }

    /// A secret that only members know, 32 bytes; another one in every epoch.
    pub(crate) fn export(&self, id: &[u8; 16], label: &str) -> Result<Vec<u8>, NotMls> {
        self.within(id, |group| {
            group
                .export_secret(self.provider.crypto(), label, &[], 32)
                .map_err(|_| NotMls::NoKeys)
        })
    }

    /// Everything that an operation of OpenMLS may use.
    pub(super) fn provider(&self) -> &Provider<'a> {
        &self.provider
    }

    /// Does something with the group that leaves nothing when it fails.
    pub(super) fn attempt<T>(
        &self,
        id: &[u8; 16],
        part: impl FnOnce(&mut MlsGroup) -> Result<T, NotMls>,
    ) -> Result<T, NotMls> {
        self.provider.storage().attempt(|| self.within(id, part))
    }

    /// Does something with the group as it is kept, and has it at hand then. What fails may have
    /// changed it in memory alone: it is read again.
    fn within<T>(
        &self,
        id: &[u8; 16],
        part: impl FnOnce(&mut MlsGroup) -> Result<T, NotMls>,
    ) -> Result<T, NotMls> {
        let id = GroupId::from_slice(id);
        let mut group = self.group(&id)?;
        let done = part(&mut group)?;
        if let Some(at_hand) = self.at_hand
            && let Some(stamp) = self.stamp(&id)?
        {
            at_hand.keep(self.conversation, stamp, group);
        }
        Ok(done)
    }

    fn group(&self, id: &GroupId) -> Result<Box<MlsGroup>, NotMls> {
        if let Some(at_hand) = self.at_hand
            && let Some(stamp) = self.stamp(id)?
            && let Some(group) = at_hand.take(&self.conversation, id.as_slice(), &stamp)
        {
            return Ok(group);
        }
        MlsGroup::load(self.provider.storage(), id)
            .map_err(|_| NotMls::NoKeys)?
            .map(Box::new)
            .ok_or(NotMls::NoKeys)
    }

    fn stamp(&self, id: &GroupId) -> Result<Option<Stamp>, NotMls> {
        let stamp = self.provider.storage().stamp(id);
        stamp.map_err(|_| NotMls::NoKeys)
    }

    fn merge(&self, group: &mut MlsGroup) -> Result<(), NotMls> {
        group
            .merge_pending_commit(&self.provider)
            .map_err(|_| NotMls::NoKeys)
    }

    /// A key package as this program makes them. Others are taken from nobody: OpenMLS bounds neither
    /// what a leaf can do, which everybody who joins later is sent, nor asks anybody's clock but that
    /// of the machine about its lifetime.
    fn package(&self, package: &[u8], suite: Suite) -> Result<KeyPackage, NotMls> {
        if package.len() > PACKAGE {
            return Err(NotMls::NotOpened);
        }
        let package =
            KeyPackageIn::tls_deserialize_exact_bytes(package).map_err(|_| NotMls::NotOpened)?;
        let package = package
            .validate(self.provider.crypto(), ProtocolVersion::Mls10)
            .map_err(|_| NotMls::NotOpened)?;
        let is_usual = package.ciphersuite() == suite.number()
            && *package.life_time() == always()
            && *package.leaf_node().capabilities() == capabilities(suite);
        if !is_usual {
            return Err(NotMls::NotOpened);
        }
        usable::package(self.provider.crypto(), &package)?;
        Ok(package)
    }
}

/// Places of vaults that are in a group.
fn places(group: &MlsGroup, vaults: &[VaultId]) -> Vec<LeafNodeIndex> {
    group
        .members()
        .filter(|found| vault_of(&found.credential).is_ok_and(|vault| vaults.contains(&vault)))
        .map(|found| found.index)
        .collect()
}

/// A key package is used at once or never, which the vault's own clock decides.
pub(super) fn always() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

pub(super) fn capabilities(suite: Suite) -> Capabilities {
    Capabilities::new(None, Some(&[suite.number()]), None, None, None)
}

fn suite_of(number: Ciphersuite) -> Result<Suite, NotMls> {
    [Suite::Classic, Suite::Hybrid]
        .into_iter()
        .find(|suite| suite.number() == number)
        .ok_or(NotMls::NoKeys)
}

/// A key package, bytes: two public keys of the hybrid suite take 2,432.
const PACKAGE: usize = 4 * 1024;
