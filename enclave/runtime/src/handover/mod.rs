//! What the enclave of one release shares with those of others on the same node, before it serves.
//!
//! | with | what | when it counts |
//! |---|---|---|
//! | an earlier release | node identity, key of mailboxes, a root for headers on their way | handed over by an image that the network lists under a lower number |
//! | a later release | the same | offered by an image that the network accepts under a higher number |
//!
//! What was taken over is sealed anew under this image's own root, so that it outlives the earlier
//! release and its documents. The host keeps everything and can withhold anything; then the enclave
//! does not serve, or serves as another node. What the shared root opens is what an earlier release
//! has sealed under it: headers of vaults whose owners approved (`release.approve`), and no others.

mod inherit;
mod offer;
mod secrets;
mod settle;
#[cfg(test)]
mod tests;

use vettid_crypto::{HandoverRoot, Label, SealingKey, derive};
use vettid_wire::id::SpaceId;
use vettid_wire::link::handover::LaterImage;
use vettid_wire::operation::release::Offered;

pub(crate) use self::secrets::NodeSecrets;
pub(crate) use self::settle::Settling;
use crate::host_line::LineError;
use crate::platform::PlatformError;

/// Why a release does not serve beside others.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HandoverError {
    /// The host's line broke off.
    #[error(transparent)]
    Host(#[from] LineError),
    /// No document could be made.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The host has another release of this node, and nothing of it for this one.
    #[error("host does not let release {0} serve: its log says why")]
    NotToServe(u32),
    /// More of something than there may be.
    #[error("host has too many other releases")]
    TooMany,
    /// What was taken over before does not open.
    #[error("what this release has taken over of earlier ones is damaged or another image's")]
    Inheritance,
    /// A handover is malformed, for another release, or does not open.
    #[error("handover is damaged or for another release")]
    Damaged,
    /// Nobody that this network lists under a lower number has made a handover.
    #[error("handover was not made by an earlier release of this network")]
    NotEarlier,
    /// Earlier releases are of two nodes.
    #[error("handover is of another node than what was taken over before")]
    OtherNode,
    /// The host did not keep what it must.
    #[error("host did not keep what releases share")]
    NotKept,
}

/// What is shared with other releases.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    earlier: Vec<(u32, HandoverRoot)>,
    later: Vec<(LaterImage, HandoverRoot)>,
    offered: Option<(Offered, HandoverRoot)>,
    /// Whether there was an offer that counts for nothing.
    pub(crate) offer_refused: bool,
    /// Whether there was a handover that counts for nothing, beside others.
    pub(crate) handover_refused: bool,
}

impl Shared {
    /// Keys of a vault's headers that came from earlier releases, with their numbers.
    pub(crate) fn earlier(&self, space: SpaceId) -> Vec<(u32, SealingKey)> {
        let earlier = self.earlier.iter();
        earlier
            .map(|(from, root)| (*from, key(root, space)))
            .collect()
    }

    /// Keys of a vault's headers that later releases open, too.
    pub(crate) fn later(&self, space: SpaceId) -> Vec<(u32, SealingKey)> {
        let later = self.later.iter();
        later
            .map(|(to, root)| (to.release, key(root, space)))
            .collect()
    }

    /// The later release that owners may approve, with the key of the vault that is shared with it.
    pub(crate) fn offered(&self, space: SpaceId) -> Option<(Offered, SealingKey)> {
        let offered = self.offered.as_ref();
        offered.map(|(offered, root)| (*offered, key(root, space)))
    }
}

fn key(root: &HandoverRoot, space: SpaceId) -> SealingKey {
    derive::key(root, Label::HandoverKey, &[&space.0])
}
