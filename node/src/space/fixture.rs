//! Spaces for tests of what belongs to a space.

use bytes::Bytes;
use rusqlite::params;
use vettid_wire::id::SpaceId;

use crate::database::Database;
use crate::vault_log::{Append, Record, SqliteLog, VaultLog};

/// An active space with an id made of `number`.
pub(crate) async fn space(database: &Database, number: u8) -> SpaceId {
    let space = SpaceId([number; 16]);
    database
        .transact(move |connection| {
            connection.execute(
                "INSERT INTO invitation (id, label, http_hash, vault_hash, created, expires)
                 VALUES (?1, '', ?2, x'00', 0, 0)",
                params![number, [number; 32]],
            )?;
            connection.execute(
                "INSERT INTO space VALUES (?1, 'active', ?2, zeroblob(32), 0)",
                params![space.0, number],
            )
        })
        .await
        .expect("space");
    space
}

/// Appends records until the space has `newest` of them, from `first` on.
pub(crate) async fn append(database: &Database, space: SpaceId, first: u64, newest: u64) {
    let (appender, mut outcomes) = SqliteLog::new(database.clone()).appender();
    for number in first..=newest {
        let record = Record {
            number,
            checkpoint: number == 1,
            bytes: Bytes::from_static(b"record"),
        };
        appender.append(Append { space, record }).expect("room");
    }
    for _ in first..=newest {
        outcomes.next().await.result.expect("appended");
    }
}
