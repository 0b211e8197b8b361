//! Full-text search over items, built when the owner first searches.
//!
//! The index is an FTS5 table in a second, attached database in memory. So its tables are in no
//! changeset and no snapshot, a rolled-back transaction rolls the index back too, and it is gone
//! when the vault is locked. It keeps no copy of the text. What is indexed is the vault's choice;
//! secret and critical values never are.
//!
//! Words are found by their beginning, without regard to case or diacritics. A text without spaces
//! between words (Chinese, Japanese) is one word here and found by its beginning only.

use rusqlite::{OptionalExtension, params};
use vettid_wire::id::ItemId;
use vettid_wire::limits;

use crate::{Change, Database, StoreError, View};

/// Words of one search that count; the rest is ignored.
const WORDS: usize = 16;

/// What an item is found by.
#[derive(Clone, Copy, Debug)]
pub struct Searchable<'a> {
    /// Name; a hit here comes first.
    pub name: &'a str,
    /// Tags, labels and the values that may be searched.
    pub text: &'a str,
}

/// Fills a fresh index from the database that it reads.
#[derive(Debug)]
pub struct Indexer<'db>(View<'db>);

impl Indexer<'_> {
    /// The database.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.0
    }

    /// Adds an item.
    pub fn add(&self, id: &ItemId, item: &Searchable<'_>) -> Result<(), StoreError> {
        insert(&self.0, id, item)
    }
}

impl Database {
    /// Whether there is an index.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// Makes the index, if there is none. `fill` adds what there is; [`Change::index_item`] keeps
    /// it current from then on.
    pub fn build_index<E: From<StoreError>>(
        &mut self,
        fill: impl FnOnce(&Indexer<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.indexed {
            return Ok(());
        }
        let filled = self.fill(fill);
        if filled.is_err() {
            self.drop_index()?;
        }
        filled
    }

    /// Discards the index and its memory.
    pub fn drop_index(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.indexed) {
            self.connection.flush_prepared_statement_cache();
            self.connection.execute_batch("DETACH DATABASE search")?;
        }
        Ok(())
    }

    fn fill<E: From<StoreError>>(
        &mut self,
        fill: impl FnOnce(&Indexer<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let attach = "ATTACH DATABASE ':memory:' AS search";
        self.connection
            .execute_batch(attach)
            .map_err(StoreError::from)?;
        self.indexed = true;
        self.connection
            .execute_batch(
                "PRAGMA search.page_size = 1024;
                 CREATE TABLE search.entries (
                   number INTEGER NOT NULL PRIMARY KEY, item BLOB NOT NULL UNIQUE) STRICT;
                 CREATE VIRTUAL TABLE search.words USING fts5 (name, text, content = '',
                   contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2')",
            )
            .map_err(StoreError::from)?;
        let transaction = self
            .connection
            .unchecked_transaction()
            .map_err(StoreError::from)?;
        fill(&Indexer(self.view()))?;
        Ok(transaction.commit().map_err(StoreError::from)?)
    }
}

impl View<'_> {
    /// Items that hold every word of `text`, best first; none without an index.
    ///
    /// `text` is words and nothing else: no part of it is ever read as query syntax.
    pub fn search(&self, text: &str, limit: Option<u32>) -> Result<Vec<ItemId>, StoreError> {
        let words = words(text);
        if !self.indexed || words.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT item FROM search.words JOIN search.entries ON number = words.rowid
             WHERE words MATCH ?1 ORDER BY bm25(words, 10.0, 1.0), item LIMIT ?2",
        )?;
        let (shown, _) = crate::rows::column::page(limit);
        let limit = i64::try_from(shown).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![words, limit], |row| row.get(0).map(ItemId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Indexes an item anew, if there is an index.
    pub fn index_item(&self, id: &ItemId, item: &Searchable<'_>) -> Result<(), StoreError> {
        self.unindex_item(id)?;
        if self.indexed {
            insert(self, id, item)
        } else {
            Ok(())
        }
    }

    /// Takes an item out of the index, if there is one.
    pub fn unindex_item(&self, id: &ItemId) -> Result<(), StoreError> {
        if !self.indexed {
            return Ok(());
        }
        let number: Option<i64> = self
            .connection
            .prepare_cached("DELETE FROM search.entries WHERE item = ?1 RETURNING number")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        if let Some(number) = number {
            self.connection
                .prepare_cached("DELETE FROM search.words WHERE rowid = ?1")?
                .execute([number])?;
        }
        Ok(())
    }
}

fn insert(view: &View<'_>, id: &ItemId, item: &Searchable<'_>) -> Result<(), StoreError> {
    let number: i64 = view
        .connection
        .prepare_cached(
            "INSERT INTO search.entries (number, item)
             SELECT 1 + coalesce(max(number), 0), ?1 FROM search.entries RETURNING number",
        )?
        .query_row([id.0], |row| row.get(0))?;
    view.connection
        .prepare_cached("INSERT INTO search.words (rowid, name, text) VALUES (?1, ?2, ?3)")?
        .execute(params![number, item.name, item.text])?;
    Ok(())
}

/// A query that means: every word of `text`, each from its beginning.
///
/// Only letters and digits reach FTS5, inside quotes.
pub(crate) fn words(text: &str) -> String {
    let end = text.floor_char_boundary(limits::SEARCH);
    let text = text.get(..end).unwrap_or_default();
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let quoted: Vec<_> = words
        .take(WORDS)
        .map(|word| format!("\"{word}\"*"))
        .collect();
    quoted.join(" ")
}
