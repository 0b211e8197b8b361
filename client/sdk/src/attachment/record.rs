//! What an upload must remember to go on after an interruption.

use std::path::Path;

use vettid_wire::attachment::Attachment;
use vettid_wire::cbor::minicbor::bytes::ByteArray;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};

use super::AttachmentFault;
use crate::keystore::file;

/// An upload that is under way, as it is kept: it holds the attachment's key.
#[derive(Clone, Decode, Encode)]
#[cbor(map)]
pub(super) struct Record {
    /// What the message will say.
    #[n(0)]
    pub(super) attachment: Attachment,
    /// SHA-256 of every chunk that was sealed, in order, the one under way included: sealed under
    /// one key, a chunk has one content.
    #[n(1)]
    pub(super) sealed: Vec<ByteArray<32>>,
    /// How many of them the node has.
    #[n(2)]
    pub(super) stored: u32,
}

impl Record {
    /// What was kept; nothing if it cannot be used.
    pub(super) fn load(path: &Path) -> Option<Self> {
        let record: Self = file::read(path).ok().flatten()?;
        let chunks = record.attachment.chunks();
        let fits = record.attachment.is_bounded()
            && record.sealed.len() as u64 <= chunks
            && u64::from(record.stored) <= record.sealed.len() as u64;
        fits.then_some(record)
    }

    /// Keeps it.
    pub(super) fn save(&self, path: &Path) -> Result<(), AttachmentFault> {
        let unusable = |reason: String| AttachmentFault::Io {
            path: path.to_path_buf(),
            reason,
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(folder), Some(name)) = (path.parent(), name) else {
            return Err(unusable("it is not the name of a file".into()));
        };
        file::make_private(folder)
            .and_then(|()| file::replace(folder, name, self))
            .map_err(|error| unusable(error.to_string()))
    }
}
