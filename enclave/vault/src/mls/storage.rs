//! Where OpenMLS keeps its state: the vault's tables, in the transaction under way.
//!
//! A value is found by the conversation that it belongs to, its kind, and its key; all values of a
//! conversation are destroyed together.

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vettid_crypto::{Zeroizing, digest};
use vettid_store::rows::mls::MlsKey;
use vettid_store::{Change, StoreError};
use vettid_wire::Secret;
use vettid_wire::operation::message::Conversation;

use super::at_hand::Stamp;
use super::packed;

const V: u16 = CURRENT_VERSION;

/// State of MLS of one conversation.
#[derive(Debug)]
pub(crate) struct Storage<'a> {
    change: &'a Change<'a>,
    conversation: Conversation,
}

/// A value could not be kept or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum StorageError {
    /// Its encoding is broken.
    #[error("stored state of MLS is malformed")]
    Malformed,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a value is. Numbers are never reused.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    Proposals = 3,
    Tree = 4,
    TranscriptHash = 5,
    Context = 6,
    ConfirmationTag = 7,
    State = 8,
    MessageSecrets = 9,
    Resumption = 10,
    OwnLeafIndex = 11,
    EpochSecrets = 12,
    SignatureKeyPair = 13,
    KeyPair = 14,
    EpochKeyPairs = 15,
    KeyPackage = 16,
    Psk = 17,
}

type Done<T = ()> = Result<T, StorageError>;

impl<'a> Storage<'a> {
    /// For one conversation.
    pub(crate) fn new(change: &'a Change<'a>, conversation: Conversation) -> Self {
        Self {
            change,
            conversation,
        }
    }

    /// Runs a part of what MLS does that leaves nothing when it fails.
    pub(super) fn attempt<T, E: From<StoreError>>(
        &self,
        part: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.change.attempt(part)
    }

    /// Destroys every key package that was not used.
    pub(super) fn forget_key_packages(&self) -> Done {
        let kind = Kind::KeyPackage as u8;
        Ok(self.change.remove_mls_kind(&self.conversation, kind)?)
    }

    /// The message keys of a group, which every step of it replaces.
    pub(super) fn stamp(&self, group: &impl Serialize) -> Done<Option<Stamp>> {
        let key = encode(group)?;
        let value = self.change.mls(&self.key(Kind::MessageSecrets, &key))?;
        let stamp = |value: &[u8]| Stamp {
            digest: digest::sha256(value),
            size: value.len(),
        };
        Ok(value.map(|value| value.expose(stamp)))
    }

    fn write(&self, kind: Kind, key: &impl Serialize, value: &impl Serialize) -> Done {
        let key = encode(key)?;
        let value = Zeroizing::new(encode(value)?);
        let value = packed::pack(&value).ok_or(StorageError::Malformed)?;
        Ok(self.change.put_mls(&self.key(kind, &key), &value)?)
    }

    fn read<T: DeserializeOwned>(&self, kind: Kind, key: &impl Serialize) -> Done<Option<T>> {
        let key = encode(key)?;
        let value = self.change.mls(&self.key(kind, &key))?;
        value.as_ref().map(read).transpose()
    }

    fn remove(&self, kind: Kind, key: &impl Serialize) -> Done {
        let key = encode(key)?;
        Ok(self.change.remove_mls_value(&self.key(kind, &key))?)
    }

    fn read_list<T: DeserializeOwned>(&self, kind: Kind, key: &impl Serialize) -> Done<Vec<T>> {
        Ok(self.read(kind, key)?.unwrap_or_default())
    }

    fn key<'k>(&'k self, kind: Kind, key: &'k [u8]) -> MlsKey<'k> {
        MlsKey {
            conversation: &self.conversation,
            kind: kind as u8,
            key,
        }
    }
}

pub(super) fn encode(value: &impl Serialize) -> Done<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|_| StorageError::Malformed)?;
    Ok(bytes)
}

pub(super) fn read<T: DeserializeOwned>(value: &Secret) -> Done<T> {
    let value = value.expose(packed::unpack);
    let value = value.ok_or(StorageError::Malformed)?;
    ciborium::from_reader(&value[..]).map_err(|_| StorageError::Malformed)
}

