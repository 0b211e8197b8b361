//! One vault's database. It lives in the memory of its process and nowhere else.
//!
//! The database is a single block of memory behind SQLite's `memdb` (as `sqlite3_deserialize` makes
//! it) from the beginning, so that a snapshot reads it in place and a restore fills it in place:
//! neither ever needs a second copy. Journal and temporary tables are in memory too: the process
//! may not open a file, and a test watches its descriptors.
//!
//! Measured on a release build (Linux, x86-64):
//!
//! | | |
//! |---|---|
//! | private memory of a forked child: inherited template, two puts | 0.14 MiB |
//! | the same, restored from a snapshot of two items, two puts | 0.25 MiB |
//! | search index of a few items | 0.3 MiB more |
//! | restore of 10 MB from a snapshot, against reading and opening it | 1.4 times |
//! | restore of 10 MB from records of 1.5 KB, against reading and opening them | 5 times |
//! | pages of 4,096 bytes instead of 1,024 | 15 % larger database, 0.1 MiB more memory |
//! | `item` and `content` of a 1 KB item among 1,800 | 5 µs |
//! | the same without the planner's stability guarantee (QPSG) | 30 µs |
//!
//! The last line: this SQLite is built with `STAT4`, where a statement whose plan might depend on a
//! bound value is otherwise prepared anew whenever that value changes.
//!
//! SQLite's own memory is not wiped when it is freed, except for deleted content (`secure_delete`):
//! pages, caches and this block vanish with the process, whose exit is what locking means.

use std::cell::Cell;
use std::ops::Deref;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, Transaction, TransactionBehavior};
use vettid_crypto::Zeroizing;
use vettid_wire::limits;

use crate::migrate::{Schema, version_of};
use crate::recorder::Recorder;
use crate::{Changeset, StoreError};

/// Page size, bytes.
const PAGE: u32 = 1024;
/// Page cache, KiB. What it misses is a copy of one page within memory.
const CACHE: usize = 128;
/// Prepared statements that are kept: more than there are. A vault that goes idle lets go of them.
const STATEMENTS: usize = 256;

/// Bytes that a database may take, in pages.
const ALL: usize = limits::DATABASE / PAGE as usize;
/// Those that SQLite lets it take, as much as a replay needs: the same rows may take more pages in another history, and what was durable
/// must come back.
const REPLAY: usize = 2 * ALL;
/// Those that are for whatever is stored.
const ORDINARY: usize = ALL - limits::DATABASE_RESERVE / PAGE as usize;

/// How much room a transaction finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// All but the reserve.
    Ordinary,
    /// The reserve too: for what lets the owner in or makes room, so that a full vault can be
    /// opened and emptied.
    Reserve,
}

impl Room {
    /// As in the table of operations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Reserve => "reserve",
        }
    }

    const fn pages(self) -> usize {
        match self {
            Self::Ordinary => ORDINARY,
            Self::Reserve => ALL,
        }
    }
}

/// The database of one vault.
#[derive(Debug)]
pub struct Database {
    pub(crate) connection: Connection,
    pub(crate) indexed: bool,
    pub(crate) messages_indexed: bool,
    schema: Schema,
    recorder: Recorder,
}

impl Database {
    /// An empty database of the newest schema.
    ///
    /// The zygote makes one before it forks; each child inherits it, ready and mostly shared, and
    /// uses it as a fresh vault or as the vessel of [`crate::Replay`]. It holds no descriptor, lock
    /// or thread. The zygote itself must not touch it after the first fork.
    pub fn template() -> Result<Self, StoreError> {
        Self::empty(Schema::CURRENT, Schema::CURRENT.version())
    }

    /// Runs one transaction in the ordinary room.
    ///
    /// When `body` succeeds, its changes are committed and returned as a changeset, to be sealed
    /// and appended; there is none if nothing changed in effect. When it fails, or when the changes
    /// do not fit one record, everything is rolled back, the search index included.
    pub fn transaction<T, E: From<StoreError>>(
        &mut self,
        body: impl FnOnce(&Change<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, E> {
        self.transaction_in(Room::Ordinary, body)
    }

    /// Runs one transaction like [`Self::transaction`], with this much room.
    pub fn transaction_in<T, E: From<StoreError>>(
        &mut self,
        room: Room,
        body: impl FnOnce(&Change<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, E> {
        // Looked at before the commit, and not left to SQLite: where that meets its own bound it rolls
        // the whole transaction back and goes on without one, and a body that takes this for the failure
        // of a part would write what is in no record. What is taken of the reserve stays taken: a bound
        // is never below the size.
        let bound = Cell::new(room.pages().max(pages(&self.connection)?));
        // On every early return the recording is dropped first, then the transaction rolls back.
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)
                .map_err(StoreError::from)?;
        let recording = self.recorder.record(&self.connection)?;
        let change = Change {
            view: self.view(),
            bound: &bound,
        };
        let value = body(&change)?;
        if self.connection.is_autocommit() || pages(&self.connection)? > bound.get() {
            return Err(StoreError::Full.into());
        }
        let changeset = recording.changeset(&self.connection)?;
        drop(recording);
        transaction.commit().map_err(StoreError::from)?;
        Ok(Committed { value, changeset })
    }

    /// Gives memory back that only speeds up the next request. For a vault that goes idle.
    pub fn shrink(&self) -> Result<(), StoreError> {
        self.connection.flush_prepared_statement_cache();
        Ok(self.connection.release_memory()?)
    }

    /// The committed state, to read.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            connection: &self.connection,
            indexed: self.indexed,
            messages_indexed: self.messages_indexed,
        }
    }

    /// Bytes that the database takes.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        self.view().bytes()
    }

