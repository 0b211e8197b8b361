//! Which release of the enclave a vault's header is sealed for, and how a vault moves from one to a
//! later one.
//!
//! ```text
//!  earlier release                                                later release
//!  header under its own key
//!     │ release.approve
//!     ▼
//!  header under the key that both have ──── same log ────▶ header under the key that both have
//!  (either may open the vault)                                │ next header: a PIN is tried
//!                                                             ▼
//!  refused: other-release ◀──────────────────────────────── header under its own key
//! ```
//!
//! Each step is one record, so that no crash is between two. Nothing leads back: the earlier release
//! does not have the later one's own key.

use vettid_crypto::SealingKey;
use vettid_store::{Header, HeaderKey, Linked};
use vettid_wire::operation::release::Offered;
use vettid_wire::refusal::Code;

/// Keys that a vault's headers may be under, and the release that its owner may approve.
#[derive(Debug)]
pub struct HeaderKeys {
    own: HeaderKey,
    earlier: Vec<(u32, HeaderKey)>,
    later: Vec<HeaderKey>,
    /// The release that the owner may approve, and its place among the later ones.
    offered: Option<(Offered, usize)>,
    /// Place of the one that headers are for.
    approved: Option<usize>,
}

impl HeaderKeys {
    /// A vault at the release that runs, with no other.
    #[must_use]
    pub const fn of(own: HeaderKey) -> Self {
        Self {
            own,
            earlier: Vec::new(),
            later: Vec::new(),
            offered: None,
            approved: None,
        }
    }

    /// The same, with what the earlier release `from` shares with the one that runs.
    #[must_use]
    pub fn with_earlier(mut self, from: u32, key: SealingKey) -> Self {
        let to = self.own.release;
        self.earlier.push((from, HeaderKey::new(to, key)));
        self
    }

    /// The same, with what the one that runs shares with a later release.
    #[must_use]
    pub fn with_later(mut self, key: HeaderKey) -> Self {
        self.later.push(key);
        self
    }

    /// The same, where the owner may approve a later release, with what is shared with that image.
    #[must_use]
    pub fn offering(mut self, offered: Offered, key: SealingKey) -> Self {
        self.offered = Some((offered, self.later.len()));
        self.with_later(HeaderKey::new(offered.release, key))
    }

    /// Number of the release that runs.
    pub(crate) const fn running(&self) -> u32 {
        self.own.release
    }

    /// The later release that the owner may approve.
    pub(crate) fn offered(&self) -> Option<Offered> {
        self.offered.map(|(offered, _)| offered)
    }

    /// The later release that the owner has approved.
    pub(crate) fn approved(&self) -> Option<u32> {
        let approved = self.later.get(self.approved?)?;
        Some(approved.release)
    }

    /// Headers are from now on for the release that is offered, too. The next one makes it durable.
    pub(crate) fn approve(&mut self) {
        self.approved = self.offered.map(|(_, place)| place).or(self.approved);
    }

    /// What the next header is sealed under.
    pub(crate) fn current(&self) -> &HeaderKey {
        let approved = self.approved.and_then(|place| self.later.get(place));
        approved.unwrap_or(&self.own)
    }

    /// Opens the newest header of a log. Says in it where the vault came from, if it is new here.
    pub(crate) fn open(&mut self, record: &Linked) -> Result<Header, Code> {
        let release = record.release().ok_or(Code::Damaged)?;
        if release == self.own.release {
            if let Ok(header) = record.open_header(&self.own) {
                return Ok(header);
            }
            for (from, key) in &self.earlier {
                if let Ok(mut header) = record.open_header(key) {
                    header.moved_from = Some(*from);
                    return Ok(header);
                }
            }
            return Err(Code::Damaged);
        }
        // What does not open here may open there: either it was moved, or never was let go. Images of
        // one number have keys of their own.
        let shared = self.later.iter().enumerate();
        let mut shared = shared.filter(|(_, key)| key.release == release);
        let opened = shared.find_map(|(place, key)| Some((place, record.open_header(key).ok()?)));
        let (place, header) = opened.ok_or(Code::OtherRelease)?;
        self.approved = Some(place);
        Ok(header)
    }
}
