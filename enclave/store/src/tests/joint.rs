//! Records with two parts: one place in the log, and no header without its content.

use proptest::prelude::*;
use vettid_crypto::SeededEntropy;
use vettid_wire::Secret;
use vettid_wire::id::VaultId;

use super::log::is_usable;
use crate::fixture::{self, NOW, SPACE, Vault, header_key, next, put, vault_key};
use crate::rows::vault;
use crate::{Chain, Database, FRONT, Header, Kind, Linked, Record, RecordError, Tail};

/// A history whose record 2 is a joint one. All histories share record 1; what they draw differs,
/// as it does in two enclaves that a host gives the same log.
fn history(number: u8) -> Vault {
    let mut vault = Vault::enrolled();
    vault.entropy = SeededEntropy::dangerous_new(number.into());
    let body = Secret::new(vec![number; 100]);
    vault.commit_with_header(&header(number), |change| {
        put(change, &next(number, 1, "one", &[], &body))
    });
    vault
}

/// A header that can be told from others.
fn header(failed: u8) -> Header {
    let mut header = fixture::header();
    header.attempts.failed = failed.into();
    header
}

/// Front, header and content of a record with two parts.
fn parts(record: &[u8]) -> [&[u8]; 3] {
    let (front, body) = record.split_at(FRONT);
    let (length, rest) = body.split_at(4);
    let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
    let (header, content) = rest.split_at(length as usize);
    [front, header, content]
}

fn joined(front: &[u8], header: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(header.len()).expect("short");
    [front, &length.to_be_bytes(), header, content].concat()
}

/// A record behind the first one of every history.
fn linked(bytes: &[u8]) -> Linked {
    let mut chain = Chain::new(SPACE);
    for bytes in [&Vault::enrolled().log[0], bytes] {
        let record = Record::parse(bytes).expect("record");
        let linked = chain.accept(record).expect("links");
        if linked.head().number == 2 {
            return linked;
        }
    }
    panic!("no record 2")
}

#[test]
fn joint_record_carries_header_and_changes_at_one_place() {
    let vault = history(3);

    let (chain, records) = vault.read().expect("links");

    assert_eq!(chain.head(), vault.tail.head());
    assert_eq!((records.len(), records[1].kind()), (2, Kind::Joint));
    let header = records[1].open_header(&header_key()).expect("opens");
    assert_eq!(header.attempts.failed, 3);
    let restored = vault.restore().expect("restores").database;
    assert_eq!(fixture::dump(&restored), fixture::dump(&vault.database));
    let versions = restored.view().versions(&fixture::item_id(3));
    assert_eq!(versions.expect("reads").len(), 1);
}

#[test]
fn first_record_is_a_whole_vault() {
    let vault = Vault::enrolled();

    let (_, records) = vault.read().expect("links");

    assert_eq!((records.len(), records[0].kind()), (1, Kind::Checkpoint));
    let header = records[0].open_header(&header_key()).expect("opens");
    let restored = vault.restore().expect("restores").database;
    let row = restored.view().vault().expect("reads").expect("there");
    assert_eq!(row.id, header.vault);
}

#[test]
fn every_altered_byte_of_a_record_with_two_parts_is_refused() {
    let vault = history(1);
    assert!(is_usable(&vault.log));
    for record in 0..2 {
        for index in 0..vault.log[record].len() {
            let mut log = vault.log.clone();
            log[record][index] ^= 1;
            assert!(!is_usable(&log), "record {record}, byte {index}");
        }
    }
}

#[test]
fn every_altered_byte_of_the_newest_record_is_seen_by_its_header() {
    let whole = history(1).log.remove(1);
    for index in FRONT..whole.len() {
        let mut altered = whole.clone();
        altered[index] ^= 1;

        let opened = linked(&altered).open_header(&header_key());

        assert!(opened.is_err(), "byte {index}");
    }
}

