//! What the host keeps: deliveries that wait for their peer, and mailboxes. It learns names that only
//! this enclave can make, sizes in steps, and when something expires.

use vettid_crypto::{Entropy, Label, MailboxKey, derive, seal};
use vettid_vault::KnownHome;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::cbor::{self, Wire};
use vettid_wire::home::HomeNode;
use vettid_wire::id::{DeliveryId, LaneId, MailboxId, VaultId};
use vettid_wire::padding::step;
use vettid_wire::peer::Delivered;
use vettid_wire::time::UnixMillis;

/// Where a vault was, as the sending vault knows it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) enum Whereabouts {
    /// At this node, by an invitation.
    #[n(0)]
    Node(#[n(0)] HomeNode),
    /// As that vault itself has signed.
    #[n(1)]
    Record(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

impl From<KnownHome> for Whereabouts {
    fn from(home: KnownHome) -> Self {
        match home {
            KnownHome::Node(node) => Self::Node(node),
            KnownHome::Record(record) => Self::Record(record),
        }
    }
}

/// A delivery on its way out.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) struct Letter {
    /// Who sends it.
    #[n(0)]
    pub(crate) from: VaultId,
    /// For whom.
    #[n(1)]
    pub(crate) to: VaultId,
    /// Where that vault was.
    #[n(2)]
    pub(crate) home: Whereabouts,
    /// Useless after this.
    #[n(3)]
    pub(crate) expires: UnixMillis,
    /// Sealed between the two vaults.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) body: Vec<u8>,
}

/// Something in a mailbox.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) enum Item {
    /// From another vault.
    #[n(0)]
    Delivery {
        #[n(0)]
        delivery: DeliveryId,
        #[n(1)]
        expires: UnixMillis,
        #[cbor(n(2), with = "minicbor::bytes")]
        body: Vec<u8>,
    },
    /// What became of something that this vault sent.
    #[n(1)]
    Receipt {
        #[n(0)]
        delivery: DeliveryId,
        #[n(1)]
        outcome: Delivered,
    },
}

/// Names and seals what the host keeps.
#[derive(Debug)]
pub(crate) struct Keeper(MailboxKey);

impl Keeper {
    /// The keeper of this node: the same in every boot, and in every release that it was handed over to.
    pub(crate) const fn new(key: MailboxKey) -> Self {
        Self(key)
    }

    /// Name of what goes from one vault to another.
    pub(crate) fn lane(&self, from: &VaultId, to: &VaultId) -> LaneId {
        LaneId(self.name(Label::LaneName, &[&from.0, &to.0]))
    }

    /// Name of a vault's mailbox.
    pub(crate) fn mailbox(&self, vault: &VaultId) -> MailboxId {
        MailboxId(self.name(Label::MailboxName, &[&vault.0]))
    }

    /// Id of the receipt for a delivery, in the mailbox of the vault that sent it.
    pub(crate) fn receipt(&self, from: &VaultId, delivery: DeliveryId) -> DeliveryId {
        DeliveryId(self.name(Label::MailboxName, &[&from.0, &delivery.0]))
    }

    /// Seals a letter, for its lane and id alone.
    pub(crate) fn seal_letter(
        &self,
        delivery: DeliveryId,
        letter: &Letter,
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        let lane = self.lane(&letter.from, &letter.to);
        self.seal(&[LETTER, &lane.0, &delivery.0], letter, entropy)
    }

    /// Opens a letter that the host says is this one of this lane.
    pub(crate) fn open_letter(
        &self,
        lane: LaneId,
        delivery: DeliveryId,
        sealed: &[u8],
    ) -> Option<Letter> {
        self.open(&[LETTER, &lane.0, &delivery.0], sealed)
    }

    /// Seals an item for the mailbox of one vault.
    pub(crate) fn seal_item(
        &self,
        vault: &VaultId,
        item: &Item,
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        self.seal(&[ITEM, &vault.0], item, entropy)
    }

    /// Opens what the host says is in the mailbox of this vault.
    pub(crate) fn open_item(&self, vault: &VaultId, sealed: &[u8]) -> Option<Item> {
        self.open(&[ITEM, &vault.0], sealed)
    }

