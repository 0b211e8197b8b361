//! What each side brings to a session: who it is, whom it wants, and its keys.

use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_wire::id::{NetworkId, NodeId, SpaceId};
use vettid_wire::time::UnixMillis;

use crate::bound::Wanted;
use crate::identity::Identity;
use crate::prologue::{Prologue, Use};
use crate::rekey::Schedule;
use crate::verifier::KnownEnclave;

/// What an initiator brings. It names whom it wants; it never learns that from an answer.
#[derive(Clone, Debug)]
pub struct InitiatorTerms<'a> {
    pub(crate) prologue: Prologue,
    pub(crate) own: Identity,
    pub(crate) node: NodeId,
    pub(crate) static_key: &'a X25519Secret,
    pub(crate) known: Option<KnownEnclave>,
    pub(crate) schedule: Schedule,
}

impl<'a> InitiatorTerms<'a> {
    /// An owner's app to the vault of `space` in the enclave of `node`.
    #[must_use]
    pub fn app(
        network: NetworkId,
        space: SpaceId,
        node: NodeId,
        device: VerifyingKey,
        static_key: &'a X25519Secret,
    ) -> Self {
        let responder = Identity::Space(space);
        Self::new(
            Use::AppVault,
            network,
            responder,
            node,
            Identity::Device(device),
            static_key,
        )
    }

    /// A business's backend to its service vault of `space` in the enclave of `node`.
    #[must_use]
    pub fn backend(
        network: NetworkId,
        space: SpaceId,
        node: NodeId,
        backend: VerifyingKey,
        static_key: &'a X25519Secret,
    ) -> Self {
        let (responder, own) = (Identity::Space(space), Identity::Backend(backend));
        Self::new(
            Use::BackendService,
            network,
            responder,
            node,
            own,
            static_key,
        )
    }

    /// The enclave of the node `own` to that of `peer`.
    #[must_use]
    pub fn enclave(
        network: NetworkId,
        own: NodeId,
        peer: NodeId,
        static_key: &'a X25519Secret,
    ) -> Self {
        let (responder, own) = (Identity::Node(peer), Identity::Node(own));
        Self::new(
            Use::EnclaveEnclave,
            network,
            responder,
            peer,
            own,
            static_key,
        )
    }

    /// The same to a responder that expects exactly this initiator.
    #[must_use]
    pub const fn introduced(mut self) -> Self {
        self.prologue.initiator = Some(self.own);
        self
    }

    /// The same, sparing a known enclave its document if what is known still counts.
    #[must_use]
    pub fn knowing(mut self, known: KnownEnclave) -> Self {
        self.known = Some(known);
        self
    }

    /// Hash of the document that this side names as known.
    pub(crate) fn known_document(&self, policy_epoch: u64, now: UnixMillis) -> Option<[u8; 32]> {
        self.known.as_ref()?.document(self.node, policy_epoch, now)
    }

    fn new(
        purpose: Use,
        network: NetworkId,
        responder: Identity,
        node: NodeId,
        own: Identity,
        static_key: &'a X25519Secret,
    ) -> Self {
        Self {
            prologue: Prologue {
                purpose,
                network,
                initiator: None,
                responder,
            },
            own,
            node,
            static_key,
            known: None,
            schedule: Schedule::default(),
        }
    }
}

/// What a responder brings.
#[derive(Clone, Debug)]
pub struct ResponderTerms<'a> {
    pub(crate) prologue: Prologue,
    pub(crate) wanted: Wanted,
    pub(crate) policy_epoch: u64,
    pub(crate) static_key: &'a X25519Secret,
    pub(crate) known: Option<KnownEnclave>,
    pub(crate) schedule: Schedule,
}

impl<'a> ResponderTerms<'a> {
    /// The vault of `space`, to an owner's device.
    #[must_use]
    pub fn vault(
        network: NetworkId,
        space: SpaceId,
        policy_epoch: u64,
        static_key: &'a X25519Secret,
    ) -> Self {
        let own = Identity::Space(space);
        Self::new(
            Use::AppVault,
            network,
            own,
            Wanted::Device,
            policy_epoch,
            static_key,
        )
    }

    /// The service vault of `space`, to a business's backend.
    #[must_use]
    pub fn service_vault(
        network: NetworkId,
        space: SpaceId,
        policy_epoch: u64,
        static_key: &'a X25519Secret,
    ) -> Self {
        let own = Identity::Space(space);
        Self::new(
            Use::BackendService,
            network,
            own,
            Wanted::Backend,
            policy_epoch,
            static_key,
        )
    }

    /// The enclave of the node `own`, to another enclave of the network.
    #[must_use]
    pub fn enclave(
        network: NetworkId,
        own: NodeId,
        policy_epoch: u64,
        static_key: &'a X25519Secret,
    ) -> Self {
        let wanted = Wanted::Enclave {
            node: None,
            identity: None,
        };
        let own = Identity::Node(own);
        Self::new(
            Use::EnclaveEnclave,
            network,
            own,
            wanted,
            policy_epoch,
            static_key,
        )
    }

    /// The same to exactly this enclave, which must be [`introduced`](InitiatorTerms::introduced).
    #[must_use]
    pub const fn expecting(mut self, initiator: NodeId) -> Self {
        self.prologue.initiator = Some(Identity::Node(initiator));
        self.wanted = Wanted::Enclave {
            node: Some(initiator),
            identity: Some(Identity::Node(initiator)),
        };
        self
    }

    /// The same, sparing a known enclave its document. Only with
    /// [`expecting`](Self::expecting): otherwise nobody knows who will ask.
    #[must_use]
    pub fn knowing(mut self, known: KnownEnclave) -> Self {
        self.known = Some(known);
        self
    }

    /// Hash of the document that this side names as known.
    pub(crate) fn known_document(&self, now: UnixMillis) -> Option<[u8; 32]> {
        let Wanted::Enclave { node, .. } = self.wanted else {
            return None;
        };
        let known = self.known.as_ref()?;
        known.document(node?, self.policy_epoch, now)
    }

    fn new(
        purpose: Use,
        network: NetworkId,
        responder: Identity,
        wanted: Wanted,
        policy_epoch: u64,
        static_key: &'a X25519Secret,
    ) -> Self {
        Self {
            prologue: Prologue {
                purpose,
                network,
                initiator: None,
                responder,
            },
            wanted,
            policy_epoch,
            static_key,
            known: None,
            schedule: Schedule::default(),
        }
    }
}
