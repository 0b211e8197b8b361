use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::database::{Database, Options};

const FIRST: SpaceId = SpaceId([1; 16]);
const SECOND: SpaceId = SpaceId([2; 16]);
const SOON: Duration = Duration::from_secs(20);

struct Fixture {
    log: SqliteLog,
    appender: Appender,
    outcomes: Outcomes,
}

impl Fixture {
    fn open(folder: &Path, options: Options) -> Self {
        let database = Database::open(&folder.join("node.db"), options).expect("opened");
        let log = SqliteLog::new(database);
        let (appender, outcomes) = log.appender();
        Self {
            log,
            appender,
            outcomes,
        }
    }

    fn queue(&self, space: SpaceId, number: u64, bytes: &[u8]) {
        let checkpoint = number == 1;
        let record = Record {
            number,
            checkpoint,
            bytes: Bytes::copy_from_slice(bytes),
        };
        self.appender
            .append(Append { space, record })
            .expect("room");
    }

    async fn settled(&mut self) -> (SpaceId, u64, Result<(), AppendError>) {
        let outcome = timeout(SOON, self.outcomes.next()).await.expect("in time");
        (outcome.space, outcome.number, outcome.result)
    }

    async fn append(&mut self, space: SpaceId, number: u64) -> Result<(), AppendError> {
        self.queue(space, number, &[7; 100]);
        self.settled().await.2
    }
}

fn fixture() -> (tempfile::TempDir, Fixture) {
    let folder = tempfile::tempdir().expect("folder");
    let fixture = Fixture::open(folder.path(), Options::default());
    (folder, fixture)
}

