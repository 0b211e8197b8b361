//! What a transaction costs in the log, in bytes.

use vettid_wire::id::ItemId;
use vettid_wire::{Secret, limits};

use crate::fixture::{self, Vault, next, put};
use crate::{Changeset, FRONT, Record, StoreError};

/// A 1 KB value with what an encoding adds around it.
fn body() -> Secret {
    Secret::new(vec![0x55; 1024 + 48])
}

#[test]
fn put_of_one_kilobyte_appends_at_most_1600_bytes() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| put(change, &next(1, 1, "Account 00001", &[], &body())));

    let created = vault.commit(|change| put(change, &next(2, 1, "Account 00002", &[], &body())));
    let replaced = vault.commit(|change| put(change, &next(2, 2, "Account 00002", &[], &body())));
    for version in 3..=12 {
        vault.commit(|change| put(change, &next(2, version, "Account 00002", &[], &body())));
    }
    let pruning = vault.commit(|change| put(change, &next(2, 13, "Account 00002", &[], &body())));

    assert!(created <= 1600, "{created}");
    assert!(replaced <= 1600, "{replaced}");
    assert!(pruning <= 1600, "{pruning}");
}

#[test]
fn erased_content_is_not_written_again() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| put(change, &next(1, 1, "name", &[], &body())));

    let erased = vault.commit(|change| change.erase_item(&fixture::item_id(1)));

    assert!(erased < 250, "{erased}");
}

#[test]
fn transaction_that_changes_nothing_appends_nothing() {
    let mut vault = Vault::enrolled();
    vault.commit(|change| put(change, &next(1, 1, "name", &[], &body())));

    let read = vault.commit(|change| change.item(&fixture::item_id(1)));
    let undone = vault.commit(|change| {
        change.write_item(&next(9, 1, "gone", &[], &body()))?;
        change.erase_item(&fixture::item_id(9))
    });

    assert_eq!((read, undone), (0, 0));
}

#[test]
fn transaction_beyond_one_record_is_refused_and_leaves_no_trace() {
    let mut vault = Vault::enrolled();
    let before = fixture::dump(&vault.database);
    let large = Secret::new(vec![1; limits::ITEM]);

    let refused = vault.database.transaction(|change| {
        for number in 0..20 {
            change.write_item(&next(number, 1, "large", &[], &large))?;
        }
        Ok::<_, StoreError>(())
    });

    let max = crate::record::CHANGESET;
    assert!(matches!(refused, Err(StoreError::TooLarge { max: m, .. }) if m == max));
    assert_eq!(fixture::dump(&vault.database), before);
}

#[test]
fn largest_changeset_fits_a_record_beside_the_largest_header() {
    let vault = Vault::enrolled();
    let mut header = fixture::header();
    let around = header.encode().len() - header.devices[0].name.len();
    // The length of the name takes four more bytes than it did.
    header.devices[0].name = "x".repeat(limits::HEADER - around - 4);
    assert!((limits::HEADER - 4..=limits::HEADER).contains(&header.encode().len()));
    let changeset = Changeset::from_plaintext(vec![0; crate::record::CHANGESET].into());
    let keys = (&fixture::header_key(), &fixture::vault_key());
    let mut entropy = vault.entropy;

    let mut tail = vault.tail;
    let record = tail.joint(&header, &changeset, keys, &mut entropy);

    let bytes = record.expect("record").to_bytes();
    assert!(bytes.len() <= limits::RECORD, "{}", bytes.len());
    assert!(Record::parse(&bytes).is_ok());
}

#[test]
fn largest_item_fits_a_record() {
    let mut vault = Vault::enrolled();
    let large = Secret::new(vec![1; limits::ITEM]);

    let size = vault.commit(|change| put(change, &next(1, 1, "large", &[], &large)));

    assert!(size < limits::ITEM + 1024, "{size}");
    assert!(size > FRONT);
}

#[test]
fn merging_tags_of_every_item_fits_a_record() {
    let mut vault = Vault::enrolled();
    let (from, small) = ([String::from("from")], Secret::new(vec![1]));
    vault.commit(|change| change.put_tag(&super::rows::tag("into")));
    for block in 0..8_u8 {
        vault.commit(|change| {
            for number in 0..250_u8 {
                let mut id = [number; 16];
                id[15] = block;
                let item = next(0, 1, "item", &from, &small);
                change.write_item(&crate::rows::item::NextVersion {
                    id: ItemId(id),
                    ..item
                })?;
            }
            Ok(())
        });
    }

    let size = vault.commit(|change| change.merge_tag("from", "into"));

    assert!(size < 200_000, "{size}");
    assert_eq!(
        vault
            .database
            .view()
            .tagged_items("into")
            .map(|items| items.len()),
        Ok(2000)
    );
    assert_eq!(
        fixture::dump(&vault.restore().expect("restores").database),
        fixture::dump(&vault.database)
    );
}
