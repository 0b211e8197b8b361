//! Looking at `node.db` without changing it: a program that only looks must not migrate it, or the
//! release before could not be started any more.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::reader::Readers;
use super::writer::Writer;
use super::{Database, MIGRATIONS, OpenError, applied, apply, connect};

/// `node.db`, opened for reading alone.
#[derive(Debug)]
pub struct Inspection {
    pub(crate) connection: Connection,
    /// Schema of the file; zero before the first start is through.
    pub schema: usize,
    /// Schema that a start of this program brings it to.
    pub known: usize,
    index: Option<MadeIndex>,
}

impl Database {
    /// Opens the file at `path` for reading alone, with the tables that a start of this program would
    /// make; every change is refused. Nobody else may use it meanwhile.
    ///
    /// The file keeps its schema, and is not made when there is none.
    pub fn look(path: &Path) -> Result<Self, OpenError> {
        let (connection, index) = match Self::inspect(path)? {
            None => (migrated_for_itself(Connection::open_in_memory()?)?, None),
            Some(found) if found.schema == found.known => (found.connection, found.index),
            // Closed first: what is made to read the log goes with it.
            Some(older) => {
                drop(older);
                let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
                (migrated_for_itself(connection)?, None)
            }
        };
        Ok(Self {
            writer: Arc::new(Writer::closed()),
            readers: Arc::new(Readers::of(connection, index)),
        })
    }

    /// Opens the file at `path` for reading alone; nothing when there is none. Nobody else may use it
    /// meanwhile.
    ///
    /// Neither the file nor its write-ahead log changes, and none is created. Fails when the file
    /// could not be written, as [`Self::open`] would.
    pub fn inspect(path: &Path) -> Result<Option<Inspection>, OpenError> {
        match fs::OpenOptions::new().read(true).write(true).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::File(error)),
        }
        let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
        let index = has_log.then(|| MadeIndex::expect(path)).flatten();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = connect(Path::new(&address(path, has_log)), flags)?;
        let schema = applied(&connection)?;
        let known = MIGRATIONS.len();
        Ok(Some(Inspection {
            connection,
            schema,
            known,
            index,
        }))
    }
}

/// Migrates what one connection sees: its transaction ends with it, and is never committed.
fn migrated_for_itself(connection: Connection) -> Result<Connection, OpenError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    apply(&connection)?;
    Ok(connection)
}

/// The index of a write-ahead log, which SQLite makes to read one; removed with the last use, unless
/// it was there before.
#[derive(Debug)]
pub(super) struct MadeIndex(PathBuf);

impl MadeIndex {
    fn expect(path: &Path) -> Option<Self> {
        let index = beside(path, "-shm");
        (!index.exists()).then_some(Self(index))
    }
}

impl Drop for MadeIndex {
    fn drop(&mut self) {
        // One that stays is made anew by whoever opens the file next.
        let _ = fs::remove_file(&self.0);
    }
}

/// A companion of the file.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The file as SQLite is told of it. Without a log to read it is said not to change, or SQLite
/// would make a log.
fn address(path: &Path, has_log: bool) -> String {
    let mut address = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => {
                address.push(char::from(*byte));
            }
            // Writing to a string does not fail.
            other => drop(write!(address, "%{other:02X}")),
        }
    }
    if !has_log {
        address.push_str("?immutable=1");
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Options, WriteError};

    /// Every file of a folder with its bytes.
    fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(folder).expect("readable");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = paths
            .map(|path| (path.clone(), fs::read(&path).expect("readable")))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn file_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().expect("folder");

        let inspected = Database::inspect(&folder.path().join("node.db"));

        assert!(matches!(inspected, Ok(None)));
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn file_of_an_earlier_release_is_told_and_not_migrated() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a node?.db");
        let connection = Connection::open(&path).expect("opened");
        connection.execute_batch(MIGRATIONS[0]).expect("applied");
        connection
            .execute_batch("PRAGMA user_version = 1; PRAGMA journal_mode = WAL;")
            .expect("set");
        drop(connection);
        let before = files(folder.path());

        let inspected = Database::inspect(&path).expect("opened").expect("there");

        assert_eq!((inspected.schema, inspected.known), (1, MIGRATIONS.len()));
        drop(inspected);
        assert!(files(folder.path()) == before);
    }

    const FIND_PEER: &str = "SELECT count(*) FROM audited_peer";

    #[tokio::test]
    async fn file_of_an_earlier_release_is_read_as_if_it_were_migrated_and_changed_by_nobody() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("node.db");
        let connection = Connection::open(&path).expect("opened");
        connection.execute_batch(MIGRATIONS[0]).expect("applied");
        connection
            .execute_batch(
                "INSERT INTO fact VALUES ('a', x'01');
                 PRAGMA user_version = 1; PRAGMA journal_mode = WAL;",
            )
            .expect("set");
        drop(connection);
        let before = files(folder.path());

        let database = Database::look(&path).expect("opened");

        let peers = database.read(|c| c.query_row(FIND_PEER, [], |row| row.get(0)));
        assert_eq!(peers.await, Ok(0));
        let facts = "SELECT count(*) FROM fact";
        let facts = database.read(move |c| c.query_row(facts, [], |row| row.get(0)));
        assert_eq!(facts.await, Ok(1));
        let removed = database.transact(|c| c.execute("DELETE FROM fact", []));
        assert_eq!(removed.await, Err(WriteError::Closed));
        drop(database);
        assert!(files(folder.path()) == before);
    }

    #[tokio::test]
    async fn database_that_is_not_there_is_looked_at_as_an_empty_one() {
        let folder = tempfile::tempdir().expect("folder");

        let database = Database::look(&folder.path().join("node.db")).expect("opened");

        let peers = database.read(|c| c.query_row(FIND_PEER, [], |row| row.get(0)));
        assert_eq!(peers.await, Ok(0));
        assert!(files(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn what_a_killed_node_left_in_the_log_is_read_and_stays_there() {
        let (folder, killed) = (tempfile::tempdir(), tempfile::tempdir());
        let (folder, killed) = (folder.expect("folder"), killed.expect("folder"));
        let database = Database::open(&folder.path().join("node.db"), Options::default());
        let database = database.expect("opened");
        let insert = "INSERT INTO fact VALUES ('a', x'01')";
        let written = database.transact(move |connection| connection.execute(insert, []));
        written.await.expect("written");
        for name in ["node.db", "node.db-wal"] {
            fs::copy(folder.path().join(name), killed.path().join(name)).expect("copied");
        }
        let path = killed.path().join("node.db");
        let before = files(killed.path());

        let inspected = Database::inspect(&path).expect("opened").expect("there");

        let facts = "SELECT count(*) FROM fact";
        let facts = inspected.connection.query_row(facts, [], |row| row.get(0));
        assert_eq!((inspected.schema, facts), (MIGRATIONS.len(), Ok(1)));
        drop(inspected);
        assert!(files(killed.path()) == before);
    }

    #[test]
    fn file_of_a_later_release_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("node.db");
        let connection = Connection::open(&path).expect("opened");
        connection
            .pragma_update(None, "user_version", 99)
            .expect("raised");
        drop(connection);

        let refused = Database::inspect(&path);

        assert!(matches!(refused, Err(OpenError::Newer { found: 99, .. })));
    }
}
