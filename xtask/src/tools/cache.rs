//! The folder that fetched tools are kept in.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Names another folder for fetched tools than `~/.cache/vettid/tools`.
const TOOLS_FOLDER: &str = "VETTID_TOOLS";

/// Written last, so that an interrupted fetch is not taken for a tool.
const COMPLETE: &str = ".complete";

/// Fetched tools, one folder each. Locked while open: two commands at once fetch nothing twice.
pub(crate) struct Cache {
    folder: PathBuf,
    _lock: File,
}

/// One tool's folder, and whether this call filled it.
pub(crate) struct Entry {
    /// The tool's folder.
    pub(crate) folder: PathBuf,
    /// Whether it was fetched just now.
    pub(crate) fetched: bool,
}

impl Cache {
    /// Opens the user's cache, waiting for another command that has it open.
    pub(crate) fn open() -> Result<Self> {
        let folder = match env::var_os(TOOLS_FOLDER) {
            Some(folder) => PathBuf::from(folder),
            None => env::home_dir()
                .context("no home folder")?
                .join(".cache/vettid/tools"),
        };
        Self::open_at(folder)
    }

    fn open_at(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let lock = File::create(folder.join(".lock")).context("lock file of the tools cache")?;
        lock.lock().context("lock of the tools cache")?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// A folder for what is made anew each time, from what the last time has left.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Forgets an entry and what a folder of that name has.
    pub(crate) fn forget(&self, name: &str) -> Result<()> {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        Ok(())
    }

    /// The folder `name`, filled by `fill` unless an earlier call completed that.
    ///
    /// `name` holds everything that pins the tool, so another version is another folder.
    pub(crate) fn entry(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Entry> {
        let folder = self.folder.join(name);
        if folder.join(COMPLETE).is_file() {
            return Ok(Entry {
                folder,
                fetched: false,
            });
        }
        self.forget(name)?;
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        fill(&folder).with_context(|| format!("fetching {name}"))?;
        fs::write(folder.join(COMPLETE), "").context("marking a tool complete")?;
        Ok(Entry {
            folder,
            fetched: true,
        })
    }

    /// As [`Cache::entry`], for what takes minutes: `fill` also gets a folder that an interrupted call
    /// leaves to the next one, and that is gone once the entry is complete.
    pub(crate) fn built(
        &self,
        name: &str,
        fill: impl FnOnce(&Path, &Path) -> Result<()>,
    ) -> Result<Entry> {
        let left = format!("{name}.work");
        let work = self.folder.join(&left);
        let entry = self.entry(name, |folder| {
            fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
            fill(folder, &work)
        })?;
        self.forget(&left)?;
        Ok(entry)
    }
}

/// Fails unless the file's SHA-256 is `expected` (lower-case hex).
pub(crate) fn verify(file: &Path, expected: &str) -> Result<()> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    let found = HEXLOWER.encode(&Sha256::digest(&bytes));
    if found != expected {
        bail!(
            "{} has SHA-256 {found}, pinned is {expected}",
            file.display()
        );
    }
    Ok(())
}

/// What names a cache entry after everything that decides what is in it.
pub(crate) fn key(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut hex = HEXLOWER.encode(&digest.finalize());
    hex.truncate(16);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_is_fetched_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(folder.path().to_path_buf()).unwrap();

        let first = cache
            .entry("tool-1", |at| Ok(fs::write(at.join("bin"), "x")?))
            .unwrap();
        let second = cache
            .entry("tool-1", |_| anyhow::bail!("fetched again"))
            .unwrap();

        assert!(first.fetched);
        assert!(!second.fetched);
        assert!(second.folder.join("bin").is_file());
    }

    #[test]
    fn interrupted_fetch_is_started_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(folder.path().to_path_buf()).unwrap();
        let failed = cache.entry("tool-1", |at| {
            fs::write(at.join("half"), "x")?;
            anyhow::bail!("connection lost")
        });
        assert!(failed.is_err());

        let entry = cache.entry("tool-1", |_| Ok(())).unwrap();

        assert!(entry.fetched);
        assert!(!entry.folder.join("half").exists());
    }

    #[test]
    fn interrupted_build_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open_at(folder.path().to_path_buf()).unwrap();
        let failed = cache.built("tool-1", |_, work| {
            fs::write(work.join("half"), "x")?;
            anyhow::bail!("interrupted")
        });
        assert!(failed.is_err());

        let entry = cache
            .built("tool-1", |at, work| {
                Ok(fs::rename(work.join("half"), at.join("whole"))?)
            })
            .unwrap();

        assert!(entry.folder.join("whole").is_file());
        assert!(!folder.path().join("tool-1.work").exists());
    }

    #[test]
    fn altered_download_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wheel");
        fs::write(&file, "abc").unwrap();
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

        assert!(verify(&file, right).is_ok());
        fs::write(&file, "altered").unwrap();
        assert!(
            verify(&file, right)
                .unwrap_err()
                .to_string()
                .contains(right)
        );
    }

    #[test]
    fn key_tells_apart_where_one_part_ends() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_eq!(key(&[b"ab", b"c"]).len(), 16);
    }
}
