//! Archives that the kernel unpacks into its first file system: cpio, format `newc`.
//!
//! Each entry is a head of 110 hexadecimal digits, its name and its bytes, both padded to four.
//! Times and owners are zero and entries are numbered in their order.

/// What an archive ends with, as the format wants it.
const TRAILER: &str = "TRAILER!!!";

/// Longest name, bytes.
const MAX_NAME: usize = 255;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// Why an entry cannot be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// The name is empty, too long, absolute or not the kernel's only name for the place.
    #[error("name of an archive's entry is not a plain relative path")]
    Name,
    /// The format holds less than 4 GiB a file.
    #[error("file is too large for the archive")]
    TooLarge,
}

/// An archive in the making. Entries come in the order in which they are unpacked.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder.
    ///
    /// # Errors
    /// When the name is not plain.
    pub fn folder(&mut self, name: &str, permissions: u32) -> Result<(), EntryError> {
        self.entry(name, FOLDER | permissions, (0, 0), &[])
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When the name is not plain or the file too large.
    pub fn file(&mut self, name: &str, permissions: u32, content: &[u8]) -> Result<(), EntryError> {
        self.entry(name, FILE | permissions, (0, 0), content)
    }

    /// Adds the node of a character device by its two numbers.
    ///
    /// # Errors
    /// When the name is not plain.
    pub fn device(
        &mut self,
        name: &str,
        permissions: u32,
        numbers: (u32, u32),
    ) -> Result<(), EntryError> {
        self.entry(name, CHARACTER_DEVICE | permissions, numbers, &[])
    }

    /// The whole archive.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = 0;
        self.head([0, 0, 1, 0, 0, 0], TRAILER);
        self.bytes
    }

    fn entry(
        &mut self,
        name: &str,
        mode: u32,
        (major, minor): (u32, u32),
        content: &[u8],
    ) -> Result<(), EntryError> {
        if !is_plain(name) {
            return Err(EntryError::Name);
        }
        let size = u32::try_from(content.len()).map_err(|_| EntryError::TooLarge)?;
        self.entries = self.entries.saturating_add(1);
        let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
        self.head([self.entries, mode, links, size, major, minor], name);
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    fn head(&mut self, [inode, mode, links, size, major, minor]: [u32; 6], name: &str) {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        let fields = [
            inode,
            mode,
            0, // owner
            0, // group
            links,
            0, // time
            size,
            0, // device that holds it
            0,
            major,
            minor,
            length.saturating_add(1),
            0, // checksum, of another format
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    fn pad(&mut self) {
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
    }
}

/// Relative, without empty parts, dots or bytes that end a name.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name != TRAILER
        && !name.contains('\0')
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Archive {
        let mut archive = Archive::default();
        archive.folder("dev", 0o755).expect("folder");
        archive
            .device("dev/console", 0o600, (5, 1))
            .expect("device");
        archive.file("init", 0o755, b"hello").expect("file");
        archive
    }

    /// Magic; inode, mode, owner, group; links, time, size; device; device of a node; length of the
    /// name, checksum; and what follows.
    fn head(fields: &str, rest: &str) -> String {
        fields.replace(' ', "") + rest
    }

    #[test]
    fn entries_are_written_as_the_format_says() {
        let archive = small().finish();

        let expected = [
            head(
                "070701 00000001 000041ed 00000000 00000000 00000002 00000000 00000000 \
                 00000000 00000000 00000000 00000000 00000004 00000000",
                "dev\0\0\0",
            ),
            head(
                "070701 00000002 00002180 00000000 00000000 00000001 00000000 00000000 \
                 00000000 00000000 00000005 00000001 0000000c 00000000",
                "dev/console\0\0\0",
            ),
            head(
                "070701 00000003 000081ed 00000000 00000000 00000001 00000000 00000005 \
                 00000000 00000000 00000000 00000000 00000005 00000000",
                "init\0\0hello\0\0\0",
            ),
            head(
                "070701 00000000 00000000 00000000 00000000 00000001 00000000 00000000 \
                 00000000 00000000 00000000 00000000 0000000b 00000000",
                "TRAILER!!!\0\0\0\0",
            ),
        ];
        assert_eq!(String::from_utf8(archive).expect("text"), expected.concat());
    }

    #[test]
    fn the_same_entries_give_the_same_bytes() {
        assert_eq!(small().finish(), small().finish());
    }

    #[test]
    fn names_that_are_not_plain_are_refused() {
        let long = "n".repeat(MAX_NAME + 1);
        for name in [
            "",
            "/init",
            "a//b",
            "a/",
            "./a",
            "a/../b",
            "a\0b",
            "TRAILER!!!",
            &long,
        ] {
            let refused = Archive::default().file(name, 0o644, b"");

            assert_eq!(refused, Err(EntryError::Name), "{name:?}");
        }
    }
}