/// Values of which a group has one: how each is written, read and removed.
macro_rules! one_a_group {
    ($($kind:ident: $of:ident, $write:ident, $read:ident, $remove:ident;)+) => {$(
        fn $write<G: traits::GroupId<V>, T: traits::$of<V>>(&self, group: &G, value: &T) -> Done {
            self.write(Kind::$kind, group, value)
        }

        fn $read<G: traits::GroupId<V>, T: traits::$of<V>>(&self, group: &G) -> Done<Option<T>> {
            self.read(Kind::$kind, group)
        }

        fn $remove<G: traits::GroupId<V>>(&self, group: &G) -> Done {
            self.remove(Kind::$kind, group)
        }
    )+};
}

impl StorageProvider<V> for Storage<'_> {
    type Error = StorageError;

    one_a_group! {
        Tree: TreeSync, write_tree, tree, delete_tree;
        TranscriptHash: InterimTranscriptHash, write_interim_transcript_hash,
            interim_transcript_hash, delete_interim_transcript_hash;
        Context: GroupContext, write_context, group_context, delete_context;
        ConfirmationTag: ConfirmationTag, write_confirmation_tag, confirmation_tag,
            delete_confirmation_tag;
        JoinConfig: MlsGroupJoinConfig, write_mls_join_config, mls_group_join_config,
            delete_group_config;
        MessageSecrets: MessageSecrets, write_message_secrets, message_secrets,
            delete_message_secrets;
        Resumption: ResumptionPskStore, write_resumption_psk_store, resumption_psk_store,
            delete_all_resumption_psk_secrets;
        OwnLeafIndex: LeafNodeIndex, write_own_leaf_index, own_leaf_index, delete_own_leaf_index;
        EpochSecrets: GroupEpochSecrets, write_group_epoch_secrets, group_epoch_secrets,
            delete_group_epoch_secrets;
    }

    fn write_group_state<S: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        group: &G,
        state: &S,
    ) -> Done {
        self.write(Kind::State, group, state)
    }

    fn group_state<S: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        group: &G,
    ) -> Done<Option<S>> {
        self.read(Kind::State, group)
    }

    fn delete_group_state<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.remove(Kind::State, group)
    }

    fn append_own_leaf_node<G: traits::GroupId<V>, L: traits::LeafNode<V>>(
        &self,
        group: &G,
        leaf: &L,
    ) -> Done {
        let mut leaves: Vec<Raw> = self.read_list(Kind::OwnLeafNodes, group)?;
        leaves.push(Raw(encode(leaf)?));
        self.write(Kind::OwnLeafNodes, group, &leaves)
    }

    fn own_leaf_nodes<G: traits::GroupId<V>, L: traits::LeafNode<V>>(
        &self,
        group: &G,
    ) -> Done<Vec<L>> {
        let leaves: Vec<Raw> = self.read_list(Kind::OwnLeafNodes, group)?;
        leaves.iter().map(Raw::decode).collect()
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<V>>(&self, group: &G) -> Done {
        self.remove(Kind::OwnLeafNodes, group)
    }

    fn queue_proposal<
        G: traits::GroupId<V>,
        R: traits::ProposalRef<V>,
        P: traits::QueuedProposal<V>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &P,
    ) -> Done {
        let mut queue: Vec<(Raw, Raw)> = self.read_list(Kind::Proposals, group)?;
        queue.push((Raw(encode(reference)?), Raw(encode(proposal)?)));
        self.write(Kind::Proposals, group, &queue)
    }

    fn queued_proposal_refs<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Done<Vec<R>> {
        let queue: Vec<(Raw, Raw)> = self.read_list(Kind::Proposals, group)?;
        queue
            .iter()
            .map(|(reference, _)| reference.decode())
            .collect()
    }

    fn queued_proposals<
        G: traits::GroupId<V>,
        R: traits::ProposalRef<V>,
        P: traits::QueuedProposal<V>,
    >(
        &self,
        group: &G,
    ) -> Done<Vec<(R, P)>> {
        let queue: Vec<(Raw, Raw)> = self.read_list(Kind::Proposals, group)?;
        let decoded = queue
            .iter()
            .map(|(reference, proposal)| Ok((reference.decode()?, proposal.decode()?)));
        decoded.collect()
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
        reference: &R,
    ) -> Done {
        let mut queue: Vec<(Raw, Raw)> = self.read_list(Kind::Proposals, group)?;
        let gone = encode(reference)?;
        queue.retain(|(reference, _)| reference.0 != gone);
        self.write(Kind::Proposals, group, &queue)
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Done {
        self.remove(Kind::Proposals, group)
    }

    fn write_signature_key_pair<
        K: traits::SignaturePublicKey<V>,
        T: traits::SignatureKeyPair<V>,
    >(
        &self,
        key: &K,
        pair: &T,
    ) -> Done {
        self.write(Kind::SignatureKeyPair, key, pair)
    }

    fn signature_key_pair<K: traits::SignaturePublicKey<V>, T: traits::SignatureKeyPair<V>>(
        &self,
        key: &K,
    ) -> Done<Option<T>> {
        self.read(Kind::SignatureKeyPair, key)
    }

    fn delete_signature_key_pair<K: traits::SignaturePublicKey<V>>(&self, key: &K) -> Done {
        self.remove(Kind::SignatureKeyPair, key)
    }

    fn write_encryption_key_pair<K: traits::EncryptionKey<V>, T: traits::HpkeKeyPair<V>>(
        &self,
        key: &K,
        pair: &T,
    ) -> Done {
        self.write(Kind::KeyPair, key, pair)
    }

    fn encryption_key_pair<T: traits::HpkeKeyPair<V>, K: traits::EncryptionKey<V>>(
        &self,
        key: &K,
    ) -> Done<Option<T>> {
        self.read(Kind::KeyPair, key)
    }

    fn delete_encryption_key_pair<K: traits::EncryptionKey<V>>(&self, key: &K) -> Done {
        self.remove(Kind::KeyPair, key)
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<V>,
        E: traits::EpochKey<V>,
        T: traits::HpkeKeyPair<V>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[T],
    ) -> Done {
        self.write(Kind::EpochKeyPairs, &(group, epoch, leaf), &pairs)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<V>,
        E: traits::EpochKey<V>,
        T: traits::HpkeKeyPair<V>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Done<Vec<T>> {
        self.read_list(Kind::EpochKeyPairs, &(group, epoch, leaf))
    }

    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<V>, E: traits::EpochKey<V>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Done {
        self.remove(Kind::EpochKeyPairs, &(group, epoch, leaf))
    }

    fn write_key_package<R: traits::HashReference<V>, T: traits::KeyPackage<V>>(
        &self,
        reference: &R,
        package: &T,
    ) -> Done {
        self.write(Kind::KeyPackage, reference, package)
    }

    fn key_package<R: traits::HashReference<V>, T: traits::KeyPackage<V>>(
        &self,
        reference: &R,
    ) -> Done<Option<T>> {
        self.read(Kind::KeyPackage, reference)
    }

    fn delete_key_package<R: traits::HashReference<V>>(&self, reference: &R) -> Done {
        self.remove(Kind::KeyPackage, reference)
    }

    fn write_psk<P: traits::PskId<V>, T: traits::PskBundle<V>>(&self, psk: &P, bundle: &T) -> Done {
        self.write(Kind::Psk, psk, bundle)
    }

    fn psk<T: traits::PskBundle<V>, P: traits::PskId<V>>(&self, psk: &P) -> Done<Option<T>> {
        self.read(Kind::Psk, psk)
    }

    fn delete_psk<P: traits::PskId<V>>(&self, psk: &P) -> Done {
        self.remove(Kind::Psk, psk)
    }
}

/// An encoded value inside another one, whose type is known only to whoever reads it.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
struct Raw(Vec<u8>);

impl Raw {
    fn decode<T: DeserializeOwned>(&self) -> Done<T> {
        ciborium::from_reader(&self.0[..]).map_err(|_| StorageError::Malformed)
    }
}