#[test]
fn neither_part_opens_as_the_only_one() {
    let vault = history(1);
    let [front, header, content] = parts(&vault.log[1]);
    let alone = |kind: u8, part: &[u8]| [&[kind], &front[1..], part].concat();

    let only_header = linked(&alone(2, header)).open_header(&header_key());
    let only_changes = linked(&alone(3, content)).open_changeset(&vault_key());
    let emptied = linked(&joined(front, header, &[])).open_header(&header_key());

    let not_opened = Some(RecordError::NotOpened(2));
    assert_eq!(only_header.err(), not_opened);
    assert_eq!(only_changes.err(), not_opened);
    assert_eq!(emptied.err(), not_opened);
}

#[test]
fn parts_of_two_histories_do_not_make_a_record() {
    let (one, other) = (history(1), history(2));
    let [front, header, content] = parts(&one.log[1]);
    let [other_front, other_header, other_content] = parts(&other.log[1]);
    assert_eq!(front, other_front, "the same place");

    for mixed in [
        joined(front, header, other_content),
        joined(front, other_header, content),
    ] {
        let opened = linked(&mixed).open_header(&header_key());
        assert_eq!(opened.err(), Some(RecordError::NotOpened(2)));
    }
    assert!(linked(&one.log[1]).open_header(&header_key()).is_ok());
    assert!(linked(&other.log[1]).open_header(&header_key()).is_ok());
}

#[test]
fn parts_of_two_first_records_do_not_make_a_vault() {
    let first = |byte: u8| {
        let database = Database::template().expect("template");
        let vault = vault::Vault {
            id: VaultId([byte; 32]),
            created: NOW,
        };
        let begun = Vault::begun(database, Tail::genesis(SPACE), |change| {
            change.insert_vault(&vault)
        });
        begun.log[0].clone()
    };
    let (one, other) = (first(1), first(2));
    let ([front, header, _], [_, _, content]) = (parts(&one), parts(&other));

    let mixed = Record::parse(&joined(front, header, content)).expect("record");

    let linked = Chain::new(SPACE).accept(mixed).expect("links");
    assert_eq!(
        linked.open_header(&header_key()).err(),
        Some(RecordError::NotOpened(1))
    );
}

#[test]
fn header_of_a_checkpoint_opens_beside_its_own_snapshot_only() {
    let checkpoint = |seed: u64| {
        let mut vault = Vault::enrolled();
        vault.entropy = SeededEntropy::dangerous_new(seed);
        vault.checkpoint();
        vault.log.remove(0)
    };
    let (one, other) = (checkpoint(1), checkpoint(2));
    let ([front, header, _], [_, _, content]) = (parts(&one), parts(&other));

    let mixed = linked(&joined(front, header, content));

    assert_eq!(
        mixed.open_header(&header_key()).err(),
        Some(RecordError::NotOpened(2))
    );
}

#[test]
fn lengths_beyond_the_record_are_refused() {
    let whole = history(1).log.remove(1);
    for length in [u32::MAX, u32::try_from(whole.len()).expect("short")] {
        let mut altered = whole.clone();
        altered[FRONT..FRONT + 4].copy_from_slice(&length.to_be_bytes());
        let linked = linked(&altered);

        let unexpected = Some(RecordError::Unexpected(2));
        assert_eq!(linked.open_header(&header_key()).err(), unexpected);
        assert_eq!(linked.open_changeset(&vault_key()).err(), unexpected);
    }
    let short = linked(&whole[..FRONT + 3]).open_header(&header_key());
    assert_eq!(short.err(), Some(RecordError::Unexpected(2)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_splice_of_two_histories_is_usable(
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), swapped: bool
    ) {
        let (one, other) = (history(1), history(2));
        let (a, b) = if swapped { (&other, &one) } else { (&one, &other) };
        let length = a.log[1].len().min(b.log[1].len());
        let (from, to) = (from.index(length), to.index(length));
        let mut spliced = a.log[1].clone();
        let range = from.min(to)..from.max(to);
        spliced[range.clone()].copy_from_slice(&b.log[1][range]);

        let is_whole = spliced == a.log[1] || spliced == b.log[1];
        let usable = is_usable(&[a.log[0].clone(), spliced]);

        prop_assert_eq!(usable, is_whole);
    }
}
