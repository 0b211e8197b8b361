//! Coming back from snapshot and log.

use vettid_crypto::{SecretBytes, VaultKey};
use vettid_wire::{Secret, limits};

use crate::apply::Tables;
use crate::fixture::{self, Vault, next, put, vault_key};
use crate::{
    Database, RecordError, Replay, ReplayError, RestoreError, SnapshotError, StoreError,
    snapshot_due,
};

/// A vault with a snapshot of several chunks and some records behind it.
fn large() -> Vault {
    let mut vault = Vault::enrolled();
    let body = Secret::new(vec![7; 60_000]);
    for number in 0..20 {
        vault.commit(|change| put(change, &next(number, 1, "large", &[], &body)));
    }
    vault.checkpoint();
    vault.charge();
    vault.commit(|change| put(change, &next(99, 1, "behind", &[], &Secret::from("x"))));
    vault
}

fn refusal(vault: &Vault) -> Option<SnapshotError> {
    match vault.restore().err()? {
        RestoreError::Snapshot(error) => Some(error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn restored_vault_has_the_same_rows() {
    let vault = large();
    assert!(vault.chunks.len() >= 3, "{}", vault.chunks.len());

    let restored = vault.restore().expect("restores");

    assert!(!restored.migrated);
    assert_eq!(
        fixture::dump(&restored.database),
        fixture::dump(&vault.database)
    );
}

#[test]
fn restored_vault_goes_on() {
    let mut vault = large();
    vault.restart();
    vault.commit(|change| put(change, &next(99, 2, "again", &[], &Secret::from("y"))));
    vault.restart();
    vault.checkpoint();
    vault.commit(|change| change.erase_item(&fixture::item_id(99)));

    let restored = vault.restore().expect("restores");

    assert_eq!(
        fixture::dump(&restored.database),
        fixture::dump(&vault.database)
    );
    assert_eq!(
        restored
            .database
            .view()
            .count_items()
            .map(|count| count.live),
        Ok(20)
    );
}

#[test]
fn log_from_an_older_checkpoint_leads_to_the_same_rows() {
    let mut vault = large();
    let (log, chunks) = (vault.log.clone(), vault.chunks.clone());
    vault.checkpoint();
    vault.commit(|change| put(change, &next(98, 1, "last", &[], &Secret::from("z"))));
    vault.log.splice(0..0, log);
    vault.chunks.extend(chunks);

    let restored = vault.restore().expect("restores");

    assert_eq!(
        fixture::dump(&restored.database),
        fixture::dump(&vault.database)
    );
}

#[test]
fn chunk_that_is_missing_is_named() {
    let mut vault = large();
    let second = *vault.chunks.keys().nth(1).expect("chunk");
    vault.chunks.remove(&second);

    assert_eq!(refusal(&vault), Some(SnapshotError::ChunkMissing(1)));
}

#[test]
fn altered_truncated_or_swapped_chunks_do_not_open() {
    let vault = large();
    let keys: Vec<_> = vault.chunks.keys().copied().collect();
    let damaged = |damage: &dyn Fn(&mut Vault)| {
        let mut other = large();
        damage(&mut other);
        refusal(&other)
    };

    assert_eq!(
        damaged(&|v| v.chunks.get_mut(&keys[1]).expect("chunk")[1000] ^= 1),
        Some(SnapshotError::ChunkNotOpened(1))
    );
    assert_eq!(
        damaged(&|v| v.chunks.get_mut(&keys[2]).expect("chunk").truncate(20)),
        Some(SnapshotError::ChunkNotOpened(2))
    );
    assert_eq!(
        damaged(&|v| {
            let first = v.chunks[&keys[0]].clone();
            v.chunks.insert(keys[1], first);
        }),
        Some(SnapshotError::ChunkNotOpened(1))
    );
}

#[test]
fn chunk_of_another_snapshot_does_not_open() {
    let mut vault = large();
    let snapshot = vault.snapshot();
    let old = *vault
        .chunks
        .keys()
        .find(|key| key.0 != snapshot.number)
        .expect("chunk");
    let other = vault.chunks[&(snapshot.number, 0)].clone();
    vault.chunks.insert((old.0, 0), other);

    assert_eq!(refusal(&vault), Some(SnapshotError::ChunkNotOpened(0)));
}

#[test]
fn later_snapshot_has_a_higher_number_and_no_two_have_the_same() {
    let mut vault = large();
    let mut highest = 0;
    for _ in 0..50 {
        let mut number = || vault.tail.name_snapshot(&mut vault.entropy).number();
        let (one, other) = (number(), number());

        assert_ne!(one, other);
        assert!(one.min(other) > highest, "{one} {other} {highest}");
        highest = one.max(other);
        vault.charge();
    }
}

#[test]
fn chunks_written_twice_under_one_name_are_not_mixed() {
    let mut vault = large();
    let name = vault.tail.name_snapshot(&mut vault.entropy);
    let mut written = [Vec::new(), Vec::new()];
    for chunks in &mut written {
        vault
            .database
            .write_snapshot(&name, &vault_key(), &mut vault.entropy, |_, chunk| {
                chunks.push(chunk);
                Ok::<_, StoreError>(())
            })
            .expect("snapshot");
    }
    let keys = (&fixture::header_key(), &vault_key());
    let snapshot = vault
        .database
        .write_snapshot(&name, &vault_key(), &mut vault.entropy, |_, _| {
            Ok::<_, StoreError>(())
        })
        .expect("snapshot");
    let record = vault
        .tail
        .checkpoint(&fixture::header(), &snapshot, keys, &mut vault.entropy);
    vault.log = vec![record.expect("record").to_bytes()];
    for (index, chunk) in (0..).zip(&written[0]) {
        vault.chunks.insert((name.number(), index), chunk.clone());
    }

    assert_eq!(refusal(&vault), Some(SnapshotError::DigestMismatch));
}

#[test]
fn snapshot_of_impossible_size_is_refused_before_anything_is_fetched() {
    let mut vault = large();
    let name = vault.tail.name_snapshot(&mut vault.entropy);
    let good = vault.snapshot();
    let mut never = |_, _| -> Option<Vec<u8>> { panic!("fetched") };

    for (size, chunks) in [
        (0, 0),
        (good.size, good.chunks + 1),
        (2 * limits::DATABASE as u64 + 1, 1025),
        (u64::MAX, good.chunks),
    ] {
        let snapshot = crate::Snapshot {
            size,
            chunks,
            ..good
        };
        let read = Database::template().expect("template").read_snapshot(
            &name,
            &snapshot,
            &vault_key(),
            &mut never,
        );
        assert_eq!(read, Err(SnapshotError::Size), "{size} in {chunks}");
    }
}

#[test]
fn chunks_that_hold_no_database_are_refused() {
    let mut vault = Vault::enrolled();
    let name = vault.tail.name_snapshot(&mut vault.entropy);
    let mut sealed = Vec::new();
    let mut snapshot = vault
        .database
        .write_snapshot(&name, &vault_key(), &mut vault.entropy, |_, chunk| {
            sealed.push(chunk);
            Ok::<_, StoreError>(())
        })
        .expect("snapshot");
    snapshot.size += 1024;

    let read = Database::template().expect("template").read_snapshot(
        &name,
        &snapshot,
        &vault_key(),
        &mut |_, index| sealed.get(index as usize).cloned(),
    );

    assert_eq!(read, Err(SnapshotError::NotADatabase));
}

#[test]
fn restore_with_another_vault_key_is_refused() {
    let vault = large();
    let (_, records) = vault.read().expect("links");
    let vessel = Database::template().expect("template");

    let wrong = VaultKey::from_bytes([1; 32]);

    let begun = Replay::begin(vessel, &records[0], &wrong, &mut |_, _| None);

    let number = records[0].head().number;
    assert_eq!(
        begun.err(),
        Some(RestoreError::Record(RecordError::NotOpened(number)))
    );
}

#[test]
fn changes_that_do_not_belong_to_the_state_are_refused() {
    let mut vault = Vault::enrolled();
    let body = Secret::from("x");
    let changed = |database: &mut Database, version| {
        let next = next(1, version, "a", &[], &body);
        let written = database.transaction(|change| change.write_item(&next));
        written.expect("commits").changeset.expect("changeset")
    };
    let first = changed(&mut vault.database, 1);
    let second = changed(&mut vault.database, 2);
    let apply = |changesets: &[&crate::Changeset]| {
        let database = Database::template().expect("template");
        let mut tables = Tables::of(&database.connection).expect("tables");
        changesets
            .iter()
            .try_for_each(|changeset| tables.apply(&database.connection, changeset))
    };

    assert_eq!(
        apply(&[&second]),
        Err(ReplayError::Conflict),
        "row is missing"
    );
    assert_eq!(apply(&[&first, &second]), Ok(()));
    assert_eq!(
        apply(&[&first, &first]),
        Err(ReplayError::Conflict),
        "row is there"
    );
    let noise = crate::Changeset::from_plaintext(vec![0x50, 9, 9, 9].into());
    assert_eq!(apply(&[&noise]), Err(ReplayError::Foreign), "no changeset");
}

#[test]
fn row_that_is_removed_and_put_again_is_there_after_replay() {
    let mut vault = Vault::enrolled();
    let (tags, body) = (["a".to_owned()], Secret::from("x"));
    vault.commit(|change| change.write_item(&next(1, 1, "n", &tags, &body)));
    vault.checkpoint();
    vault.commit(|change| change.write_item(&next(1, 2, "n", &[], &body)));
    vault.commit(|change| change.write_item(&next(1, 3, "n", &tags, &body)));

    let restored = vault.restore().expect("restores").database;

    assert_eq!(
        restored.view().item_tags(&fixture::item_id(1)),
        Ok(tags.to_vec())
    );
}

#[test]
fn snapshot_does_not_carry_what_was_erased() {
    let mut vault = large();
    for number in 0..20 {
        vault.commit(|change| change.erase_item(&fixture::item_id(number)));
    }
    let before = vault.database.bytes().expect("bytes");

    vault.checkpoint();

    let after = vault.database.bytes().expect("bytes");
    assert!(before > 1_000_000 && after < 100_000, "{before} {after}");
    let restored = vault.restore().expect("restores");
    assert_eq!(
        fixture::dump(&restored.database),
        fixture::dump(&vault.database)
    );
}

#[test]
fn snapshot_is_due_when_the_log_outgrows_a_mebibyte_and_a_quarter_of_the_database() {
    const MEBIBYTE: u64 = 1 << 20;

    assert!(!snapshot_due(0, 0));
    assert!(!snapshot_due(MEBIBYTE, 0));
    assert!(snapshot_due(MEBIBYTE + 1, 0));
    assert!(!snapshot_due(10 * MEBIBYTE, 40 * MEBIBYTE));
    assert!(snapshot_due(10 * MEBIBYTE + 1, 40 * MEBIBYTE));
}

#[test]
fn tail_counts_the_log_since_the_newest_checkpoint() {
    let mut vault = Vault::enrolled();
    let body = Secret::new(vec![7; 60_000]);
    for number in 0..18 {
        vault.commit(|change| put(change, &next(number, 1, "large", &[], &body)));
    }
    assert!(vault.tail.checkpoint_due(0));
    vault.restart();
    assert!(vault.tail.checkpoint_due(0));
    assert!(!vault.tail.checkpoint_due(10_000_000));

    vault.checkpoint();

    assert!(!vault.tail.checkpoint_due(0));
    vault.restart();
    assert!(!vault.tail.checkpoint_due(0));
}
