//! The folder that fetched tools are kept in.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        fill(&folder).with_context(|| format!("fetching {name}"))?;
        fs::write(folder.join(COMPLETE), "").context("marking a tool complete")?;
        Ok(Entry {
            folder,
            fetched: true,
        })
    }
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
}