    fn seal(&self, context: &[&[u8]], content: &impl Wire, entropy: &mut dyn Entropy) -> Vec<u8> {
        let content = cbor::encode(content);
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut plaintext = Vec::with_capacity(step(content.len().saturating_add(LENGTH)));
        plaintext.extend_from_slice(&length.to_be_bytes());
        plaintext.extend_from_slice(&content);
        plaintext.resize(step(plaintext.len()), 0);
        seal::seal(&self.0, Label::MailboxSealed, context, &plaintext, entropy)
    }

    fn open<T: Wire>(&self, context: &[&[u8]], sealed: &[u8]) -> Option<T> {
        let plaintext = seal::open(&self.0, Label::MailboxSealed, context, sealed).ok()?;
        let (length, rest) = plaintext.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        cbor::decode_exact(rest.get(..length)?).ok()
    }

    fn name(&self, label: Label, parts: &[&[u8]]) -> [u8; 16] {
        let digest = derive::mac(&self.0, label, parts);
        digest.first_chunk().copied().unwrap_or_default()
    }
}

/// Bytes of the length in front.
const LENGTH: usize = 4;
const ITEM: &[u8] = b"item";
const LETTER: &[u8] = b"letter";

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::{SecretBytes, SeededEntropy};

    fn keeper(byte: u8) -> Keeper {
        Keeper::new(MailboxKey::from_bytes([byte; 32]))
    }

    fn entropy() -> SeededEntropy {
        SeededEntropy::dangerous_new(1)
    }

    const A: VaultId = VaultId([1; 32]);
    const B: VaultId = VaultId([2; 32]);
    const ID: DeliveryId = DeliveryId([3; 16]);

    fn letter(size: usize) -> Letter {
        Letter {
            from: A,
            to: B,
            home: Whereabouts::Record(vec![4; 9]),
            expires: UnixMillis(5),
            body: vec![6; size],
        }
    }

    fn item() -> Item {
        Item::Receipt {
            delivery: ID,
            outcome: Delivered::Applied,
        }
    }

    #[test]
    fn a_letter_opens_in_its_lane_under_its_id_in_this_enclave_alone() {
        let keeper_of_enclave = keeper(1);
        let sealed = keeper_of_enclave.seal_letter(ID, &letter(100), &mut entropy());
        let lane = keeper_of_enclave.lane(&A, &B);
        let open = |keeper: &Keeper, lane, id| keeper.open_letter(lane, id, &sealed);

        assert_eq!(open(&keeper_of_enclave, lane, ID), Some(letter(100)));
        assert_eq!(open(&keeper_of_enclave, LaneId([0; 16]), ID), None);
        assert_eq!(open(&keeper_of_enclave, lane, DeliveryId([0; 16])), None);
        assert_eq!(open(&keeper(2), lane, ID), None);
        assert_eq!(keeper_of_enclave.open_item(&B, &sealed), None);
    }

    #[test]
    fn an_item_opens_in_its_own_mailbox_alone_and_unaltered() {
        let keeper = keeper(1);
        let sealed = keeper.seal_item(&A, &item(), &mut entropy());
        assert_eq!(keeper.open_item(&A, &sealed), Some(item()));

        assert_eq!(keeper.open_item(&B, &sealed), None);
        let mut altered = sealed;
        altered[50] ^= 1;
        assert_eq!(keeper.open_item(&A, &altered), None);
    }

    #[test]
    fn names_are_those_of_this_enclave_and_tell_vaults_and_directions_apart() {
        let keeper_of_enclave = keeper(1);
        let lane = keeper_of_enclave.lane(&A, &B);

        assert_ne!(lane, keeper_of_enclave.lane(&B, &A));
        assert_ne!(lane, keeper(2).lane(&A, &B));
        assert_ne!(
            keeper_of_enclave.mailbox(&A).0,
            keeper_of_enclave.mailbox(&B).0
        );
        assert_ne!(keeper_of_enclave.receipt(&A, ID), ID);
        assert_eq!(keeper(1).mailbox(&A), keeper_of_enclave.mailbox(&A));
    }

    #[test]
    fn sizes_come_in_steps() {
        let size = |body| {
            keeper(1)
                .seal_letter(ID, &letter(body), &mut entropy())
                .len()
        };

        assert_eq!(size(1), size(300));
        assert_eq!(size(20_000), size(32_000));
        assert!(size(1) < size(1000) && size(1000) < size(20_000));
        assert_eq!(size(1), 512 + seal::OVERHEAD);
    }
}
