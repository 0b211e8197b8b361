use super::*;
use crate::database::Options;
use crate::space::fixture::space;

const NODE: NodeId = NodeId([8; 32]);
const QUOTA: u64 = 100;

struct Fixture {
    rows: ChunkRows,
    database: Database,
    space: SpaceId,
    other: SpaceId,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let database = Database::open(&path, Options::default()).expect("opened");
    Fixture {
        space: space(&database, 1).await,
        other: space(&database, 2).await,
        rows: ChunkRows::new(database.clone(), QUOTA),
        database,
        _folder: folder,
    }
}

fn own(index: u32) -> Chunk {
    Chunk {
        id: AttachmentId([3; 16]),
        index,
        source: None,
    }
}

fn copy(index: u32) -> Chunk {
    Chunk {
        source: Some(NODE),
        ..own(index)
    }
}

fn stored(name: &str, size: u64) -> Stored {
    let object = ObjectName::parse(&format!("attachments/{name}")).expect("a name");
    Stored { object, size }
}

impl Fixture {
    async fn enter(&self, space: SpaceId, chunk: Chunk, stored: Stored, now: u64) -> Entered {
        loop {
            let begun = self.rows.begin(space, chunk, stored.clone(), now).await;
            match begun.expect("written") {
                Begun::Place => break,
                Begun::After(objects) => {
                    for object in objects {
                        self.rows.removed(object).await.expect("written");
                    }
                }
                Begun::Not(entered) => return entered,
            }
        }
        let entered = self.rows.enter(space, chunk, stored, now).await;
        entered.expect("written")
    }

    /// Bytes that count for the space.
    async fn used(&self) -> i64 {
        let space = self.space;
        let used = self.database.read(move |connection| {
            let sql = "SELECT attachment_bytes FROM space_use WHERE space = ?1";
            connection.query_row(sql, [space.0], |row| row.get(0))
        });
        used.await.expect("read")
    }
}

#[tokio::test]
async fn chunk_is_entered_once_and_by_one_space_alone() {
    let fixture = fixture().await;
    let (space, other) = (fixture.space, fixture.other);
    assert_eq!(
        fixture.enter(space, own(0), stored("a", 10), 1).await,
        Entered::New
    );

    assert_eq!(
        fixture.enter(space, own(0), stored("b", 10), 1).await,
        Entered::Known
    );
    assert_eq!(
        fixture.enter(other, own(0), stored("c", 10), 1).await,
        Entered::Foreign
    );
    assert_eq!(
        fixture.rows.find(own(0), 1).await,
        Ok(Some(stored("a", 10)))
    );
    assert_eq!(fixture.rows.find(own(1), 1).await, Ok(None));
}

#[tokio::test]
async fn copy_from_a_node_does_not_take_the_place_of_what_an_owner_has_stored() {
    let fixture = fixture().await;
    fixture
        .enter(fixture.space, own(0), stored("a", 10), 1)
        .await;
    fixture
        .enter(fixture.other, copy(0), stored("b", 20), 1)
        .await;

    assert_eq!(
        fixture.rows.find(own(0), 1).await,
        Ok(Some(stored("a", 10)))
    );
    assert_eq!(
        fixture.rows.find(copy(0), 1).await,
        Ok(Some(stored("b", 20)))
    );
}

#[tokio::test]
async fn full_space_gives_up_its_copies_and_never_its_own() {
    let fixture = fixture().await;
    let space = fixture.space;
    fixture.enter(space, own(0), stored("a", 60), 1).await;
    fixture.enter(space, copy(1), stored("b", 30), 2).await;

    assert_eq!(
        fixture.enter(space, own(1), stored("c", 40), 3).await,
        Entered::New
    );
    assert_eq!(fixture.rows.find(copy(1), 3).await, Ok(None));
    assert_eq!(
        fixture.enter(space, own(2), stored("d", 1), 3).await,
        Entered::Full
    );
    assert_eq!(
        fixture
            .enter(fixture.other, own(2), stored("e", 1), 3)
            .await,
        Entered::New
    );
}

