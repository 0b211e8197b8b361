//! The table of chunks.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vettid_wire::id::{AttachmentId, NodeId, SpaceId};

use crate::database::column::{integer, number};
use crate::database::{Database, ReadError, WriteError};
use crate::object_store::ObjectName;

/// A copy from another node that nobody asked for in this time is removed, seconds.
const UNUSED: u64 = vettid_wire::limits::DELIVERY_TIME / 1_000;

/// Uses are noted once in this time, seconds.
const NOTED: u64 = 3_600;

/// An object without a row is removed after this time, seconds: it is not being written any more.
const ABANDONED: u64 = 3_600;

/// Copies that make room together.
const ROOM: i64 = 8;

/// Objects removed in one sweep.
const REMOVALS: i64 = 500;

/// Which chunk, and where it comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) id: AttachmentId,
    pub(crate) index: u32,
    /// Node that a copy was fetched from; none for what was stored here by its owner.
    pub(crate) source: Option<NodeId>,
}

/// Where a chunk lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) object: ObjectName,
    pub(crate) size: u64,
}

/// Whether a chunk may be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Begun {
    /// Its place is noted, and counted.
    Place,
    /// Not before these objects are removed: they make room for it.
    After(Vec<ObjectName>),
    /// It need not, or must not.
    Not(Entered),
}

/// What became of a chunk that was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Entered {
    /// It can be fetched.
    New,
    /// Its space has stored it before.
    Known,
    /// It belongs to another space.
    Foreign,
    /// The space has no room for it.
    Full,
}

/// The chunks of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ChunkRows {
    database: Database,
    /// Bytes that one space may store.
    quota: u64,
}

impl ChunkRows {
    pub(crate) fn new(database: Database, quota: u64) -> Self {
        Self { database, quota }
    }

    /// Where a chunk lies, if it is here; that it was used is noted.
    pub(crate) async fn find(&self, chunk: Chunk, now: u64) -> Result<Option<Stored>, ReadError> {
        let found = self
            .database
            .read(move |connection| find_in(connection, chunk))
            .await?;
        let Some((stored, used)) = found else {
            return Ok(None);
        };
        if chunk.source.is_some() && used.saturating_add(NOTED) < now {
            let note = move |connection: &Connection| note_in(connection, chunk, now);
            // A use that is not noted makes the copy go earlier, no more.
            let _ = self.database.queue(0, note, |_| {});
        }
        Ok(Some(stored))
    }

    /// Notes and counts an object that is about to be written, so that neither a crash nor whoever
    /// breaks off leaves it behind uncounted; says whether the chunk may be written at all.
    pub(crate) async fn begin(
        &self,
        space: SpaceId,
        chunk: Chunk,
        stored: Stored,
        now: u64,
    ) -> Result<Begun, WriteError> {
        let quota = self.quota;
        self.database
            .transact(move |connection| {
                if let Some(known) = owner(connection, space, chunk)? {
                    return Ok(Begun::Not(known));
                }
                if has_room(connection, space, stored.size, quota)? {
                    connection.execute(
                        "INSERT INTO stale_object VALUES (?1, ?2, ?3, ?4)",
                        params![
                            stored.object.as_str(),
                            space.0,
                            integer(stored.size),
                            integer(now.saturating_add(ABANDONED))
                        ],
                    )?;
                    return Ok(Begun::Place);
                }
                make_room(connection, space)
            })
            .await
    }

    /// Enters a chunk whose object is durable.
    pub(crate) async fn enter(
        &self,
        space: SpaceId,
        chunk: Chunk,
        stored: Stored,
        now: u64,
    ) -> Result<Entered, WriteError> {
        self.database
            .transact(move |connection| match owner(connection, space, chunk)? {
                Some(known) => Ok(known),
                None => enter_in(connection, space, chunk, &stored, now),
            })
            .await
    }

    /// A chunk will not be written after all: its place is free.
    pub(crate) fn release(&self, object: ObjectName) {
        let release = move |connection: &Connection| {
            connection
                .prepare_cached("DELETE FROM stale_object WHERE name = ?1")?
                .execute([object.as_str()])
                .map(drop)
        };
        // A place that is not freed now is swept later.
        let _ = self.database.queue(0, release, |_| {});
    }

    /// Forgets a chunk whose object is gone.
    pub(crate) async fn forget(&self, chunk: Chunk) -> Result<(), WriteError> {
        self.database
            .transact(move |connection| {
                connection
                    .execute(
                        "DELETE FROM attachment WHERE id = ?1 AND part = ?2 AND source = ?3",
                        params![chunk.id.0, chunk.index, chunk.source()],
                    )
                    .map(drop)
            })
            .await
    }

    /// Forgets copies that nobody uses; the objects that are to be removed.
    pub(crate) async fn sweep(&self, now: u64) -> Result<Vec<ObjectName>, WriteError> {
        self.database
            .transact(move |connection| {
                connection.execute(
                    "DELETE FROM attachment WHERE source <> x'' AND used <= ?1",
                    [integer(now.saturating_sub(UNUSED))],
                )?;
                connection
                    .prepare_cached("SELECT name FROM stale_object WHERE due <= ?1 LIMIT ?2")?
                    .query_map([integer(now), REMOVALS], name_of)?
                    .filter_map(Result::transpose)
                    .collect()
            })
            .await
    }

