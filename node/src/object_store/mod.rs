//! The object store: sealed snapshots, whole objects written once and never changed.
//!
//! Two implementations that pass one test-suite: a [`FolderStore`] on the host's disk and an
//! [`S3Store`] on any S3. Neither can say whether an object is the latest: freshness is the
//! enclave's business.

mod folder;
mod name;
mod s3;

pub use folder::FolderStore;
pub use name::{BadName, ObjectName};
pub use s3::{S3Options, S3Store};

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;

/// A boxed future, so that [`ObjectStore`] can be used behind a pointer.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where a host keeps objects too large for the vault log.
///
/// A dropped future may still have taken effect.
pub trait ObjectStore: Send + Sync {
    /// Writes `content` under `name` unless something is there already. Durable on return.
    fn put_if_absent(&self, name: ObjectName, content: Bytes) -> Pending<'_, Put>;

    /// The bytes of `name` in `range` (all without one), cut at the object's end; none if there
    /// is no such object.
    fn get(&self, name: ObjectName, range: Option<Range<u64>>) -> Pending<'_, Option<Bytes>>;

    /// Removes `name`. Nothing to remove is not an error.
    fn delete(&self, name: ObjectName) -> Pending<'_, ()>;

    /// Names below the folder `prefix`, in order, at most [`LIST_LIMIT`] of them.
    fn list(&self, prefix: ObjectName) -> Pending<'_, Vec<ObjectName>>;
}

/// Names one listing returns; callers that remove what they list ask again.
pub const LIST_LIMIT: usize = 1_000;

/// What a put found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Put {
    /// An object of this name was there and is unchanged.
    AlreadyThere,
    /// The content is durable.
    Stored,
}

/// Why the store did not do what was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or the bucket's quota is full.
    #[error("the object store is full")]
    Full,
    /// Any other fault.
    #[error("the object store failed")]
    Failed,
    /// The store did not answer in time.
    #[error("the object store does not answer")]
    Unreachable,
}

#[cfg(test)]
mod tests;