#[tokio::test]
async fn copies_that_nobody_uses_go_and_used_ones_stay() {
    let fixture = fixture().await;
    fixture
        .enter(fixture.space, own(0), stored("a", 1), 0)
        .await;
    fixture
        .enter(fixture.space, copy(0), stored("b", 1), 0)
        .await;
    fixture
        .enter(fixture.space, copy(1), stored("c", 1), 0)
        .await;
    fixture.rows.find(copy(1), UNUSED).await.expect("used");
    fixture.database.transact(|_| Ok(())).await.expect("noted");

    fixture.rows.sweep(UNUSED).await.expect("swept");

    assert_eq!(fixture.rows.find(copy(0), 1).await, Ok(None));
    assert!(fixture.rows.find(copy(1), 1).await.expect("read").is_some());
    assert!(fixture.rows.find(own(0), 1).await.expect("read").is_some());
}

#[tokio::test]
async fn object_that_was_never_entered_is_removed_after_a_while() {
    let fixture = fixture().await;
    let begun = fixture
        .rows
        .begin(fixture.space, own(0), stored("a", 1), 1_000)
        .await;
    assert_eq!(begun, Ok(Begun::Place));
    assert_eq!(fixture.rows.sweep(1_000).await, Ok(vec![]));

    let due = fixture.rows.sweep(1_000 + ABANDONED).await.expect("swept");
    assert_eq!(due, [stored("a", 1).object]);
    fixture.rows.removed(due[0].clone()).await.expect("noted");
    assert_eq!(fixture.rows.sweep(u64::MAX / 4).await, Ok(vec![]));
}

#[tokio::test]
async fn chunks_of_a_removed_space_are_swept_and_of_a_suspended_one_not_shown() {
    let fixture = fixture().await;
    fixture
        .enter(fixture.space, own(0), stored("a", 1), 1)
        .await;
    let directory = crate::space::Directory::new(fixture.database.clone());
    directory
        .suspend(fixture.space, 1)
        .await
        .expect("suspended");
    assert_eq!(fixture.rows.find(own(0), 1).await, Ok(None));

    directory.remove(fixture.space, 1).await.expect("removed");

    let due = fixture.rows.sweep(u64::MAX / 4).await;
    assert_eq!(due, Ok(vec![stored("a", 1).object]));
}

/// Whoever breaks off, and whoever puts one chunk many times at once, is not given more room.
#[tokio::test]
async fn what_is_being_written_counts_until_it_is_removed() {
    let fixture = fixture().await;
    let (rows, space) = (&fixture.rows, fixture.space);
    let begin = |name, size| rows.begin(space, own(0), stored(name, size), 1);
    assert_eq!(begin("a", 60).await, Ok(Begun::Place));
    assert_eq!(fixture.used().await, 60);

    assert_eq!(begin("b", 60).await, Ok(Begun::Not(Entered::Full)));
    assert_eq!(begin("c", 30).await, Ok(Begun::Place));
    let entered = rows.enter(space, own(0), stored("a", 60), 2).await;
    assert_eq!(entered, Ok(Entered::New));
    let lost = rows.enter(space, own(0), stored("c", 30), 2).await;
    assert_eq!(lost, Ok(Entered::Known));
    assert_eq!(fixture.used().await, 90);
    rows.release(stored("c", 30).object);
    fixture.database.transact(|_| Ok(())).await.expect("done");
    assert_eq!(fixture.used().await, 60);
}

#[tokio::test]
async fn copy_that_makes_room_counts_until_its_object_is_gone() {
    let fixture = fixture().await;
    let (rows, space) = (&fixture.rows, fixture.space);
    fixture.enter(space, copy(1), stored("a", 80), 1).await;

    let begin = || rows.begin(space, own(0), stored("b", 50), 2);
    let objects = vec![stored("a", 80).object];
    assert_eq!(begin().await, Ok(Begun::After(objects.clone())));
    assert_eq!(begin().await, Ok(Begun::After(objects.clone())));
    rows.removed(objects[0].clone()).await.expect("noted");

    assert_eq!(begin().await, Ok(Begun::Place));
    assert_eq!(fixture.used().await, 50);
}

#[tokio::test]
async fn object_whose_place_was_swept_is_not_entered() {
    let fixture = fixture().await;
    let (rows, space) = (&fixture.rows, fixture.space);
    let begun = rows.begin(space, own(0), stored("a", 1), 1).await;
    assert_eq!(begun, Ok(Begun::Place));
    rows.removed(stored("a", 1).object).await.expect("noted");

    let entered = rows.enter(space, own(0), stored("a", 1), 2).await;

    assert_eq!(entered, Ok(Entered::Full));
}
