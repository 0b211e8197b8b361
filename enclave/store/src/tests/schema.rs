//! Rules that every table obeys, and vaults of an older schema.

use crate::fixture::{self, GROWN, SPACE, Vault};
use crate::{Database, Room, StoreError, Tail, TailError};
use vettid_wire::{Secret, limits};

fn names(database: &Database, sql: &str) -> Vec<String> {
    let mut statement = database.connection.prepare(sql).expect("prepares");
    let rows = statement.query_map([], |row| row.get(0)).expect("reads");
    rows.map(|name| name.expect("text")).collect()
}

#[test]
fn every_table_is_strict_and_has_a_primary_key_that_is_never_null() {
    let database = Database::template().expect("template");

    let loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict
                 AND name NOT LIKE 'sqlite_%'";
    let keyless = "SELECT name FROM pragma_table_list AS t WHERE schema = 'main'
                   AND name NOT LIKE 'sqlite_%' AND NOT EXISTS
                   (SELECT 1 FROM pragma_table_info(t.name) WHERE pk > 0)";
    let nullable = "SELECT t.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
                    WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'
                    AND c.pk > 0 AND NOT c.\"notnull\"";
    for sql in [loose, keyless, nullable] {
        assert_eq!(names(&database, sql), [""; 0], "{sql}");
    }
    assert_eq!(
        names(
            &database,
            "SELECT name FROM pragma_table_list WHERE schema = 'main'"
        )
        .len(),
        33
    );
}

#[test]
fn schema_has_nothing_that_replay_would_repeat_or_changesets_lack() {
    let database = Database::template().expect("template");

    let active = "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')
                  OR sql LIKE '%REFERENCES%' OR sql LIKE '%AUTOINCREMENT%' OR sql LIKE '%VIRTUAL%'
                  OR sql LIKE '%UNIQUE%' OR sql LIKE '%random%' OR sql LIKE '%DEFAULT%'";
    assert_eq!(names(&database, active), [""; 0]);
}

#[test]
fn settings_hold_before_and_after_a_restore() {
    let mut vault = Vault::enrolled();
    vault.checkpoint();
    let restored = vault.restore().expect("restores").database;

    for database in [&vault.database, &restored] {
        let setting = |name: &str| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            names(database, &sql).concat()
        };
        assert_eq!(setting("journal_mode"), "memory");
        assert_eq!(setting("temp_store"), "2");
        assert_eq!(setting("secure_delete"), "1");
        assert_eq!(setting("trusted_schema"), "0");
        assert_eq!(setting("foreign_keys"), "0");
        assert_eq!(setting("page_size"), "1024");
        assert_eq!(setting("max_page_count"), "524288");
    }
}

/// Bytes of a database that are for whatever is stored.
const ORDINARY: u64 = (limits::DATABASE - limits::DATABASE_RESERVE) as u64;

/// Leaves about so many bytes of the ordinary room.
fn fill(vault: &Vault, left: u64) {
    let free = ORDINARY - vault.database.bytes().expect("bytes");
    let filling = format!(
        "CREATE TABLE filling (number INTEGER PRIMARY KEY, bytes BLOB) STRICT;
         INSERT INTO filling (bytes) VALUES (zeroblob({}))",
        // Pages of a large value carry four bytes of their own.
        (free - left) / 1024 * 1020
    );
    let filled = vault.database.connection.execute_batch(&filling);
    filled.expect("filled");
}

fn put(vault: &mut Vault, room: Room, item: u8) -> Option<StoreError> {
    let large = Secret::new(vec![1; 200_000]);
    let written = vault.database.transaction_in(room, |change| {
        change.write_item(&fixture::next(item, 1, "large", &[], &large))
    });
    written.err()
}

