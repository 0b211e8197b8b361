//! From a file to chunks at the owner's node.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use vettid_crypto::{Entropy, WipedVec, digest};
use vettid_wire::attachment::Attachment;
use vettid_wire::home::HomeNode;
use vettid_wire::id::AttachmentId;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::{Secret, limits};

use super::record::Record;
use super::{AttachmentFault, Moved, aside, length};
use crate::entropy::OsEntropy;
use crate::error::Error;
use crate::owner::Owner;

/// A file that is to be attached to a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upload {
    /// Where it is.
    pub file: PathBuf,
    /// Its name, as the recipient will see it.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// File that keeps what is needed to go on, key included. To be removed once the message was
    /// sent ([`Upload::forget`]); the same upload with the same record goes on where it was.
    pub record: PathBuf,
}

impl Upload {
    /// A file under its own name, with its record in the folder `records`.
    pub fn of(file: &Path, media_type: &str, records: &Path) -> Result<Self, AttachmentFault> {
        let file = fs::canonicalize(file).map_err(|error| AttachmentFault::io(file, &error))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let place = digest::sha256(file.as_os_str().as_encoded_bytes());
        Ok(Self {
            name: bounded(&name),
            media_type: media_type.to_owned(),
            record: records.join(HEXLOWER.encode(&place)),
            file,
        })
    }

    /// Removes the record: the message with the attachment was sent, or never will be.
    pub fn forget(&self) -> Result<(), AttachmentFault> {
        match fs::remove_file(&self.record) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(AttachmentFault::io(&self.record, &error))
            }
            _ => Ok(()),
        }
    }
}

impl Owner {
    /// Seals a file chunk by chunk and stores it at the node; the attachment to send.
    ///
    /// After an interruption of any kind, the same call goes on behind the last chunk that was
    /// stored. A dropped call is interrupted.
    pub async fn upload(
        &self,
        upload: &Upload,
        progress: &mut (dyn FnMut(Moved) + Send),
    ) -> Result<Attachment, Error> {
        let home = self.home().await?;
        let mut source = Source::open(&upload.file)?;
        let mut record = match Record::load(&upload.record) {
            Some(record) if record.attachment.size == source.size => record,
            _ => fresh(upload, source.size, home.clone()),
        };
        record.attachment.home = home;
        if !record.attachment.is_bounded() {
            return Err(AttachmentFault::Malformed.into());
        }
        let mut index = 0;
        while u64::from(index) < record.attachment.chunks() {
            let plain;
            (source, plain) = source.next(record.attachment.chunk, index).await?;
            let sum = digest::sha256(&plain);
            match record.sealed.get(place(index)) {
                Some(known) if **known == sum => {}
                // Another content: what was stored of the old one stays behind.
                Some(_) => {
                    record = fresh(upload, source.size, record.attachment.home);
                    source = Source::open(&upload.file)?;
                    index = 0;
                    continue;
                }
                None => {
                    record.sealed.push(sum.into());
                    record.save(&upload.record)?;
                }
            }
            if index >= record.stored {
                self.store(&record.attachment, index, plain).await?;
                record.stored = index.saturating_add(1);
                record.save(&upload.record)?;
            }
            index = index.saturating_add(1);
            progress(moved(&record.attachment, index));
        }
        source.ended()?;
        Ok(record.attachment)
    }

    async fn store(
        &self,
        attachment: &Attachment,
        index: u32,
        plain: WipedVec,
    ) -> Result<(), Error> {
        let (id, sealing) = (attachment.id, attachment.clone());
        let sealed = aside(move || {
            let sealed = sealing.seal(index, &plain, &mut OsEntropy);
            sealed.map_err(|_| AttachmentFault::Malformed.into())
        });
        self.store_chunk(id, index, sealed.await?).await
    }

    /// The node that stores what this owner attaches.
    async fn home(&self) -> Result<HomeNode, Error> {
        let open = self.status().await?.open;
        let open = open.ok_or_else(|| Refusal::new(Code::Locked))?;
        open.home.ok_or_else(|| AttachmentFault::NoNetwork.into())
    }
}

