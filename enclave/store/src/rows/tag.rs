//! Tags. Names are unique; items refer to them by number, so that a rename changes one row.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::id::ItemId;
use vettid_wire::operation::tag::{Counted, Tag};

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// Every tag by name, with the items that carry it and are not in the trash.
    pub fn tags(&self) -> Result<Vec<Counted>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT tags.name, color, description, count(live.id) FROM tags
             LEFT JOIN item_tags ON tag = number
             LEFT JOIN items AS live ON live.id = item AND live.removed IS NULL
             GROUP BY number ORDER BY tags.name",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Counted {
                tag: read(row)?,
                items: column::unsigned32(row, 3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One tag.
    pub fn tag(&self, name: &str) -> Result<Option<Tag>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT name, color, description FROM tags WHERE name = ?1")?
            .query_row([name], read)
            .optional()?)
    }

    /// How many tags there are.
    pub fn count_tags(&self) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM tags")?
            .query_row([], |row| column::unsigned32(row, 0))?)
    }

    /// Items that carry a tag, the trash included.
    pub fn tagged_items(&self, name: &str) -> Result<Vec<ItemId>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT item FROM item_tags JOIN tags ON number = tag WHERE name = ?1 ORDER BY item",
        )?;
        let rows = statement.query_map([name], |row| row.get(0).map(ItemId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Tags of an item by name.
    pub fn item_tags(&self, item: &ItemId) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name FROM item_tags JOIN tags ON number = tag WHERE item = ?1 ORDER BY name",
        )?;
        let rows = statement.query_map([item.0], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn tag_number(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT number FROM tags WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?)
    }
}

impl Change<'_> {
    /// Creates a tag, or replaces its color and description.
    pub fn put_tag(&self, tag: &Tag) -> Result<(), StoreError> {
        let number = self.number_tag(&tag.name)?;
        self.connection
            .prepare_cached("UPDATE tags SET color = ?2, description = ?3 WHERE number = ?1")?
            .execute(params![number, tag.color, tag.description])?;
        Ok(())
    }

    /// Gives a tag another name. False if it is not there or the other name is taken.
    pub fn rename_tag(&self, name: &str, replacement: &str) -> Result<bool, StoreError> {
        if self.tag_number(replacement)?.is_some() {
            return Ok(false);
        }
        let renamed = self
            .connection
            .prepare_cached("UPDATE tags SET name = ?2 WHERE name = ?1")?
            .execute([name, replacement])?;
        Ok(renamed > 0)
    }

    /// Moves every item of one tag to another and removes the first. False if either is not there,
    /// or both are the same.
    pub fn merge_tag(&self, name: &str, into: &str) -> Result<bool, StoreError> {
        let (Some(from), Some(to)) = (self.tag_number(name)?, self.tag_number(into)?) else {
            return Ok(false);
        };
        if from == to {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO item_tags (item, tag)
                 SELECT item, ?2 FROM item_tags WHERE tag = ?1",
            )?
            .execute([from, to])?;
        self.remove_tag(name)
    }

    /// Removes a tag from every item. False if it is not there.
    pub fn remove_tag(&self, name: &str) -> Result<bool, StoreError> {
        let Some(number) = self.tag_number(name)? else {
            return Ok(false);
        };
        self.connection
            .prepare_cached("DELETE FROM item_tags WHERE tag = ?1")?
            .execute([number])?;
        self.connection
            .prepare_cached("DELETE FROM tags WHERE number = ?1")?
            .execute([number])?;
        Ok(true)
    }

    /// Sets the tags of an item to exactly `names`; creates those that are not there yet.
    pub(crate) fn set_item_tags(&self, item: &ItemId, names: &[String]) -> Result<(), StoreError> {
        for gone in self
            .item_tags(item)?
            .iter()
            .filter(|name| !names.contains(name))
        {
            let number = self.number_tag(gone)?;
            self.connection
                .prepare_cached("DELETE FROM item_tags WHERE item = ?1 AND tag = ?2")?
                .execute(params![item.0, number])?;
        }
        for name in names {
            let number = self.number_tag(name)?;
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO item_tags (item, tag) VALUES (?1, ?2)")?
                .execute(params![item.0, number])?;
        }
        Ok(())
    }

    /// Number of a tag; creates the tag at first.
    fn number_tag(&self, name: &str) -> Result<i64, StoreError> {
        if let Some(number) = self.tag_number(name)? {
            return Ok(number);
        }
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO tags (number, name)
                 SELECT 1 + coalesce(max(number), 0), ?1 FROM tags RETURNING number",
            )?
            .query_row([name], |row| row.get(0))?)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Tag> {
    Ok(Tag {
        name: row.get(0)?,
        color: row.get(1)?,
        description: row.get(2)?,
    })
}
