use tokio::sync::oneshot;

use super::*;
use crate::database::Options;
use crate::space::fixture::{append, space};

const LANE: LaneId = LaneId([1; 16]);
const NOW: UnixMillis = UnixMillis(1_000);

struct Fixture {
    database: Database,
    spool: SpoolRows,
    space: SpaceId,
    folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let database = Database::open(&path, Options::default()).expect("opened");
    let space = space(&database, 1).await;
    Fixture {
        spool: SpoolRows::new(database.clone()),
        database,
        space,
        folder,
    }
}

impl Fixture {
    fn delivery(&self, number: u8) -> Keep {
        Keep {
            space: self.space,
            after: 0,
            lane: LANE,
            delivery: DeliveryId([number; 16]),
            expires: UnixMillis(2_000),
            bytes: Bytes::from(vec![number; 10]),
        }
    }

    fn known(&self, newest: u64) -> Known {
        Known {
            space: self.space,
            lane: LANE,
            newest,
        }
    }

    async fn keep(&self, keep: Keep) -> Kept {
        let (told, kept) = oneshot::channel();
        let queued = self
            .spool
            .keep(keep, |kept| told.send(kept).expect("heard"));
        assert!(queued.is_ok());
        kept.await.expect("told")
    }

    async fn load(&self, behind: u64, count: usize) -> (Vec<u8>, bool) {
        let loaded = self.spool.load(LANE, behind, count, NOW).await;
        let (rows, all) = loaded.expect("read");
        (rows.iter().map(|row| row.delivery.0[0]).collect(), all)
    }
}

#[tokio::test]
async fn delivery_is_stored_behind_its_record_and_not_without_it() {
    let fixture = fixture().await;
    append(&fixture.database, fixture.space, 1, 2).await;
    let behind = |after: u64, number: u8| Keep {
        after,
        ..fixture.delivery(number)
    };

    assert!(matches!(fixture.keep(behind(2, 1)).await, Kept::Stored(..)));
    assert_eq!(
        fixture.keep(behind(3, 2)).await,
        Kept::NotStored(fixture.space)
    );
    assert_eq!(fixture.load(0, 9).await, (vec![1], true));
}

#[tokio::test]
async fn repeat_stays_where_it_is() {
    let fixture = fixture().await;
    let Kept::Stored(_, LANE, first) = fixture.keep(fixture.delivery(1)).await else {
        panic!("not stored");
    };
    let repeat = Keep {
        lane: LaneId([9; 16]),
        bytes: Bytes::from_static(b"other"),
        ..fixture.delivery(1)
    };

    assert_eq!(
        fixture.keep(repeat).await,
        Kept::Known(fixture.known(first.number))
    );
    assert_eq!(fixture.spool.count().await, Ok((1, 10)));
}

#[tokio::test]
async fn lane_is_read_in_order_and_in_parts_and_without_what_has_expired() {
    let fixture = fixture().await;
    for number in 1..=5 {
        let expires = UnixMillis(if number == 3 { 1_000 } else { 2_000 });
        let keep = Keep {
            expires,
            ..fixture.delivery(number)
        };
        fixture.keep(keep).await;
    }

    assert_eq!(fixture.load(0, 2).await, (vec![1, 2], false));
    assert_eq!(fixture.load(2, 9).await, (vec![4, 5], true));
    assert_eq!(fixture.spool.sweep(NOW).await, Ok(1));
    assert_eq!(fixture.spool.lanes(9).await, Ok(vec![fixture.known(5)]));
}

#[tokio::test]
async fn settled_deliveries_are_gone_after_the_database_is_opened_again() {
    let fixture = fixture().await;
    for number in 1..=3 {
        fixture.keep(fixture.delivery(number)).await;
    }
    let settled = vec![
        DeliveryId([1; 16]),
        DeliveryId([3; 16]),
        DeliveryId([7; 16]),
    ];
    fixture.spool.forget(settled).await.expect("forgotten");
    let path = fixture.folder.path().join("node.db");

    let again = SpoolRows::new(Database::open(&path, Options::default()).expect("opened"));

    assert_eq!(again.lanes(9).await, Ok(vec![fixture.known(2)]));
    assert_eq!(again.count().await, Ok((1, 10)));
}

#[tokio::test]
async fn space_that_has_too_many_waiting_gets_no_more_and_others_do() {
    let fixture = fixture().await;
    let other = space(&fixture.database, 2).await;
    let full = fixture.space;
    fixture
        .database
        .transact(move |connection| {
            connection.execute(
                "UPDATE space_use SET spooled = ?2 WHERE space = ?1",
                params![full.0, integer(SPACE_DELIVERIES)],
            )
        })
        .await
        .expect("full");

    assert_eq!(
        fixture.keep(fixture.delivery(1)).await,
        Kept::NotStored(fixture.space)
    );
    let elsewhere = Keep {
        space: other,
        ..fixture.delivery(1)
    };
    assert!(matches!(fixture.keep(elsewhere).await, Kept::Stored(..)));
}

/// Stores so many deliveries of a lane, each of so many bytes.
async fn fill(fixture: &Fixture, lane: LaneId, deliveries: u64, bytes: u64) {
    let space = fixture.space;
    fixture
        .database
        .transact(move |connection| {
            let insert = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ?4)
                INSERT INTO spool (delivery, lane, space, expires, bytes)
                SELECT randomblob(16), ?1, ?2, 2000, zeroblob(?3) FROM n";
            let values = params![lane.0, space.0, integer(bytes), integer(deliveries)];
            connection.execute(insert, values).map(drop)
        })
        .await
        .expect("stored");
}

