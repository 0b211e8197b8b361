//! Items and their versions.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::id::{DeviceId, ItemId};
use vettid_wire::operation::item::{Category, List, Sensitivity, Summaries, Summary, Version};
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, limits};

use super::column;
use crate::{Change, StoreError, View};

/// One version of an item's content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Content {
    /// Its number.
    pub version: u64,
    /// Name that it had.
    pub name: String,
    /// When it was written.
    pub written: UnixMillis,
    /// Everything else that was written, as the vault encodes it. Critical values are sealed in it.
    pub body: Secret,
}

/// What is written as the next version of an item.
#[derive(Clone, Copy, Debug)]
pub struct NextVersion<'a> {
    /// Which item.
    pub id: ItemId,
    /// Number of this version: one more than the current one, 1 for a new item.
    pub version: u64,
    /// Name.
    pub name: &'a str,
    /// Category.
    pub category: Category,
    /// Sensitivity.
    pub sensitivity: Sensitivity,
    /// Whether the owner marked it.
    pub favorite: bool,
    /// Tags; unknown ones are created. Tags belong to the item, not to a version.
    pub tags: &'a [String],
    /// Everything else, as the vault encodes it.
    pub body: &'a Secret,
    /// When.
    pub at: UnixMillis,
    /// Device that writes.
    pub device: &'a DeviceId,
}

/// How many items there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Count {
    /// Not in the trash.
    pub live: u32,
    /// In the trash.
    pub removed: u32,
}

/// Reads one item with these further columns of its current version. Whether there are tags is read
/// along, since most items have none and another statement costs as much as this one.
macro_rules! select {
    ($columns:literal) => {
        concat!(
            "SELECT id, items.version, items.name, category, sensitivity, favorite, written,
             removed, created, EXISTS (SELECT 1 FROM item_tags WHERE item_tags.item = id)",
            $columns,
            " FROM items JOIN item_versions AS current
               ON current.item = id AND current.version = items.version
             WHERE id = ?1"
        )
    };
}