#[test]
fn full_database_keeps_what_it_had_and_its_reserve() {
    let mut vault = Vault::enrolled();
    fill(&vault, 700_000);

    let outcomes: Vec<_> = (0..5)
        .map(|item| put(&mut vault, Room::Ordinary, item))
        .collect();

    let full = Some(StoreError::Full);
    assert_eq!(outcomes, [None, None, None, full, full]);
    assert!(vault.database.bytes().expect("bytes") <= ORDINARY);
    let item = |number| vault.database.view().item(&fixture::item_id(number));
    assert!(item(2).expect("reads").is_some());
    assert_eq!(item(3), Ok(None));

    assert_eq!(put(&mut vault, Room::Reserve, 3), None);
    assert!(vault.database.bytes().expect("bytes") > ORDINARY);
    assert_eq!(put(&mut vault, Room::Ordinary, 4), full);
}

/// SQLite would end the whole transaction where it meets its own bound, and what a body then writes would be
/// in the database and in no record.
#[test]
fn part_for_which_there_is_no_room_undoes_everything_though_the_body_goes_on() {
    let mut vault = Vault::enrolled();
    fill(&vault, 700_000);
    for item in 0..3 {
        assert_eq!(put(&mut vault, Room::Ordinary, item), None);
    }
    let bytes = vault.database.bytes().expect("bytes");

    let large = Secret::new(vec![1; 400_000]);
    let outcome: Result<_, StoreError> = vault.database.transaction(|change| {
        for item in 3..5 {
            let written = fixture::next(item, 1, "large", &[], &large);
            // Whoever takes this for the failure of a part goes on.
            let _ = change.attempt(|| change.write_item(&written));
        }
        change.erase_item(&fixture::item_id(0))
    });

    assert_eq!(outcome.map(|_| ()), Err(StoreError::Full));
    let view = vault.database.view();
    assert!(view.item(&fixture::item_id(0)).expect("reads").is_some());
    assert_eq!(view.item(&fixture::item_id(3)), Ok(None));
    assert_eq!(vault.database.bytes(), Ok(bytes));
}

#[test]
fn change_that_makes_room_finds_the_reserve_and_others_find_the_room() {
    let mut vault = Vault::enrolled();
    fill(&vault, 700_000);
    for item in 0..3 {
        assert_eq!(put(&mut vault, Room::Ordinary, item), None);
    }

    for item in 0..2 {
        let erased: Result<_, StoreError> = vault.database.transaction(|change| {
            change.use_reserve();
            change.erase_item(&fixture::item_id(item))
        });
        assert!(erased.expect("erased").value);
    }

    assert_eq!(put(&mut vault, Room::Ordinary, 3), None);
}

/// A vault of the first version of a schema that has grown since, with notes before and behind its
/// checkpoint.
fn old_vault(checkpoint: bool) -> Vault {
    let database = Database::empty(GROWN, 1).expect("empty");
    let tail = Tail::genesis(SPACE).with_newest_schema(1);
    let mut vault = Vault::begun(database, tail, |change| {
        let insert = "INSERT INTO note VALUES (1, 'first')";
        Ok(change.connection.execute_batch(insert)?)
    });
    if checkpoint {
        vault.checkpoint();
    }
    vault.commit(|change| {
        let more = "INSERT INTO note VALUES (2, 'second'); UPDATE note SET text = 'x' WHERE id = 1";
        Ok(change.connection.execute_batch(more)?)
    });
    vault
}

fn newest() -> Database {
    Database::empty(GROWN, 2).expect("empty")
}

#[test]
fn older_vault_is_migrated_after_its_whole_log() {
    for checkpoint in [false, true] {
        let restored = old_vault(checkpoint)
            .restore_into(newest())
            .expect("restores");

        assert!(restored.migrated);
        assert_eq!(
            fixture::dump(&restored.database),
            [
                "note [Integer(1), Text(\"x\"), Integer(7)]",
                "note [Integer(2), Text(\"second\"), Integer(7)]"
            ]
        );
    }
}

