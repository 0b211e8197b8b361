//! A stopped node's disk in the hands of a host that lies: log records and snapshots removed,
//! altered, swapped and rolled back.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use vettid_wire::id::SpaceId;

use crate::node::Node;
use crate::wait::PATIENCE;

/// The disk of one node.
pub struct HostDisk {
    database: Connection,
    objects: PathBuf,
}

/// One stored record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Its number.
    pub number: u64,
    /// Whether a log may begin with it.
    pub checkpoint: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl HostDisk {
    /// The disk of a node that does not run.
    ///
    /// # Panics
    /// When it runs, or has no database yet.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        assert!(
            node.pid().is_none(),
            "stop the node before its disk is touched"
        );
        Self::at(node.folder())
    }

    fn at(folder: &Path) -> Self {
        let database = Connection::open(folder.join("node.db")).expect("node.db");
        database.busy_timeout(PATIENCE).expect("a time limit");
        Self {
            database,
            objects: folder.join("objects"),
        }
    }

    /// The log of a space.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn log(&self, space: SpaceId) -> Vec<Stored> {
        self.database
            .prepare(
                "SELECT number, checkpoint, bytes FROM record WHERE space = ?1 ORDER BY number",
            )
            .and_then(|mut statement| {
                statement
                    .query_map([space.0], |row| {
                        Ok(Stored {
                            number: row.get::<_, i64>(0)?.unsigned_abs(),
                            checkpoint: row.get(1)?,
                            bytes: row.get(2)?,
                        })
                    })?
                    .collect()
            })
            .expect("a log")
    }

    /// Puts a log in the place of whatever the space had.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn replace_log(&self, space: SpaceId, log: &[Stored]) {
        self.run("DELETE FROM record WHERE space = ?1", params![space.0]);
        for Stored {
            number,
            checkpoint,
            bytes,
        } in log
        {
            let number = i64::try_from(*number).expect("a number");
            self.run(
                "INSERT INTO record (space, number, checkpoint, bytes) VALUES (?1, ?2, ?3, ?4)",
                params![space.0, number, checkpoint, bytes],
            );
        }
    }

    /// Runs one statement; how many rows it changed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, statement: &str, values: impl rusqlite::Params) -> usize {
        self.database
            .execute(statement, values)
            .expect("a statement")
    }

    /// One number.
    ///
    /// # Panics
    /// When the query fails.
    #[must_use]
    pub fn count(&self, query: &str) -> i64 {
        self.database
            .query_row(query, [], |row| row.get(0))
            .expect("a number")
    }

    /// Every stored chunk of every snapshot.
    #[must_use]
    pub fn chunks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.objects, &mut found);
        found.sort();
        found
    }
}

/// Every file below a folder.
pub fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Flips one bit in the middle.
pub fn alter(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

/// The log of a space while the node runs.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn copy_of_log(folder: &Path, space: SpaceId) -> Vec<Stored> {
    HostDisk::at(folder).log(space)
}

/// Puts a log in the place of a space's while the node runs.
///
/// # Panics
/// When it cannot be written.
pub fn overwrite_log(folder: &Path, space: SpaceId, log: &[Stored]) {
    HostDisk::at(folder).replace_log(space, log);
}