/// A file as it was when it was opened.
struct Source {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Source {
    fn open(path: &Path) -> Result<Self, AttachmentFault> {
        let io = |error: std::io::Error| AttachmentFault::io(path, &error);
        // Looked at before it is opened: a pipe would be waited for.
        if !fs::metadata(path).map_err(io)?.is_file() {
            return Err(AttachmentFault::NotAFile(path.to_path_buf()));
        }
        let file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        if size > LARGEST {
            return Err(AttachmentFault::TooLarge {
                size,
                most: LARGEST,
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            size,
        })
    }

    /// Reads the next chunk.
    async fn next(mut self, chunk: u32, index: u32) -> Result<(Self, WipedVec), Error> {
        aside(move || {
            let mut plain = WipedVec::new(vec![0; length(self.size, chunk, index)]);
            match self.file.read_exact(&mut plain) {
                Ok(()) => Ok((self, plain)),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    Err(AttachmentFault::Changed(self.path).into())
                }
                Err(error) => Err(AttachmentFault::io(&self.path, &error).into()),
            }
        })
        .await
    }

    /// Whether the file is as long as it was.
    fn ended(mut self) -> Result<(), AttachmentFault> {
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(AttachmentFault::Changed(self.path)),
            Err(error) => Err(AttachmentFault::io(&self.path, &error)),
        }
    }
}

/// An attachment under a new key.
fn fresh(upload: &Upload, size: u64, home: HomeNode) -> Record {
    let mut key = WipedVec::new(vec![0; 32]);
    OsEntropy.fill(&mut key);
    Record {
        attachment: Attachment {
            id: AttachmentId::random(&mut OsEntropy),
            name: upload.name.clone(),
            media_type: upload.media_type.clone(),
            size,
            chunk: chunk_for(size),
            key: Secret::new(key.to_vec()),
            home,
        },
        sealed: Vec::new(),
        stored: 0,
    }
}

/// Small chunks where the number of them allows it: what an interruption costs is one of them.
fn chunk_for(size: u64) -> u32 {
    let mut chunk = SMALLEST;
    while size.div_ceil(u64::from(chunk)) > u64::from(limits::ATTACHMENT_CHUNKS) {
        chunk = chunk.saturating_mul(2);
    }
    chunk
}

fn moved(attachment: &Attachment, chunks: u32) -> Moved {
    let done = u64::from(attachment.chunk).saturating_mul(u64::from(chunks));
    Moved {
        done: done.min(attachment.size),
        whole: attachment.size,
    }
}

/// As much of a name as an attachment can have.
fn bounded(name: &str) -> String {
    let end = name.floor_char_boundary(limits::ATTACHMENT_NAME);
    name.get(..end).unwrap_or_default().to_owned()
}

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Chunk of a file that is not large, bytes.
const SMALLEST: u32 = 1024 * 1024;
/// Largest file, bytes.
const LARGEST: u64 = limits::ATTACHMENT_CHUNK as u64 * limits::ATTACHMENT_CHUNKS as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_named_as_it_is_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.txt");
        fs::write(&path, "text").unwrap();
        let detour = folder.path().join("./a b.txt");

        let upload = Upload::of(&path, "text/plain", folder.path()).unwrap();

        assert_eq!(upload.name, "a b.txt");
        let again = Upload::of(&detour, "text/plain", folder.path());
        assert_eq!(again, Ok(upload));
        let none = Upload::of(&folder.path().join("none"), "", folder.path());
        assert!(matches!(none, Err(AttachmentFault::Io { .. })));
    }

    #[test]
    fn every_file_that_is_taken_has_few_enough_chunks() {
        for (size, chunk) in [
            (0, SMALLEST),
            (256 << 20, SMALLEST),
            ((256 << 20) + 1, 2 * SMALLEST),
            (LARGEST, 8 * SMALLEST),
        ] {
            assert_eq!(chunk_for(size), chunk, "{size}");
        }
    }
}
