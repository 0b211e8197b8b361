//! Removing what nobody will finish: abandoned enrollments and objects of removed spaces.

use rusqlite::Connection;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::time::SECOND;

use super::{Directory, remove_in};
use crate::database::column::integer;
use crate::database::{ReadError, WriteError};
use crate::enclave_link::folder_of;
use crate::object_store::ObjectStore;

impl Directory {
    /// Removes enrollments that were not finished in time; returns their spaces.
    pub async fn sweep_pending(&self, now: u64) -> Result<Vec<SpaceId>, WriteError> {
        self.database
            .transact(move |connection| sweep_in(connection, now))
            .await
    }

    /// Removes objects of spaces that are gone, as far as the store answers.
    pub async fn sweep_objects(&self, objects: &dyn ObjectStore) -> Result<(), ReadError> {
        let due: Vec<SpaceId> = self
            .database
            .read(|connection| {
                connection
                    .prepare("SELECT space FROM object_removal LIMIT 100")?
                    .query_map([], |row| Ok(SpaceId(row.get(0)?)))?
                    .collect()
            })
            .await?;
        for space in due {
            if !remove_objects(objects, space).await {
                return Ok(());
            }
            let done = self.database.transact(move |connection| {
                connection.execute("DELETE FROM object_removal WHERE space = ?1", [space.0])
            });
            if done.await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Removes all objects of `space`; false if some may be left.
async fn remove_objects(objects: &dyn ObjectStore, space: SpaceId) -> bool {
    let Some(folder) = folder_of(space) else {
        return true;
    };
    loop {
        let Ok(names) = objects.list(folder.clone()).await else {
            return false;
        };
        if names.is_empty() {
            return true;
        }
        for name in names {
            if objects.delete(name).await.is_err() {
                return false;
            }
        }
    }
}

fn sweep_in(connection: &Connection, now: u64) -> rusqlite::Result<Vec<SpaceId>> {
    // A crash may have come between the first record and the note of it.
    connection.execute(
        "UPDATE space SET state = 'active' WHERE state = 'pending'
         AND EXISTS (SELECT 1 FROM record r WHERE r.space = space.id)",
        [],
    )?;
    let before = now.saturating_sub(limits::ENROLLMENT / SECOND);
    let abandoned: Vec<SpaceId> = connection
        .prepare("SELECT id FROM space WHERE state = 'pending' AND created <= ?1")?
        .query_map([integer(before)], |row| Ok(SpaceId(row.get(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for space in &abandoned {
        remove_in(connection, *space, now)?;
    }
    Ok(abandoned)
}
