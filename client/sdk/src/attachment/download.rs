//! From chunks at another owner's node to a file.

use std::fs;
use std::path::Path;

use vettid_crypto::WipedVec;
use vettid_wire::attachment::Attachment;

use super::part::Part;
use super::{AttachmentFault, Moved, aside, length};
use crate::error::Error;
use crate::owner::Owner;

impl Owner {
    /// Fetches an attachment to a file that is not there yet, for its owner alone to read.
    ///
    /// The file gets its name when it is whole. Until then what came lies beside it, in
    /// `.vettid-ID.part`; after an interruption of any kind, the same call goes on with that. A
    /// dropped call is interrupted.
    pub async fn download(
        &self,
        attachment: &Attachment,
        to: &Path,
        progress: &mut (dyn FnMut(Moved) + Send),
    ) -> Result<(), Error> {
        if !attachment.is_bounded() {
            return Err(AttachmentFault::Malformed.into());
        }
        if fs::symlink_metadata(to).is_ok() {
            return Err(AttachmentFault::Exists(to.to_path_buf()).into());
        }
        let here = Path::new(".");
        let folder = to.parent().filter(|folder| *folder != Path::new(""));
        let mut part = Part::open(folder.unwrap_or(here), attachment)?;
        let chunks = u32::try_from(attachment.chunks()).unwrap_or(u32::MAX);
        let mut done = 0_u64;
        for index in 0..chunks {
            let there;
            (part, there) = aside(move || {
                let there = part.has(index)?;
                Ok((part, there))
            })
            .await?;
            if !there {
                let plain = self.opened(attachment, index).await?;
                part = aside(move || {
                    part.put(index, &plain)?;
                    Ok(part)
                })
                .await?;
            }
            let length = length(attachment.size, attachment.chunk, index);
            done = done.saturating_add(length as u64);
            let whole = attachment.size;
            progress(Moved { done, whole });
        }
        let to = to.to_path_buf();
        aside(move || Ok(part.finish(&to)?)).await
    }

    /// One chunk, opened. What does not open is fetched once more: it may have been altered between
    /// two tries.
    async fn opened(&self, attachment: &Attachment, index: u32) -> Result<WipedVec, Error> {
        for _ in 0..LOOKS {
            let sealed = self.fetch_chunk(attachment, index).await?;
            let opening = attachment.clone();
            let opened = aside(move || Ok(opening.open(index, &sealed).map(WipedVec::new))).await?;
            if let Ok(plain) = opened
                && plain.len() == length(attachment.size, attachment.chunk, index)
            {
                return Ok(plain);
            }
        }
        Err(AttachmentFault::Altered(index).into())
    }
}

/// How often a chunk that does not open is fetched.
const LOOKS: u32 = 2;