#[tokio::test]
async fn lane_that_nobody_empties_leaves_half_of_the_quota_to_others() {
    let dead = LaneId([9; 16]);
    for (deliveries, bytes) in [(SPACE_DELIVERIES / 2, 1), (256, SPACE_BYTES / 512)] {
        let fixture = fixture().await;
        fill(&fixture, dead, deliveries, bytes).await;

        let one_more = Keep {
            lane: dead,
            ..fixture.delivery(1)
        };
        assert_eq!(fixture.keep(one_more).await, Kept::NotStored(fixture.space));
        let other = fixture.keep(fixture.delivery(2)).await;
        assert!(matches!(other, Kept::Stored(..)));
    }
}

#[tokio::test]
async fn many_lanes_that_nobody_empties_leave_room_for_another() {
    let fixture = fixture().await;
    // Of a group whose members are all away.
    for member in 100..200 {
        fill(&fixture, LaneId([member; 16]), 190, 1).await;
    }
    let one_more = |member, number| Keep {
        lane: LaneId([member; 16]),
        ..fixture.delivery(number)
    };
    let left = SPACE_DELIVERIES - 19_000;
    fill(&fixture, LaneId([100; 16]), left - 300, 1).await;

    assert_eq!(
        fixture.keep(one_more(100, 1)).await,
        Kept::NotStored(fixture.space)
    );
    let other = fixture.keep(fixture.delivery(2)).await;
    assert!(matches!(other, Kept::Stored(..)));
}

#[tokio::test]
async fn unknown_or_removed_spaces_keep_nothing() {
    let fixture = fixture().await;
    let unknown = Keep {
        space: SpaceId([9; 16]),
        ..fixture.delivery(1)
    };
    assert_eq!(
        fixture.keep(unknown).await,
        Kept::NotStored(SpaceId([9; 16]))
    );
    fixture.keep(fixture.delivery(2)).await;

    let directory = crate::space::Directory::new(fixture.database.clone());
    directory.remove(fixture.space, 1).await.expect("removed");

    assert_eq!(fixture.spool.lanes(9).await, Ok(vec![]));
    assert_eq!(
        fixture.keep(fixture.delivery(3)).await,
        Kept::NotStored(fixture.space)
    );
}

/// Stores so many lanes of a space, each with one delivery.
async fn store_lanes(fixture: &Fixture, count: usize) {
    let space = fixture.space;
    fixture
        .database
        .transact(move |connection| {
            let mut insert = connection.prepare(
                "INSERT INTO spool (delivery, lane, space, expires, bytes)
                 VALUES (?1, ?1, ?2, 2000, x'01')",
            )?;
            (0..count as u64).try_for_each(|number| {
                let id = u128::from(number).to_be_bytes();
                insert.execute(params![id, space.0]).map(drop)
            })
        })
        .await
        .expect("stored");
}

#[tokio::test]
async fn newest_lanes_of_a_space_are_among_those_that_are_followed_and_others_take_turns() {
    let fixture = fixture().await;
    store_lanes(&fixture, 2 * LANES_OF_SPACE).await;
    let mut looks = Vec::new();
    for _ in 0..2 {
        let lanes = fixture.spool.lanes(usize::MAX).await.expect("read");
        looks.push(lanes.iter().map(|known| known.newest).collect::<Vec<_>>());
    }

    let newest = looks.iter_mut().map(|look| {
        look.sort_unstable();
        look.split_off(LANES_OF_SPACE / 2)
    });
    let last = 2 * LANES_OF_SPACE as u64;
    let expected: Vec<u64> = (last - LANES_OF_SPACE as u64 / 2 + 1..=last).collect();
    assert!(newest.into_iter().all(|newest| newest == expected));
    assert_ne!(looks[0], looks[1]);
}

#[tokio::test]
async fn spaces_with_few_lanes_are_not_behind_one_with_many() {
    let fixture = fixture().await;
    let other = space(&fixture.database, 2).await;
    store_lanes(&fixture, 10).await;
    let late = Keep {
        space: other,
        ..fixture.delivery(1)
    };
    fixture.keep(late).await;

    let lanes = fixture.spool.lanes(2).await.expect("read");

    let spaces: Vec<_> = lanes.iter().map(|known| known.space).collect();
    assert!(spaces.contains(&fixture.space) && spaces.contains(&other));
}

#[tokio::test]
async fn space_with_more_lanes_than_its_share_leaves_room_for_the_lanes_of_others() {
    let fixture = fixture().await;
    let other = space(&fixture.database, 2).await;
    let crowd = fixture.space;
    store_lanes(&fixture, LANES_OF_SPACE + 2).await;
    let late = Keep {
        space: other,
        ..fixture.delivery(1)
    };
    fixture.keep(late).await;

    let lanes = fixture.spool.lanes(LANES_OF_SPACE + 1).await.expect("read");

    let of = |space| lanes.iter().filter(|known| known.space == space).count();
    assert_eq!((of(crowd), of(other)), (LANES_OF_SPACE, 1));
}