impl View<'_> {
    /// One item without its content, and when it was first put.
    pub fn item(&self, id: &ItemId) -> Result<Option<(Summary, UnixMillis)>, StoreError> {
        let found = self.select(select!(""), id, |_| Ok(()))?;
        Ok(found.map(|(summary, created, ())| (summary, created)))
    }

    /// One item with its current content, and when it was first put.
    pub fn current(
        &self,
        id: &ItemId,
    ) -> Result<Option<(Summary, UnixMillis, Content)>, StoreError> {
        self.select(select!(", current.name, body"), id, |row| {
            Ok(Content {
                version: column::unsigned(row, 1)?,
                name: row.get(10)?,
                written: column::read_time(row, 6)?,
                body: column::read_secret(row, 11)?,
            })
        })
    }

    /// Content of one version of an item.
    pub fn content(&self, id: &ItemId, version: u64) -> Result<Option<Content>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT version, name, written, body FROM item_versions
                 WHERE item = ?1 AND version = ?2",
            )?
            .query_row(params![id.0, column::integer(version)], |row| {
                Ok(Content {
                    version: column::unsigned(row, 0)?,
                    name: row.get(1)?,
                    written: column::read_time(row, 2)?,
                    body: column::read_secret(row, 3)?,
                })
            })
            .optional()?)
    }

    /// A page of summaries, by name without regard to the case of ASCII letters.
    pub fn items(&self, list: &List) -> Result<Summaries, StoreError> {
        let (shown, fetched) = column::page(list.limit);
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM items
             WHERE (removed IS NOT NULL) = ?1
               AND (?2 IS NULL OR category = ?2)
               AND (?3 IS NULL OR favorite IS NOT NULL)
               AND (?4 IS NULL OR EXISTS (SELECT 1 FROM item_tags JOIN tags ON number = tag
                                          WHERE item = id AND tags.name = ?4))
               AND (?5 IS NULL OR (name COLLATE NOCASE, id) > (?5, ?6))
             ORDER BY name COLLATE NOCASE, id LIMIT ?7",
        )?;
        let rows = statement.query_map(
            params![
                list.removed,
                list.category.as_ref().map(column::number_of),
                column::flag(list.favorite),
                list.tag,
                list.after.as_ref().map(|after| &after.name),
                list.after.as_ref().map(|after| after.id.0),
                fetched,
            ],
            |row| row.get(0).map(ItemId),
        )?;
        let mut ids: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = ids.len() > shown;
        ids.truncate(shown);
        Ok(Summaries {
            items: self.summaries(&ids)?,
            more,
        })
    }

    /// Summaries of the given items in their order; those that are not there are left out.
    pub fn summaries(&self, ids: &[ItemId]) -> Result<Vec<Summary>, StoreError> {
        let mut summaries = Vec::with_capacity(ids.len());
        for id in ids {
            summaries.extend(self.item(id)?.map(|(summary, _)| summary));
        }
        Ok(summaries)
    }

    /// Ids of every item that is not in the trash.
    pub fn item_ids(&self) -> Result<Vec<ItemId>, StoreError> {
        let sql = "SELECT id FROM items WHERE removed IS NULL ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get(0).map(ItemId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Versions of an item that are kept, newest first; the first one is current.
    pub fn versions(&self, id: &ItemId) -> Result<Vec<Version>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, name, written, (SELECT id FROM devices WHERE number = device)
             FROM item_versions WHERE item = ?1 ORDER BY version DESC",
        )?;
        let rows = statement.query_map([id.0], |row| {
            Ok(Version {
                version: column::unsigned(row, 0)?,
                name: row.get(1)?,
                written: column::read_time(row, 2)?,
                device: DeviceId(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many items there are.
    pub fn count_items(&self) -> Result<Count, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) - count(removed), count(removed) FROM items")?
            .query_row([], |row| {
                Ok(Count {
                    live: column::unsigned32(row, 0)?,
                    removed: column::unsigned32(row, 1)?,
                })
            })?)
    }
}

impl View<'_> {
    fn select<T>(
        &self,
        sql: &str,
        id: &ItemId,
        read_more: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<(Summary, UnixMillis, T)>, StoreError> {
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row([id.0], |row| {
                let tagged: bool = row.get(9)?;
                Ok((
                    read(row)?,
                    column::read_time(row, 8)?,
                    tagged,
                    read_more(row)?,
                ))
            })
            .optional()?;
        let Some((mut summary, created, tagged, more)) = found else {
            return Ok(None);
        };
        if tagged {
            summary.tags = self.item_tags(id)?;
        }
        Ok(Some((summary, created, more)))
    }
}

impl Change<'_> {
    /// Writes the next version of an item, which takes it out of the trash, and forgets versions
    /// beyond [`limits::ITEM_VERSIONS`] earlier ones. Fails if that version is there already.
    pub fn write_item(&self, next: &NextVersion<'_>) -> Result<(), StoreError> {
        let version = column::integer(next.version);
        self.connection
            .prepare_cached(
                "INSERT INTO items (id, version, name, category, sensitivity, favorite, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET version = ?2, name = ?3, category = ?4,
                   sensitivity = ?5, favorite = ?6, removed = NULL",
            )?
            .execute(params![
                next.id.0,
                version,
                next.name,
                column::number_of(&next.category),
                column::number_of(&next.sensitivity),
                column::flag(next.favorite),
                column::time(next.at),
            ])?;
        self.insert_version(next)?;
        let kept = u64::try_from(limits::ITEM_VERSIONS).unwrap_or(u64::MAX);
        self.connection
            .prepare_cached("DELETE FROM item_versions WHERE item = ?1 AND version < ?2")?
            .execute(params![
                next.id.0,
                column::integer(next.version.saturating_sub(kept))
            ])?;
        self.set_item_tags(&next.id, next.tags)
    }

    /// Moves an item into the trash, or out of it. Says whether it was on the other side.
    pub fn trash_item(&self, id: &ItemId, removed: Option<UnixMillis>) -> Result<bool, StoreError> {
        let moved = self
            .connection
            .prepare_cached(
                "UPDATE items SET removed = ?2
                 WHERE id = ?1 AND (removed IS NULL) <> (?2 IS NULL)",
            )?
            .execute(params![id.0, removed.map(column::time)])?;
        Ok(moved > 0)
    }

    /// Replaces the body of one version in place, after the credential's root changed and its
    /// critical values were sealed anew.
    pub fn reseal_content(
        &self,
        id: &ItemId,
        version: u64,
        body: &Secret,
    ) -> Result<(), StoreError> {
        let mut update = self.connection.prepare_cached(
            "UPDATE item_versions SET body = ?3 WHERE item = ?1 AND version = ?2",
        )?;
        body.expose(|body| update.execute(params![id.0, column::integer(version), body]))?;
        Ok(())
    }

    /// Destroys an item with its history. Says whether it was there.
    pub fn erase_item(&self, id: &ItemId) -> Result<bool, StoreError> {
        for sql in [
            "DELETE FROM item_versions WHERE item = ?1",
            "DELETE FROM item_tags WHERE item = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([id.0])?;
        }
        let erased = self
            .connection
            .prepare_cached("DELETE FROM items WHERE id = ?1")?
            .execute([id.0])?;
        Ok(erased > 0)
    }

    fn insert_version(&self, next: &NextVersion<'_>) -> Result<(), StoreError> {
        let device = self.number_device(next.device)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO item_versions (item, version, written, device, name, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (version, at) = (column::integer(next.version), column::time(next.at));
        next.body.expose(|body| {
            insert.execute(params![next.id.0, version, at, device, next.name, body])
        })?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        id: ItemId(row.get(0)?),
        version: column::unsigned(row, 1)?,
        name: row.get(2)?,
        category: column::read_number_of(row, 3)?,
        sensitivity: column::read_number_of(row, 4)?,
        tags: Vec::new(),
        favorite: column::read_flag(row, 5)?,
        updated: column::read_time(row, 6)?,
        removed: column::read_time_option(row, 7)?,
    })
}
