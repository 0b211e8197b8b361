//! What a lying host can do to a log, and what each lie is refused as.

use vettid_crypto::{SealingKey, SecretBytes, VaultKey};
use vettid_wire::Secret;
use vettid_wire::id::SpaceId;
use vettid_wire::request::Head;

use crate::fixture::{self, SPACE, Vault, header_key, next, put, vault_key};
use crate::{
    Chain, ChainError, Changeset, Freshness, HeaderKey, Kind, Linked, Record, RecordError, Replay,
    RestoreError, Tail, TailError,
};

/// Records 1 checkpoint, 2 changeset, 3 header, 4 changeset.
fn vault() -> Vault {
    let mut vault = Vault::enrolled();
    let body = Secret::new(vec![1; 100]);
    vault.commit(|change| put(change, &next(1, 1, "one", &[], &body)));
    vault.charge();
    vault.commit(|change| put(change, &next(2, 1, "two", &[], &body)));
    vault
}

fn refusal(log: &[Vec<u8>]) -> Option<ChainError> {
    fixture::read(log).err()
}

#[test]
fn honest_log_links_and_shows_its_end() {
    let vault = vault();

    let (chain, records) = vault.read().expect("links");

    assert_eq!(chain.head(), vault.tail.head());
    let kinds: Vec<_> = records.iter().map(Linked::kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Checkpoint,
            Kind::Changeset,
            Kind::Header,
            Kind::Changeset
        ]
    );
    assert_eq!(
        records[0].open_header(&header_key()).map(|h| h.created),
        Ok(fixture::NOW)
    );
    assert_eq!(
        records[2].open_header(&header_key()).map(|h| h.created),
        Ok(fixture::NOW)
    );
}

#[test]
fn record_comes_back_from_its_bytes() {
    for bytes in &vault().log {
        let record = Record::parse(bytes).expect("record");

        assert_eq!(record.to_bytes(), *bytes);
        assert_eq!(record.size(), bytes.len());
    }
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    let good = vault().log[1].clone();
    let mut kind = good.clone();
    kind[0] = 9;

    assert_eq!(Record::parse(&kind), Err(RecordError::Malformed));
    assert_eq!(Record::parse(&[]), Err(RecordError::Malformed));
    assert_eq!(
        Record::parse(&good[..crate::FRONT - 1]),
        Err(RecordError::Malformed)
    );
    let long = vec![1; crate::FRONT + vettid_wire::limits::RECORD + 1];
    assert_eq!(Record::parse(&long), Err(RecordError::Malformed));
}

#[test]
fn missing_record_is_a_gap() {
    let mut log = vault().log;
    log.remove(2);

    assert_eq!(
        refusal(&log),
        Some(ChainError::Gap {
            expected: 3,
            found: 4
        })
    );
}

#[test]
fn repeated_record_is_refused() {
    let mut log = vault().log;
    log.push(log[1].clone());

    assert_eq!(
        refusal(&log),
        Some(ChainError::Repeated {
            expected: 5,
            found: 2
        })
    );
}

#[test]
fn swapped_records_are_refused() {
    let mut log = vault().log;
    log.swap(1, 3);

    assert_eq!(
        refusal(&log),
        Some(ChainError::Gap {
            expected: 2,
            found: 4
        })
    );
}

#[test]
fn record_of_another_history_at_the_same_place_breaks_the_link() {
    let mut log = vault().log;
    let mut other = Vault::enrolled();
    other.charge();
    other.charge();
    log[2].clone_from(&other.log[2]);

    assert_eq!(refusal(&log), Some(ChainError::BrokenLink { number: 3 }));
}

#[test]
fn every_altered_byte_of_every_record_is_refused() {
    let vault = vault();
    for record in 0..vault.log.len() {
        for index in 0..vault.log[record].len() {
            let mut altered = Vault::enrolled();
            altered.log.clone_from(&vault.log);
            altered.log[record][index] ^= 1;
            assert!(!is_usable(&altered.log), "record {record}, byte {index}");
        }
    }
}

/// Whether a log links, and every part of every record opens.
pub(super) fn is_usable(log: &[Vec<u8>]) -> bool {
    let mut chain = Chain::new(SPACE);
    log.iter().all(|bytes| {
        Record::parse(bytes).is_ok_and(|record| chain.accept(record).is_ok_and(|r| opens(&r)))
    })
}

