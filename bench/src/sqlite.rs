//! The reference of durable writes: one SQLite writer, WAL, `synchronous=FULL`, an insert a commit.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::Connection;

/// Commits a second of 1 KB inserts into a new database in `folder`, over `span`.
pub(crate) fn commits_per_second(folder: &Path, span: Duration) -> Result<f64> {
    let database = Connection::open(folder.join("reference.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, value BLOB NOT NULL);",
    )?;
    let mut insert = database.prepare("INSERT INTO entry (value) VALUES (?1)")?;
    let value = [7_u8; 1024];
    let start = Instant::now();
    let mut commits = 0_u32;
    while start.elapsed() < span {
        insert.execute([value.as_slice()])?;
        commits = commits.saturating_add(1);
    }
    Ok(f64::from(commits) / start.elapsed().as_secs_f64())
}
