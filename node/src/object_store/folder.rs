//! The object store as a folder.
//!
//! An object appears at once and whole: it is written beside the others, synced, and linked under
//! its name, which fails if the name is taken. What a crash leaves of a write is swept at start; folders
//! that it leaves empty, when somebody lists what is in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{LIST_LIMIT, ObjectName, ObjectStore, Pending, Put, StoreError};
use crate::folder::create_private;

/// Holds what is being written; no object name can contain a dot.
const INCOMING: &str = ".incoming";

/// [`ObjectStore`] on the local disk. Cheap to clone.
#[derive(Clone)]
pub struct FolderStore {
    root: Arc<PathBuf>,
    written: Arc<AtomicU64>,
}

impl FolderStore {
    /// Opens or creates the store at `root` and sweeps what an interrupted write left.
    pub fn open(root: &Path) -> io::Result<Self> {
        create_private(root)?;
        let incoming = root.join(INCOMING);
        create_private(&incoming)?;
        for leftover in fs::read_dir(&incoming)? {
            fs::remove_file(leftover?.path())?;
        }
        Ok(Self {
            root: Arc::new(root.to_owned()),
            written: Arc::new(AtomicU64::new(0)),
        })
    }

    fn put_now(&self, name: &ObjectName, content: &[u8]) -> io::Result<Put> {
        let target = self.root.join(name.as_str());
        if target.try_exists()? {
            return Ok(Put::AlreadyThere);
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = self.root.join(INCOMING).join(number.to_string());
        let outcome = write_synced(&temporary, content)
            .and_then(|()| self.create_parents(&target))
            .and_then(|()| link_absent(&temporary, &target));
        // Also after a failure, so that a full disk is not kept full by leftovers.
        let _ = fs::remove_file(&temporary);
        outcome
    }

    /// Creates the folders down to `target`, each durable in its parent.
    fn create_parents(&self, target: &Path) -> io::Result<()> {
        let Some(parent) = target.parent() else {
            return Ok(());
        };
        if parent == self.root.as_path() || parent.try_exists()? {
            return Ok(());
        }
        self.create_parents(parent)?;
        create_private(parent)?;
        sync_parent(parent)
    }

    fn get_now(&self, name: &ObjectName, range: Option<Range<u64>>) -> io::Result<Option<Bytes>> {
        let mut file = match File::open(self.root.join(name.as_str())) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let range = range.unwrap_or(0..length);
        let start = range.start.min(length);
        let wanted = range.end.min(length).saturating_sub(start);
        file.seek(SeekFrom::Start(start))?;
        // The file's own length, which no request can claim.
        let mut content = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        file.take(wanted).read_to_end(&mut content)?;
        Ok(Some(Bytes::from(content)))
    }

    fn delete_now(&self, name: &ObjectName) -> io::Result<()> {
        let path = self.root.join(name.as_str());
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        sync_parent(&path)?;
        self.prune(path.parent());
        Ok(())
    }

    /// Removes folders that became empty; one that another put just filled simply stays.
    fn prune(&self, mut folder: Option<&Path>) {
        while let Some(path) = folder {
            if path == self.root.as_path() || fs::remove_dir(path).is_err() {
                return;
            }
            folder = path.parent();
        }
    }

    fn list_now(&self, prefix: &ObjectName) -> io::Result<Vec<ObjectName>> {
        let mut names = Vec::new();
        collect(
            &self.root.join(prefix.as_str()),
            prefix.as_str(),
            &mut names,
        )?;
        names.sort();
        names.truncate(LIST_LIMIT);
        Ok(names)
    }

    fn blocking<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Pending<'_, T> {
        let store = self.clone();
        Box::pin(async move {
            let ran = tokio::task::spawn_blocking(move || step(&store)).await;
            ran.map_err(|_| StoreError::Failed)?
                .map_err(|error| blame(&error))
        })
    }
}

impl ObjectStore for FolderStore {
    fn put_if_absent(&self, name: ObjectName, content: Bytes) -> Pending<'_, Put> {
        self.blocking(move |store| match store.put_now(&name, &content) {
            // A delete that ran beside removed the folder just made.
            Err(error) if error.kind() == ErrorKind::NotFound => store.put_now(&name, &content),
            outcome => outcome,
        })
    }

    fn get(&self, name: ObjectName, range: Option<Range<u64>>) -> Pending<'_, Option<Bytes>> {
        self.blocking(move |store| store.get_now(&name, range))
    }

    fn delete(&self, name: ObjectName) -> Pending<'_, ()> {
        self.blocking(move |store| store.delete_now(&name))
    }

    fn list(&self, prefix: ObjectName) -> Pending<'_, Vec<ObjectName>> {
        self.blocking(move |store| store.list_now(&prefix))
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn link_absent(from: &Path, to: &Path) -> io::Result<Put> {
    match fs::hard_link(from, to) {
        Ok(()) => sync_parent(to).map(|()| Put::Stored),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::AlreadyThere),
        Err(error) => Err(error),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Adds the names of all objects below a folder, and removes folders that have none.
fn collect(folder: &Path, prefix: &str, names: &mut Vec<ObjectName>) -> io::Result<()> {
    let before = names.len();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, names)?;
        } else if let Ok(name) = ObjectName::parse(&name) {
            names.push(name);
        }
    }
    if names.len() == before {
        // One that is not empty after all stays.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn blame(error: &io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        _ => {
            tracing::error!(%error, "the object folder failed");
            StoreError::Failed
        }
    }
}
