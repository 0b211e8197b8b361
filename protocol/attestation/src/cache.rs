//! What a verifier remembers, within bounds: authorities' signatures, and whom it appraised.
//!
//! Signatures, not verdicts: that one authority's certificate was signed by another's key stays
//! true, while its validity, its place in the chain and the policy are looked at every time. An
//! appraisal is kept with the policy it was made under and the moment it ends; under another
//! policy, or later, it is not found.

use std::collections::BTreeMap;

use vettid_wire::time::UnixMillis;

use crate::appraise::Peer;
use crate::nitro::chain::Link;

/// Most authorities remembered: every instance of AWS has its own, for a day.
pub const MAX_LINKS: usize = 1024;

/// Most appraisals remembered: peers of one node, or nodes of one app.
pub const MAX_APPRAISALS: usize = 1024;

/// A verifier's memory. Bounded; what ends soonest makes room.
#[derive(Debug, Default)]
pub struct Cache {
    links: BTreeMap<[u8; 32], UnixMillis>,
    appraisals: BTreeMap<[u8; 32], Appraisal>,
}

/// One appraisal, by the hash of its document.
#[derive(Clone, Debug)]
pub(crate) struct Appraisal {
    /// Digest of the policy it was made under.
    pub(crate) policy: [u8; 32],
    /// The document's `user_data`.
    pub(crate) commitment: [u8; 48],
    /// Who was appraised.
    pub(crate) peer: Peer,
    /// When it ends.
    pub(crate) expires: UnixMillis,
}

impl Cache {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many appraisals are remembered, ended ones among them.
    #[must_use]
    pub fn appraisals(&self) -> usize {
        self.appraisals.len()
    }

    pub(crate) fn knows_link(&self, id: &[u8; 32], now: UnixMillis) -> bool {
        self.links.get(id).is_some_and(|expires| now <= *expires)
    }

    pub(crate) fn add_links(&mut self, links: Vec<Link>, now: UnixMillis) {
        for link in links {
            make_room(&mut self.links, MAX_LINKS, now, |expires| *expires);
            self.links.insert(link.id, link.expires);
        }
    }

    pub(crate) fn add_appraisal(&mut self, appraisal: Appraisal, now: UnixMillis) {
        make_room(&mut self.appraisals, MAX_APPRAISALS, now, |one| one.expires);
        self.appraisals
            .insert(appraisal.peer.document_hash, appraisal);
    }

    /// The appraisal of a document, if it was made under this policy and has not ended.
    pub(crate) fn appraisal(
        &self,
        document_hash: &[u8; 32],
        policy: &[u8; 32],
        now: UnixMillis,
    ) -> Option<&Appraisal> {
        self.appraisals
            .get(document_hash)
            .filter(|one| one.policy == *policy && now <= one.expires)
    }

    /// Whether some document bound to the same bundle was appraised under this policy, and that
    /// has not ended.
    pub(crate) fn knows_bundle(
        &self,
        commitment: &[u8; 48],
        policy: &[u8; 32],
        now: UnixMillis,
    ) -> bool {
        self.appraisals
            .values()
            .any(|one| one.commitment == *commitment && one.policy == *policy && now <= one.expires)
    }
}

/// Drops what has ended once the map is full, and if that is not enough, what ends soonest.
fn make_room<V>(
    map: &mut BTreeMap<[u8; 32], V>,
    most: usize,
    now: UnixMillis,
    expires: impl Fn(&V) -> UnixMillis,
) {
    if map.len() < most {
        return;
    }
    map.retain(|_, value| now <= expires(value));
    if map.len() < most {
        return;
    }
    let soonest = map
        .iter()
        .min_by_key(|(_, value)| expires(value))
        .map(|(key, _)| *key);
    if let Some(key) = soonest {
        map.remove(&key);
    }
}
