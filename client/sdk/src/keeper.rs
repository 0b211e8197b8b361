//! The one place that changes what a device keeps.

use std::sync::{Mutex, MutexGuard, PoisonError};

use vettid_wire::request::Head;

use crate::keystore::{Kept, Keystore, KeystoreError, State};
use crate::trust::TrustError;

/// State and keystore of a device, changed together: what a caller is told has been kept.
pub(crate) struct Keeper {
    inner: Mutex<Inner>,
}

struct Inner {
    keystore: Box<dyn Keystore>,
    kept: Kept,
}

impl Keeper {
    pub(crate) fn new(keystore: Box<dyn Keystore>, kept: Kept) -> Self {
        Self {
            inner: Mutex::new(Inner { keystore, kept }),
        }
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().kept.state)
    }

    /// Changes the state and keeps it.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> T,
    ) -> Result<T, KeystoreError> {
        let inner = &mut *self.lock();
        let outcome = change(&mut inner.kept.state);
        inner.keystore.save(&inner.kept.state)?;
        Ok(outcome)
    }

    /// The newest head seen.
    pub(crate) fn head(&self) -> Option<Head> {
        self.lock().kept.head
    }

    /// Keeps a head if it is newer. Another hash under the newest number is a fork.
    pub(crate) fn see(&self, head: Head) -> Result<Result<(), TrustError>, KeystoreError> {
        let inner = &mut *self.lock();
        if let Some(seen) = inner.kept.head {
            if head.number == seen.number && head.hash != seen.hash {
                return Ok(Err(TrustError::Forked(head.number)));
            }
            if head.number <= seen.number {
                return Ok(Ok(()));
            }
        }
        inner.keystore.save_head(head)?;
        inner.kept.head = Some(head);
        Ok(Ok(()))
    }

    /// A change that panicked half-way was not saved; what is in memory is still of valid types.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
