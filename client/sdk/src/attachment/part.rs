//! A file that is not whole yet.
//!
//! ```text
//! | plaintext, as far as it came | SHA-256 of chunk 0 | of chunk 1 | … |
//! 0                              size                               size + 32 · chunks
//! ```
//!
//! A chunk is there if its digest is behind the end: what a crash left half-written is not, in
//! whatever order it reached the disk. Once all are there the digests are cut off, and the file gets
//! its name.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use vettid_crypto::{WipedVec, digest};
use vettid_wire::attachment::Attachment;

use super::{AttachmentFault, length};
use crate::keystore::file;
use crate::new_file::appear;

/// A file that is not whole yet, beside the place where it will be.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    size: u64,
    chunk: u32,
}

impl Part {
    /// Takes up what is there of an attachment, or begins.
    pub(super) fn open(folder: &Path, attachment: &Attachment) -> Result<Self, AttachmentFault> {
        let path = folder.join(name(attachment));
        let io = |error: std::io::Error| AttachmentFault::io(&path, &error);
        let file = match file::private().create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let is_file = fs::symlink_metadata(&path).map_err(io)?.is_file();
                let file = file::private().open(&path).map_err(io)?;
                if !is_file || file::check_private(&path, &file).is_err() {
                    return Err(AttachmentFault::Exists(path));
                }
                file
            }
            made => made.map_err(io)?,
        };
        let digests = attachment.chunks().saturating_mul(DIGEST);
        file.set_len(attachment.size.saturating_add(digests))
            .map_err(io)?;
        Ok(Self {
            file,
            size: attachment.size,
            chunk: attachment.chunk,
            path,
        })
    }

    /// Whether a chunk is there.
    pub(super) fn has(&mut self, index: u32) -> Result<bool, AttachmentFault> {
        let mut known = [0; 32];
        let mut plain = WipedVec::new(vec![0; length(self.size, self.chunk, index)]);
        let (place, sum) = (self.place(index), self.sum(index));
        let read = self
            .at(sum)
            .and_then(|file| file.read_exact(&mut known))
            .and_then(|()| self.at(place))
            .and_then(|file| file.read_exact(&mut plain));
        read.map_err(|error| AttachmentFault::io(&self.path, &error))?;
        Ok(digest::sha256(&plain) == known)
    }

    /// Puts a chunk in its place.
    pub(super) fn put(&mut self, index: u32, plain: &[u8]) -> Result<(), AttachmentFault> {
        let (place, sum) = (self.place(index), self.sum(index));
        let written = self
            .at(place)
            .and_then(|file| file.write_all(plain))
            .and_then(|()| self.at(sum))
            .and_then(|file| file.write_all(&digest::sha256(plain)));
        written.map_err(|error| AttachmentFault::io(&self.path, &error))
    }

    /// Gives the whole file its name, unless there is one of that name.
    pub(super) fn finish(self, to: &Path) -> Result<(), AttachmentFault> {
        let whole = self.file.set_len(self.size);
        whole.map_err(|error| AttachmentFault::io(&self.path, &error))?;
        appear(&self.file, &self.path, to).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => AttachmentFault::Exists(to.to_path_buf()),
            _ => AttachmentFault::io(to, &error),
        })
    }

    fn at(&mut self, place: u64) -> std::io::Result<&mut File> {
        self.file.seek(SeekFrom::Start(place))?;
        Ok(&mut self.file)
    }

    fn place(&self, index: u32) -> u64 {
        u64::from(self.chunk).saturating_mul(u64::from(index))
    }

    fn sum(&self, index: u32) -> u64 {
        self.size
            .saturating_add(DIGEST.saturating_mul(u64::from(index)))
    }
}

/// Name of the file meanwhile. Its id is the sender's choice, so it says nothing of what is there: only
/// who has sent the same, key included, has sent what was fetched before. Where it lies may change.
fn name(attachment: &Attachment) -> String {
    let key = attachment.key.expose(digest::sha256);
    let same = [&attachment.id.0[..], &key].concat();
    let name = HEXLOWER.encode(&digest::sha256(&same)[..16]);
    format!(".vettid-{name}.part")
}

const DIGEST: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::Secret;
    use vettid_wire::home::HomeNode;
    use vettid_wire::id::{AttachmentId, NodeId};

    fn attachment() -> Attachment {
        Attachment {
            id: AttachmentId([1; 16]),
            name: "note".into(),
            media_type: "text/plain".into(),
            size: 10,
            chunk: 4,
            key: Secret::new(vec![2; 32]),
            home: HomeNode {
                node: NodeId([3; 32]),
                peers: vec![],
                addresses: vec![],
            },
        }
    }

    fn part(folder: &Path) -> PathBuf {
        folder.join(name(&attachment()))
    }

    #[test]
    fn what_came_is_there_after_an_interruption_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Part::open(folder.path(), &attachment()).unwrap();
        first.put(2, b"xy").unwrap();
        first.put(0, b"abcd").unwrap();
        drop(first);
        // A crash in the middle of the second chunk.
        let mut file = File::options()
            .write(true)
            .open(part(folder.path()))
            .unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        file.write_all(b"ef").unwrap();

        let mut again = Part::open(folder.path(), &attachment()).unwrap();

        let there = [0, 1, 2].map(|index| again.has(index).unwrap());
        assert_eq!(there, [true, false, true]);
        again.put(1, b"efgh").unwrap();
        let to = folder.path().join("note");
        again.finish(&to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"abcdefghxy");
        assert!(!part(folder.path()).exists());
    }

    /// Another sender chooses the same id: nothing of his becomes part of this file.
    #[test]
    fn part_of_another_key_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let other = Attachment {
            key: Secret::new(vec![9; 32]),
            ..attachment()
        };
        let mut his = Part::open(folder.path(), &other).unwrap();
        his.put(0, b"evil").unwrap();

        let mut part = Part::open(folder.path(), &attachment()).unwrap();

        assert!(!part.has(0).unwrap());
        assert!(his.has(0).unwrap());
    }

    #[test]
    fn altered_part_is_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut part_of = Part::open(folder.path(), &attachment()).unwrap();
        part_of.put(0, b"abcd").unwrap();
        let mut file = File::options()
            .write(true)
            .open(part(folder.path()))
            .unwrap();
        file.write_all(b"X").unwrap();

        assert!(!part_of.has(0).unwrap());
    }

    #[test]
    fn name_that_is_taken_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("note");
        fs::write(&to, "mine").unwrap();

        let part = Part::open(folder.path(), &attachment()).unwrap();

        assert_eq!(part.finish(&to), Err(AttachmentFault::Exists(to.clone())));
        assert_eq!(fs::read(&to).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it_and_a_foreign_file_is_not_written() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        drop(Part::open(folder.path(), &attachment()).unwrap());
        let path = part(folder.path());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let open = Part::open(folder.path(), &attachment());
        assert!(matches!(open, Err(AttachmentFault::Exists(_))));
        fs::remove_file(&path).unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "mine").unwrap();
        symlink(&other, &path).unwrap();
        let linked = Part::open(folder.path(), &attachment());
        assert!(matches!(linked, Err(AttachmentFault::Exists(_))));
        assert_eq!(fs::read(&other).unwrap(), b"mine");
    }
}
