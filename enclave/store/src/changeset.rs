//! What one transaction changed, in the format of SQLite's session extension.
//!
//! Changesets here are *patchsets*: a deleted row leaves its primary key, an updated one its key
//! and new values. A full changeset would also carry every old value, which only serves to undo or
//! to merge; a record is replayed onto exactly the state it was made on, which the chain proves.
//! So nothing is lost, records are up to half the size, and what an owner overwrote or destroyed is
//! not written down once more.

use vettid_crypto::WipedVec;

use crate::StoreError;
use crate::record::CHANGESET as MAX;

/// What one transaction changed. Plaintext: wiped on drop, never printed.
pub struct Changeset(WipedVec);

impl Changeset {
    /// What was recorded, if anything was.
    pub(crate) fn of(bytes: WipedVec) -> Result<Option<Self>, StoreError> {
        match bytes.len() {
            0 => Ok(None),
            size if size > MAX => Err(StoreError::TooLarge { max: MAX, size }),
            _ => Ok(Some(Self(bytes))),
        }
    }

    /// Takes over what a record was opened to.
    pub(crate) fn from_plaintext(bytes: WipedVec) -> Self {
        Self(bytes)
    }

    /// Lends the bytes, to seal them.
    pub(crate) fn expose<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&self.0)
    }

    /// Bytes of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Changeset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changeset(..)")
    }
}
