//! Whether keys that others show can be sealed to.
//!
//! MLS takes any bytes for a public key until something is to be sealed to it: a member that showed
//! such bytes would keep everybody else from changing the group.

use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes};
use openmls::prelude::{Ciphersuite, KeyPackage, MlsGroup};
use openmls_traits::crypto::OpenMlsCrypto as _;

use super::group::NotMls;
use super::primitives::Primitives;

/// Refuses a key package to which nothing can be sealed.
pub(super) fn package(primitives: &Primitives, package: &KeyPackage) -> Result<(), NotMls> {
    let suite = package.ciphersuite();
    let leaf = package.leaf_node().encryption_key();
    let leaf = leaf
        .tls_serialize_detached()
        .map_err(|_| NotMls::NotOpened)?;
    let leaf = VLBytes::tls_deserialize_exact_bytes(&leaf).map_err(|_| NotMls::NotOpened)?;
    key(primitives, suite, package.hpke_init_key().as_slice())?;
    key(primitives, suite, leaf.as_slice())
}

/// Refuses a group with a member to which nothing can be sealed.
pub(super) fn members(primitives: &Primitives, group: &MlsGroup) -> Result<(), NotMls> {
    let suite = group.ciphersuite();
    let mut members = group.members();
    members.try_for_each(|member| key(primitives, suite, &member.encryption_key))
}

fn key(primitives: &Primitives, suite: Ciphersuite, public: &[u8]) -> Result<(), NotMls> {
    primitives
        .hpke_seal(suite.hpke_config(), public, &[], &[], &[])
        .map(drop)
        .map_err(|_| NotMls::NotOpened)
}
