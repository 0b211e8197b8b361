//! Nothing of a vault touches a file, however large a transaction is.

use std::collections::BTreeSet;

use vettid_wire::Secret;

use crate::fixture::{self, Vault, next};
use crate::{Searchable, StoreError};

/// Descriptors of this process that are files. Pipes, sockets and terminals of the test runner come
/// and go.
fn open_files() -> BTreeSet<String> {
    std::fs::read_dir("/proc/self/fd")
        .expect("procfs")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with('/') && !target.starts_with("/dev/"))
        .filter(|target| !target.starts_with("/proc/"))
        .collect()
}

#[test]
fn large_transactions_sorts_and_snapshots_open_no_file() {
    let mut vault = Vault::enrolled();
    let before = open_files();
    let body = Secret::new(vec![3; 60_000]);
    vault
        .database
        .build_index(|index| {
            index.add(
                &fixture::item_id(0),
                &Searchable {
                    name: "a",
                    text: "b",
                },
            )
        })
        .map_err(|error: StoreError| error)
        .expect("index");

    // Each of these outgrows page cache, statement journal and sorter.
    for block in 0..6_u8 {
        vault.commit(|change| {
            for number in 0..14 {
                let number = block * 14 + number;
                change.write_item(&next(number, 1, "large", &[], &body))?;
                let item = Searchable {
                    name: "large",
                    text: "text",
                };
                change.index_item(&fixture::item_id(number), &item)?;
            }
            assert_eq!(open_files(), before);
            Ok(())
        });
    }
    let view = vault.database.view();
    let sorted: String = view
        .connection
        .query_row(
            "SELECT max(hex(body)) FROM (SELECT body FROM item_versions ORDER BY body DESC, item)",
            [],
            |row| row.get(0),
        )
        .expect("sorts");
    assert_eq!(sorted.len(), 120_000);
    assert_eq!(open_files(), before);
    vault.commit(|change| {
        for number in 0..60 {
            change.erase_item(&fixture::item_id(number))?;
        }
        assert_eq!(open_files(), before);
        Ok(())
    });
    vault.checkpoint();
    vault.restart();
    assert_eq!(open_files(), before);

    let files: i64 = vault
        .database
        .connection
        .query_row(
            "SELECT count(*) FROM pragma_database_list WHERE file LIKE '%/%'",
            [],
            |row| row.get(0),
        )
        .expect("list");
    assert_eq!(files, 0);
}