#[test]
fn migrated_vault_takes_headers_and_a_checkpoint_but_no_changes() {
    let mut vault = old_vault(true);
    let (chain, _) = vault.read().expect("links");
    vault.database = vault.restore_into(newest()).expect("restores").database;
    vault.tail = Tail::behind(&chain).with_newest_schema(2);
    let insert = "INSERT INTO note VALUES (3, 'third', 9)";
    let write = |database: &mut Database| {
        let written = database.transaction(|change| {
            change
                .connection
                .execute_batch(insert)
                .map_err(StoreError::from)
        });
        written.expect("commits").changeset.expect("changeset")
    };
    assert!(vault.tail.checkpoint_due(u64::MAX));
    let changeset = write(&mut vault.database);
    let refused = vault
        .tail
        .changeset(&changeset, &fixture::vault_key(), &mut vault.entropy);
    assert_eq!(refused.err(), Some(TailError::CheckpointDue));
    let keys = (&fixture::header_key(), &fixture::vault_key());
    let joint = vault
        .tail
        .joint(&fixture::header(), &changeset, keys, &mut vault.entropy);
    assert_eq!(joint.err(), Some(TailError::CheckpointDue));
    vault.charge();

    let log = vault.log.clone();
    vault.checkpoint();
    vault.log.splice(0..0, log);
    vault.commit(|change| {
        Ok(change
            .connection
            .execute_batch("DELETE FROM note WHERE id = 1")?)
    });

    let (chain, _) = vault.read().expect("links");
    assert_eq!(chain.end().1, 2);
    assert!(
        !Tail::behind(&chain)
            .with_newest_schema(2)
            .checkpoint_due(u64::MAX)
    );
}

#[test]
fn replay_crosses_a_checkpoint_that_raised_the_schema() {
    let mut vault = old_vault(true);
    let (chain, _) = vault.read().expect("links");
    vault.database = vault.restore_into(newest()).expect("restores").database;
    vault.tail = Tail::behind(&chain).with_newest_schema(2);
    let (log, chunks) = (vault.log.clone(), vault.chunks.clone());
    vault.checkpoint();
    vault.log.splice(0..0, log);
    vault.chunks.extend(chunks);
    let insert = "INSERT INTO note VALUES (3, 'third', 9)";
    vault.commit(|change| Ok(change.connection.execute_batch(insert)?));

    let restored = vault.restore_into(newest()).expect("restores");

    assert!(!restored.migrated);
    assert_eq!(
        fixture::dump(&restored.database),
        fixture::dump(&vault.database)
    );
}

#[test]
fn changes_to_a_table_that_the_schema_lacks_are_not_dropped_silently() {
    let mut other = Database::empty(GROWN, 1).expect("empty");
    let changed = other.transaction(|change| {
        change
            .connection
            .execute_batch("INSERT INTO note VALUES (1, 'x')")
            .map_err(StoreError::from)
    });
    let changeset = changed.expect("commits").changeset.expect("changeset");
    let database = Database::template().expect("template");
    let mut tables = crate::apply::Tables::of(&database.connection).expect("tables");

    let applied = tables.apply(&database.connection, &changeset);

    assert_eq!(applied, Err(crate::ReplayError::Foreign));
}

#[test]
fn changes_of_a_table_with_other_columns_are_not_dropped_silently() {
    let mut newer = newest();
    let changed = newer.transaction(|change| {
        let insert = "INSERT INTO note VALUES (1, 'x', 2)";
        change
            .connection
            .execute_batch(insert)
            .map_err(StoreError::from)
    });
    let changeset = changed.expect("commits").changeset.expect("changeset");
    let older = Database::empty(GROWN, 1).expect("empty");
    let mut tables = crate::apply::Tables::of(&older.connection).expect("tables");

    let applied = tables.apply(&older.connection, &changeset);

    assert_eq!(applied, Err(crate::ReplayError::Foreign));
}