fn opens(record: &Linked) -> bool {
    let (header, changes, snapshot) = (
        record.open_header(&header_key()).is_ok(),
        record.open_changeset(&vault_key()).is_ok(),
        record.open_snapshot(&vault_key()).is_ok(),
    );
    match record.kind() {
        Kind::Checkpoint => header && changes != snapshot,
        Kind::Header => header && !changes,
        Kind::Changeset => changes && !header,
        Kind::Joint => header && changes,
    }
}

#[test]
fn altered_newest_record_does_not_open() {
    let mut vault = vault();
    let last = vault.log[3].len() - 1;
    vault.log[3][last] ^= 1;

    assert_eq!(
        vault.restore().err(),
        Some(RestoreError::Record(RecordError::NotOpened(4)))
    );
}

#[test]
fn log_that_begins_without_a_checkpoint_is_refused() {
    let log = vault().log;

    assert_eq!(
        refusal(&log[1..]),
        Some(ChainError::NotACheckpoint { number: 2 })
    );
    assert_eq!(
        refusal(&log[2..]),
        Some(ChainError::NotACheckpoint { number: 3 })
    );
}

#[test]
fn first_record_has_nothing_before_it() {
    let mut log = vault().log;
    log[0][11] = 1;
    assert_eq!(refusal(&log), Some(ChainError::BrokenLink { number: 1 }));

    log[0][3..11].fill(0);

    assert_eq!(refusal(&log), Some(ChainError::BrokenLink { number: 0 }));
}

#[test]
fn log_of_another_space_does_not_open() {
    let vault = vault();
    let mut chain = Chain::new(SpaceId([9; 16]));
    let checkpoint = chain
        .accept(Record::parse(&vault.log[0]).expect("record"))
        .expect("links");

    assert_eq!(
        checkpoint.open_header(&header_key()).err(),
        Some(RecordError::NotOpened(1))
    );
    assert_eq!(
        checkpoint.open_changeset(&vault_key()).err(),
        Some(RecordError::NotOpened(1))
    );
    let next = chain.accept(Record::parse(&vault.log[1]).expect("record"));
    assert_eq!(next.err(), Some(ChainError::BrokenLink { number: 2 }));
}

#[test]
fn records_do_not_open_under_another_key() {
    let vault = vault();
    let (_, records) = vault.read().expect("links");
    let (sealing, key) = (
        HeaderKey::new(1, SealingKey::from_bytes([0; 32])),
        VaultKey::from_bytes([0; 32]),
    );

    assert_eq!(
        records[2].open_header(&sealing).err(),
        Some(RecordError::NotOpened(3))
    );
    assert_eq!(
        records[0].open_changeset(&key).err(),
        Some(RecordError::NotOpened(1))
    );
    assert_eq!(
        records[1].open_changeset(&key).err(),
        Some(RecordError::NotOpened(2))
    );
}

#[test]
fn header_says_and_is_bound_to_the_release_that_it_is_for() {
    let vault = vault();
    let (_, records) = vault.read().expect("links");
    let mut altered = vault.log[2].clone();
    let place = crate::FRONT..crate::FRONT + 4;
    altered[place].copy_from_slice(&2_u32.to_be_bytes());
    let altered = Record::parse(&altered).expect("record");

    let releases: Vec<_> = records.iter().map(Linked::release).collect();
    assert_eq!(releases[..3], [Some(1), None, Some(1)]);
    let later = HeaderKey::new(2, header_key().key);
    let (number, release) = (3, 1);
    assert_eq!(
        records[2].open_header(&later).err(),
        Some(RecordError::OtherRelease { number, release })
    );
    assert_eq!(
        altered.open_header(SPACE, &later).err(),
        Some(RecordError::NotOpened(3))
    );
}

#[test]
fn record_opens_only_as_its_own_kind() {
    let vault = vault();
    let (_, records) = vault.read().expect("links");

    assert_eq!(
        records[1].open_header(&header_key()).err(),
        Some(RecordError::Unexpected(2))
    );
    assert_eq!(
        records[1].open_snapshot(&vault_key()).err(),
        Some(RecordError::Unexpected(2))
    );
    assert_eq!(
        records[2].open_changeset(&vault_key()).err(),
        Some(RecordError::Unexpected(3))
    );
}

#[test]
fn newer_schema_is_refused_before_anything_is_opened() {
    let mut vault = vault();
    vault.log[0][2] += 1;

    let known = vettid_wire::version::SCHEMA;
    let found = known + 1;
    assert_eq!(
        refusal(&vault.log),
        Some(ChainError::SchemaTooNew { known, found })
    );
}

