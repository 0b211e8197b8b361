//! How far a vault has come, as its host sees it while the node runs: records and snapshots.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use vettid_wire::id::SpaceId;

use crate::host_disk::collect;
use crate::wait::PATIENCE;

/// Looks at one vault's log and snapshots without touching them.
pub struct Watch {
    database: Connection,
    space: SpaceId,
    snapshots: PathBuf,
    incoming: PathBuf,
}

/// What a look shows. Numbers are those of records; zero for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// First record of the log.
    pub first: u64,
    /// Newest record.
    pub newest: u64,
    /// Newest checkpoint.
    pub checkpoint: u64,
    /// Snapshots that are stored, whole or in part.
    pub snapshots: usize,
    /// Chunks of theirs, those that are being written included.
    pub chunks: usize,
}

impl Watch {
    /// Watches a space of the node in `folder`.
    ///
    /// # Panics
    /// When there is no database.
    #[must_use]
    pub fn of(folder: &Path, space: SpaceId) -> Self {
        // Without the right to write, it cannot tidy up what a killed node leaves.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(folder.join("node.db"), flags).expect("node.db");
        database.busy_timeout(PATIENCE).expect("a time limit");
        let objects = folder.join("objects");
        Self {
            database,
            space,
            snapshots: objects.join("spaces").join(space.to_string()),
            incoming: objects.join(".incoming"),
        }
    }

    /// How far it has come; none while the database cannot be read.
    #[must_use]
    pub fn look(&self) -> Option<Progress> {
        let mut chunks = vec![];
        collect(&self.incoming, &mut chunks);
        collect(&self.snapshots, &mut chunks);
        let snapshots = fs::read_dir(&self.snapshots).map_or(0, Iterator::count);
        let query = "SELECT coalesce(min(number), 0), coalesce(max(number), 0),
                            coalesce(max(number) FILTER (WHERE checkpoint = 1), 0)
                     FROM record WHERE space = ?1";
        let numbers = self.database.query_row(query, [self.space.0], |row| {
            Ok([
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ])
        });
        let [first, newest, checkpoint] = numbers.ok()?.map(i64::unsigned_abs);
        Some(Progress {
            first,
            newest,
            checkpoint,
            snapshots,
            chunks: chunks.len(),
        })
    }
}