#[tokio::test]
async fn appended_records_are_read_back_in_order() {
    let (_folder, mut fixture) = fixture();
    for number in 1..=3 {
        assert_eq!(fixture.append(FIRST, number).await, Ok(()));
    }

    let page = fixture
        .log
        .read(FIRST, From::Checkpoint, 1_000_000)
        .await
        .expect("read");

    assert_eq!(page.newest, 3);
    assert_eq!(
        page.records
            .iter()
            .map(|record| record.number)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(
        page.records
            .iter()
            .all(|record| record.bytes == [7; 100].as_slice())
    );
    assert!(page.records[0].checkpoint && !page.records[1].checkpoint);
}

#[tokio::test]
async fn append_whose_number_is_taken_is_lost_and_the_first_stands() {
    let (_folder, mut fixture) = fixture();
    fixture.queue(FIRST, 1, b"mine");
    fixture.queue(FIRST, 1, b"yours");

    assert_eq!(fixture.settled().await, (FIRST, 1, Ok(())));
    assert_eq!(fixture.settled().await, (FIRST, 1, Err(AppendError::Lost)));
    let page = fixture
        .log
        .read(FIRST, From::Number(1), 100)
        .await
        .expect("read");
    assert_eq!(page.records[0].bytes, b"mine".as_slice());
}

#[tokio::test]
async fn append_that_leaves_a_gap_is_lost() {
    let (_folder, mut fixture) = fixture();
    assert_eq!(fixture.append(FIRST, 2).await, Err(AppendError::Lost));
    assert_eq!(fixture.append(FIRST, 0).await, Err(AppendError::Lost));
    assert_eq!(
        fixture.append(FIRST, u64::MAX).await,
        Err(AppendError::Lost)
    );
}

#[tokio::test]
async fn appends_behind_a_lost_one_are_lost_and_other_spaces_go_on() {
    let (_folder, mut fixture) = fixture();
    assert_eq!(fixture.append(FIRST, 1).await, Ok(()));
    for (space, number) in [(FIRST, 1), (FIRST, 3), (SECOND, 1), (FIRST, 4), (SECOND, 2)] {
        fixture.queue(space, number, b"x");
    }

    let mut settled = Vec::new();
    for _ in 0..5 {
        settled.push(fixture.settled().await);
    }

    let lost = Err(AppendError::Lost);
    assert_eq!(
        settled,
        [
            (FIRST, 1, lost),
            (FIRST, 3, lost),
            (SECOND, 1, Ok(())),
            (FIRST, 4, lost),
            (SECOND, 2, Ok(()))
        ]
    );
}

#[tokio::test]
async fn many_appends_of_one_space_settle_in_order_without_waiting() {
    let (_folder, mut fixture) = fixture();
    for number in 1..=300 {
        fixture.queue(FIRST, number, b"x");
    }

    for number in 1..=300 {
        assert_eq!(fixture.settled().await, (FIRST, number, Ok(())));
    }
}

#[tokio::test]
async fn window_bounds_what_is_not_collected() {
    let (_folder, mut fixture) = fixture();
    let mut number = 0;
    let refused = loop {
        number += 1;
        let record = Record {
            number,
            checkpoint: false,
            bytes: Bytes::from_static(b"x"),
        };
        if let Err(NoRoom(append)) = fixture.appender.append(Append {
            space: FIRST,
            record,
        }) {
            break append;
        }
    };
    assert_eq!(refused.record.number, Appender::WINDOW as u64 + 1);

    assert_eq!(fixture.settled().await.2, Ok(()));

    assert_eq!(fixture.appender.append(refused), Ok(()));
}

#[tokio::test]
async fn two_processes_on_one_file_cannot_both_win() {
    let folder = tempfile::tempdir().expect("folder");
    let mut here = Fixture::open(folder.path(), Options::default());
    let mut there = Fixture::open(folder.path(), Options::default());
    for number in 1..=200 {
        here.queue(FIRST, number, b"here");
        there.queue(FIRST, number, b"there");
    }

    let mut won = vec![0; 201];
    for _ in 1..=200 {
        for fixture in [&mut here, &mut there] {
            let (_, number, result) = fixture.settled().await;
            won[usize::try_from(number).expect("small")] += i32::from(result.is_ok());
        }
    }

    let newest = usize::try_from(here.log.newest(FIRST).await.expect("read")).expect("small");
    assert!(newest >= 1);
    assert!(won[1..=newest].iter().all(|winners| *winners == 1));
    assert!(won[newest + 1..].iter().all(|winners| *winners == 0));
}

#[tokio::test]
async fn full_disk_acknowledges_nothing_and_the_rest_can_be_read() {
    let folder = tempfile::tempdir().expect("folder");
    let mut fixture = Fixture::open(
        folder.path(),
        Options {
            max_bytes: Some(500 * 1024),
        },
    );
    let full = Err(AppendError::Write(WriteError::Full));
    let mut number = 0;
    let result = loop {
        number += 1;
        fixture.queue(FIRST, number, &[0; 20_000]);
        let (_, _, result) = fixture.settled().await;
        if result.is_err() {
            break result;
        }
    };

    assert_eq!(result, full);
    assert_eq!(fixture.log.newest(FIRST).await, Ok(number - 1));
    assert_eq!(
        fixture.append(FIRST, number + 1).await,
        Err(AppendError::Lost)
    );
}

#[tokio::test]
async fn page_is_bounded_but_never_empty_while_there_is_more() {
    let (_folder, mut fixture) = fixture();
    for number in 1..=5 {
        assert_eq!(fixture.append(FIRST, number).await, Ok(()));
    }

    let numbers = async |from, bytes| {
        let page = fixture
            .log
            .read(FIRST, From::Number(from), bytes)
            .await
            .expect("read");
        page.records
            .iter()
            .map(|record| record.number)
            .collect::<Vec<_>>()
    };

    assert_eq!(numbers(2, 250).await, [2, 3]);
    assert_eq!(numbers(4, 1).await, [4]);
    assert_eq!(numbers(6, 1_000).await, [0; 0]);
    assert_eq!(numbers(u64::MAX, 1_000).await, [0; 0]);
}

#[tokio::test]
async fn cut_needs_a_checkpoint_and_keeps_what_follows() {
    let (_folder, mut fixture) = fixture();
    for number in 1..=6 {
        let checkpoint = number == 1 || number == 4;
        let record = Record {
            number,
            checkpoint,
            bytes: Bytes::from_static(b"x"),
        };
        fixture
            .appender
            .append(Append {
                space: FIRST,
                record,
            })
            .expect("room");
        assert_eq!(fixture.settled().await.2, Ok(()));
    }
    let first = async |log: &SqliteLog| {
        log.read(FIRST, From::Number(0), 1_000)
            .await
            .expect("read")
            .records[0]
            .number
    };

    fixture.log.cut_below(FIRST, 5).await.expect("ran");
    assert_eq!(first(&fixture.log).await, 1);
    fixture.log.cut_below(FIRST, 4).await.expect("ran");
    assert_eq!(first(&fixture.log).await, 4);

    let page = fixture
        .log
        .read(FIRST, From::Checkpoint, 1_000)
        .await
        .expect("read");
    assert_eq!((page.newest, page.records[0].number), (6, 4));
    assert_eq!(fixture.append(FIRST, 7).await, Ok(()));
}

#[tokio::test]
async fn removed_space_leaves_nothing_and_others_stay() {
    let (_folder, mut fixture) = fixture();
    assert_eq!(fixture.append(FIRST, 1).await, Ok(()));
    assert_eq!(fixture.append(SECOND, 1).await, Ok(()));

    fixture.log.remove(FIRST).await.expect("removed");

    assert_eq!(fixture.log.list().await, Ok(vec![(SECOND, 1)]));
    assert_eq!(fixture.log.newest(FIRST).await, Ok(0));
}

/// Prints the rate beside that of one insert per commit; run with `--run-ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn rate_of_64_appends_in_flight_over_16_spaces() {
    let folder = tempfile::tempdir_in(std::env::current_dir().expect("folder")).expect("folder");
    let mut fixture = Fixture::open(folder.path(), Options::default());
    let body = vec![9; 1_100];
    let spaces: Vec<SpaceId> = (0..16).map(|index| SpaceId([index; 16])).collect();
    let mut next = [1_u64; 16];
    let started = std::time::Instant::now();
    let mut batch = Vec::new();
    for index in 0..64 {
        fixture.queue(spaces[index % 16], next[index % 16], &body);
        next[index % 16] += 1;
    }
    let mut done = 0_u32;
    while started.elapsed() < Duration::from_secs(5) {
        batch.clear();
        fixture.outcomes.collect(&mut batch, 64).await;
        for outcome in &batch {
            assert_eq!(outcome.result, Ok(()));
            done += 1;
            let index = usize::from(outcome.space.0[0]);
            fixture.queue(spaces[index], next[index], &body);
            next[index] += 1;
        }
    }
    let ours = f64::from(done) / started.elapsed().as_secs_f64();
    let reference = one_insert_per_commit(folder.path(), &body);
    println!(
        "log {ours:.0}/s, reference {reference:.0}/s, ratio {:.1}",
        ours / reference
    );
}

fn one_insert_per_commit(folder: &Path, body: &[u8]) -> f64 {
    let connection = rusqlite::Connection::open(folder.join("reference.db")).expect("opened");
    connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .expect("wal");
    connection
        .pragma_update(None, "synchronous", "FULL")
        .expect("full");
    connection
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
        .expect("table");
    let mut insert = connection
        .prepare("INSERT INTO t (b) VALUES (?1)")
        .expect("prepared");
    let started = std::time::Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < Duration::from_secs(5) {
        insert.execute([body]).expect("inserted");
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}

#[test]
fn log_can_be_shared_behind_a_pointer() {
    fn shared(_: Option<Arc<dyn VaultLog>>) {}
    shared(None);
}