#[test]
fn schema_changes_at_checkpoints_only() {
    let mut log = vault().log;
    let current = log[1][2];
    for other in [current - 1, 0] {
        log[1][2] = other;

        let changed = ChainError::SchemaChanged {
            number: 2,
            from: current.into(),
            to: other.into(),
        };
        assert_eq!(refusal(&log), Some(changed));
    }
}

#[test]
fn refused_record_leaves_the_chain_where_it_stood() {
    let vault = vault();
    let parse = |index: usize| Record::parse(&vault.log[index]).expect("record");
    let mut chain = Chain::new(SPACE);
    chain.accept(parse(0)).expect("links");
    assert!(chain.accept(parse(2)).is_err());

    for index in 1..4 {
        chain.accept(parse(index)).expect("links");
    }

    assert_eq!(chain.head(), vault.tail.head());
}

#[test]
fn log_that_was_cut_off_is_older_than_what_was_seen() {
    let vault = vault();
    let seen = vault.tail.head().expect("head");
    let (chain, _) = fixture::read(&vault.log[..3]).expect("links");

    assert_eq!(
        chain.freshness(&seen),
        Freshness::RolledBack { seen: 4, found: 3 }
    );
    assert_eq!(
        Chain::new(SPACE).freshness(&seen),
        Freshness::RolledBack { seen: 4, found: 0 }
    );
}

#[test]
fn what_was_seen_before_is_fresh_and_what_never_was_is_forked() {
    let vault = vault();
    let (chain, records) = vault.read().expect("links");
    for record in &records {
        assert_eq!(chain.freshness(&record.head()), Freshness::Fresh);
        let foreign = Head {
            hash: [0; 32],
            ..record.head()
        };
        let number = foreign.number;
        assert_eq!(chain.freshness(&foreign), Freshness::Forked { number });
    }

    let newest = vault.tail.head().expect("head");
    assert_eq!(vault.tail.freshness(&newest), Freshness::Fresh);
    let foreign = Head {
        hash: [0; 32],
        ..newest
    };
    assert_eq!(
        vault.tail.freshness(&foreign),
        Freshness::Forked { number: 4 }
    );
    let later = Head {
        number: 5,
        ..newest
    };
    assert_eq!(
        vault.tail.freshness(&later),
        Freshness::RolledBack { seen: 5, found: 4 }
    );
}

/// What a device has seen that was led here from a copy of the log: another record there.
fn of_a_copy(seen: Head) -> Head {
    Head {
        hash: [7; 32],
        ..seen
    }
}

#[test]
fn open_vault_tells_a_copy_by_any_record_that_it_wrote() {
    let mut vault = Vault::enrolled();
    let mut heads = vec![vault.tail.head().expect("head")];
    let body = Secret::new(vec![1; 100]);
    for id in 1..4 {
        let (first, second) = (2 * id - 1, 2 * id);
        let steps: [&dyn Fn(&mut Vault) -> usize; 4] = [
            &|vault| vault.charge(),
            &|vault| vault.commit(|change| put(change, &next(first, 1, "one", &[], &body))),
            &|vault| {
                vault.checkpoint();
                0
            },
            &|vault| {
                vault.commit_with_header(&fixture::header(), |change| {
                    put(change, &next(second, 1, "two", &[], &body))
                })
            },
        ];
        for step in steps {
            step(&mut vault);
            heads.push(vault.tail.head().expect("head"));
        }
    }
    assert_eq!(heads.len(), 13);

    for seen in heads {
        let number = seen.number;
        assert_eq!(vault.tail.freshness(&seen), Freshness::Fresh, "{number}");
        let forked = Freshness::Forked { number };
        assert_eq!(vault.tail.freshness(&of_a_copy(seen)), forked);
    }
}

#[test]
fn record_that_cannot_be_added_is_none_that_a_copy_is_told_by() {
    let mut vault = vault();
    let newest = vault.tail.head().expect("head");
    let stale = vault.snapshot();
    vault.charge();
    let keys = (&header_key(), &vault_key());

    let refused = vault
        .tail
        .checkpoint(&fixture::header(), &stale, keys, &mut vault.entropy);

    assert!(refused.is_err());
    let never = Head {
        number: newest.number + 2,
        ..newest
    };
    let (seen, found) = (never.number, newest.number + 1);
    let rolled_back = Freshness::RolledBack { seen, found };
    assert_eq!(vault.tail.freshness(&never), rolled_back);
    assert_eq!(vault.tail.freshness(&newest), Freshness::Fresh);
}