    /// An object is removed.
    pub(crate) async fn removed(&self, object: ObjectName) -> Result<(), WriteError> {
        self.database
            .transact(move |connection| {
                connection
                    .execute(
                        "DELETE FROM stale_object WHERE name = ?1",
                        [object.as_str()],
                    )
                    .map(drop)
            })
            .await
    }
}

impl Chunk {
    /// As the table has it.
    fn source(&self) -> &[u8] {
        self.source.as_ref().map_or(&[], |node| &node.0)
    }
}

fn find_in(connection: &Connection, chunk: Chunk) -> rusqlite::Result<Option<(Stored, u64)>> {
    let found = connection
        .prepare_cached(
            "SELECT a.object, a.size, a.used FROM attachment a JOIN space s ON s.id = a.space
             WHERE a.id = ?1 AND a.part = ?2 AND a.source = ?3 AND s.state <> 'suspended'",
        )?
        .query_row(params![chunk.id.0, chunk.index, chunk.source()], |row| {
            Ok((row.get::<_, String>(0)?, number(row, 1)?, number(row, 2)?))
        })
        .optional()?;
    Ok(found.and_then(|(object, size, used)| {
        let object = ObjectName::parse(&object).ok()?;
        Some((Stored { object, size }, used))
    }))
}

fn note_in(connection: &Connection, chunk: Chunk, now: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE attachment SET used = ?4 WHERE id = ?1 AND part = ?2 AND source = ?3",
        )?
        .execute(params![
            chunk.id.0,
            chunk.index,
            chunk.source(),
            integer(now)
        ])
        .map(drop)
}

/// What becomes of a chunk that is here already, or of a space that is none.
fn owner(
    connection: &Connection,
    space: SpaceId,
    chunk: Chunk,
) -> rusqlite::Result<Option<Entered>> {
    let owner: Option<[u8; 16]> = connection
        .prepare_cached("SELECT space FROM attachment WHERE id = ?1 AND part = ?2 AND source = ?3")?
        .query_row(params![chunk.id.0, chunk.index, chunk.source()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(match owner {
        Some(owner) if owner == space.0 || chunk.source.is_some() => Some(Entered::Known),
        Some(_) => Some(Entered::Foreign),
        None => {
            let is_there = connection
                .prepare_cached("SELECT 1 FROM space_use WHERE space = ?1")?
                .exists([space.0])?;
            (!is_there).then_some(Entered::Foreign)
        }
    })
}

fn has_room(
    connection: &Connection,
    space: SpaceId,
    size: u64,
    quota: u64,
) -> rusqlite::Result<bool> {
    let used = connection
        .prepare_cached("SELECT attachment_bytes FROM space_use WHERE space = ?1")?
        .query_row([space.0], |row| number(row, 0))?;
    Ok(used.saturating_add(size) <= quota)
}

/// Copies make room for one another and for an owner's own chunks, which do not go.
fn make_room(connection: &Connection, space: SpaceId) -> rusqlite::Result<Begun> {
    connection
        .prepare_cached(
            "DELETE FROM attachment WHERE (id, part, source) IN (
                 SELECT id, part, source FROM attachment
                 WHERE space = ?1 AND source <> x'' ORDER BY used LIMIT ?2)",
        )?
        .execute(params![space.0, ROOM])?;
    let objects: Vec<ObjectName> = connection
        .prepare_cached("SELECT name FROM stale_object WHERE space = ?1 AND due = 0 LIMIT ?2")?
        .query_map(params![space.0, ROOM], name_of)?
        .filter_map(Result::transpose)
        .collect::<rusqlite::Result<_>>()?;
    Ok(if objects.is_empty() {
        Begun::Not(Entered::Full)
    } else {
        Begun::After(objects)
    })
}

fn name_of(row: &Row<'_>) -> rusqlite::Result<Option<ObjectName>> {
    Ok(ObjectName::parse(&row.get::<_, String>(0)?).ok())
}

fn enter_in(
    connection: &Connection,
    space: SpaceId,
    chunk: Chunk,
    stored: &Stored,
    now: u64,
) -> rusqlite::Result<Entered> {
    let was_counted = connection
        .prepare_cached("DELETE FROM stale_object WHERE name = ?1 AND due > 0")?
        .execute([stored.object.as_str()])?;
    if was_counted == 0 {
        // Its place was swept meanwhile, and the object with it.
        return Ok(Entered::Full);
    }
    connection
        .prepare_cached("INSERT INTO attachment VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            chunk.id.0,
            chunk.index,
            chunk.source(),
            space.0,
            stored.object.as_str(),
            integer(stored.size),
            integer(now)
        ])?;
    Ok(Entered::New)
}

#[cfg(test)]
mod tests;