    /// An empty database of `version` of a schema.
    pub(crate) fn empty(schema: Schema, version: u32) -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        harden(&connection)?;
        connection.pragma_update(None, "page_size", PAGE)?;
        schema.migrate(&connection, version)?;
        let image = Zeroizing::new(connection.serialize(MAIN_DB)?.to_vec());
        let recorder = Recorder::of(&mut connection)?;
        let mut database = Self {
            connection,
            indexed: false,
            messages_indexed: false,
            schema,
            recorder,
        };
        database.load(&mut &image[..], image.len())?;
        // Before a fork once for all children.
        database.recorder.learn(&database.connection)?;
        Ok(database)
    }

    /// Replaces the content by an image of `size` bytes.
    pub(crate) fn load(
        &mut self,
        image: &mut impl std::io::Read,
        size: usize,
    ) -> Result<(), StoreError> {
        self.connection.flush_prepared_statement_cache();
        self.connection
            .deserialize_read_exact(MAIN_DB, image, size, false)?;
        configure(&self.connection)?;
        // Reads the schema now: before a fork once for all children, after a restore to fail early.
        version_of(&self.connection)?;
        self.connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(())
    }

    /// Begins the one transaction of a replay.
    pub(crate) fn begin(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("BEGIN")?)
    }

    /// Commits the transaction of a replay.
    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// Scripts that this database follows.
    pub(crate) fn schema(&self) -> Schema {
        self.schema
    }

    /// Version of the schema that the content has.
    pub(crate) fn version(&self) -> Result<u32, StoreError> {
        version_of(&self.connection)
    }

    /// Rewrites the database without its free pages, if those are more than a quarter.
    pub(crate) fn compact(&self) -> Result<(), StoreError> {
        let (free, all): (i64, i64) = self.connection.query_row(
            "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if free > all / 4 {
            self.connection.execute_batch("VACUUM main")?;
        }
        Ok(())
    }
}

/// Most bytes that a database has, in whatever history.
pub(crate) const LARGEST: usize = REPLAY * PAGE as usize;

/// A committed transaction.
#[derive(Debug)]
pub struct Committed<T> {
    /// What its body returned.
    pub value: T,
    /// What it changed, if anything.
    pub changeset: Option<Changeset>,
}

/// A state of the database, to read. Methods are beside their tables, in `rows`.
#[derive(Clone, Copy, Debug)]
pub struct View<'db> {
    pub(crate) connection: &'db Connection,
    pub(crate) indexed: bool,
    pub(crate) messages_indexed: bool,
}

impl View<'_> {
    /// Bytes that the database takes, those of a transaction under way included.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let mut size = self.connection.prepare_cached("PRAGMA main.page_size")?;
        let size = size.query_row([], |row| crate::rows::column::unsigned(row, 0))?;
        let pages = u64::try_from(pages(self.connection)?).unwrap_or(u64::MAX);
        Ok(pages.saturating_mul(size))
    }
}

/// A transaction under way, to read and write. Methods are beside their tables, in `rows`.
#[derive(Debug)]
pub struct Change<'db> {
    view: View<'db>,
    /// Pages that the database may have when it is committed.
    bound: &'db Cell<usize>,
}

impl Change<'_> {
    /// Runs a part of this transaction that is undone by itself when it fails.
    pub fn attempt<T, E: From<StoreError>>(
        &self,
        part: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let run = |sql| -> Result<(), StoreError> {
            self.connection.prepare_cached(sql)?.execute([])?;
            Ok(())
        };
        run("SAVEPOINT part")?;
        let outcome = part();
        if outcome.is_err() {
            run("ROLLBACK TO part")?;
        }
        run("RELEASE part")?;
        outcome
    }

    /// Gives the rest of this transaction the reserve too: it makes more room than it takes.
    pub fn use_reserve(&self) {
        self.bound.set(self.bound.get().max(ALL));
    }
}

impl<'db> Deref for Change<'db> {
    type Target = View<'db>;

    fn deref(&self) -> &View<'db> {
        &self.view
    }
}

/// Settings of a connection, whatever it holds.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON")
}

/// Settings that belong to the content and go when it is replaced.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = MEMORY; PRAGMA secure_delete = ON; PRAGMA cache_size = -{CACHE};
         PRAGMA max_page_count = {REPLAY}"
    ))
}

/// Pages that the database has, those of the present transaction included.
fn pages(connection: &Connection) -> Result<usize, StoreError> {
    let mut count = connection.prepare_cached("PRAGMA main.page_count")?;
    let count: i64 = count.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