#[test]
fn vault_that_was_read_tells_a_copy_by_the_records_since_its_checkpoint() {
    let mut vault = vault();
    let before = vault.tail.head().expect("head");
    vault.checkpoint();
    let mut heads = vec![vault.tail.head().expect("head")];
    vault.charge();
    heads.push(vault.tail.head().expect("head"));
    vault.restart();
    vault.charge();
    heads.push(vault.tail.head().expect("head"));

    for seen in heads {
        let number = seen.number;
        assert_eq!(vault.tail.freshness(&seen), Freshness::Fresh);
        let forked = Freshness::Forked { number };
        assert_eq!(vault.tail.freshness(&of_a_copy(seen)), forked);
    }
    assert_eq!(vault.tail.freshness(&of_a_copy(before)), Freshness::Fresh);
}

#[test]
fn open_vault_remembers_512_records() {
    let mut vault = Vault::enrolled();
    for _ in 0..599 {
        vault.charge();
    }
    let (chain, records) = vault.read().expect("links");
    let read = Tail::behind(&chain);

    for (tail, why) in [(&vault.tail, "written"), (&read, "read")] {
        for record in &records {
            let seen = record.head();
            let number = seen.number;
            let told = tail.freshness(&of_a_copy(seen));
            let is_told = told == Freshness::Forked { number };
            assert_eq!(is_told, number > 600 - 512, "{why}: {number}");
            assert_eq!(tail.freshness(&seen), Freshness::Fresh, "{why}: {number}");
        }
    }
}

#[test]
fn head_from_before_the_checkpoint_is_fresh() {
    let mut vault = vault();
    let seen = vault.tail.head().expect("head");
    vault.checkpoint();

    let (chain, _) = vault.read().expect("links");

    assert_eq!(chain.freshness(&seen), Freshness::Fresh);
}

#[test]
fn replay_takes_records_in_order_and_of_one_log_only() {
    let vault = vault();
    let (_, records) = vault.read().expect("links");
    let mut chain = Chain::new(SpaceId([9; 16]));
    let foreign = chain
        .accept(Record::parse(&vault.log[0]).expect("record"))
        .expect("links");
    let key = vault_key();
    let vessel = crate::Database::template().expect("template");
    let mut replay = Replay::begin(vessel, &records[0], &key, &mut |_, _| None).expect("begins");

    assert_eq!(replay.apply(&records[2]), Err(RestoreError::OutOfOrder(3)));
    assert_eq!(replay.apply(&foreign), Err(RestoreError::OutOfOrder(1)));
    assert_eq!(replay.apply(&records[1]), Ok(()));
    assert_eq!(replay.apply(&records[1]), Err(RestoreError::OutOfOrder(2)));
}

#[test]
fn empty_log_takes_nothing_but_its_first_record() {
    let mut vault = vault();
    let snapshot = vault.snapshot();
    let mut tail = Tail::genesis(SPACE);
    let keys = (&header_key(), &vault_key());
    let header = fixture::header();

    let alone = tail.header(&header, &header_key(), &mut vault.entropy);
    let changes = tail.changeset(&changes(), &vault_key(), &mut vault.entropy);
    let joint = tail.joint(&header, &self::changes(), keys, &mut vault.entropy);
    let stale = tail.checkpoint(&header, &snapshot, keys, &mut vault.entropy);

    for refused in [alone, changes, joint] {
        assert_eq!(refused.err(), Some(TailError::CheckpointDue));
    }
    assert_eq!(
        stale.err(),
        Some(TailError::SnapshotStale { holds: 4, ends: 0 })
    );
}

#[test]
fn log_that_has_begun_does_not_begin_again() {
    let mut vault = vault();
    let keys = (&header_key(), &vault_key());

    let again = vault
        .tail
        .begin(&fixture::header(), &changes(), keys, &mut vault.entropy);

    assert_eq!(again.err(), Some(TailError::Begun));
}

#[test]
fn checkpoint_needs_a_snapshot_of_the_newest_record() {
    let mut vault = vault();
    let snapshot = vault.snapshot();
    vault.charge();
    let keys = (&header_key(), &vault_key());

    let checkpoint = vault
        .tail
        .checkpoint(&fixture::header(), &snapshot, keys, &mut vault.entropy);

    let stale = TailError::SnapshotStale { holds: 4, ends: 5 };
    assert_eq!(checkpoint.err(), Some(stale));
}

fn changes() -> Changeset {
    Changeset::from_plaintext(vec![1; 10].into())
}
