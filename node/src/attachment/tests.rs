use super::*;
use crate::database::Options;
use crate::object_store::FolderStore;
use crate::space::fixture::space;

struct Fixture {
    attachments: Attachments,
    space: SpaceId,
    folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let database = Database::open(&path, Options::default()).expect("opened");
    let space = space(&database, 1).await;
    let objects = FolderStore::open(&folder.path().join("objects")).expect("store");
    Fixture {
        attachments: Attachments::new(database, Arc::new(objects), Arc::default(), 10 * CHUNK),
        space,
        folder,
    }
}

const CHUNK_0: Chunk = Chunk {
    id: AttachmentId([1; 16]),
    index: 0,
    source: None,
};

async fn read(mut reading: Reading) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = reading.next().await.expect("read") {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

impl Fixture {
    async fn store(&self, bytes: &[u8]) {
        let size = bytes.len() as u64;
        let place = self.attachments.begin(self.space, CHUNK_0, size).await;
        let Ok(Ok(place)) = place else {
            panic!("no place");
        };
        let stored = self
            .attachments
            .store(place, Bytes::copy_from_slice(bytes))
            .await;
        assert_eq!(stored, Ok(Entered::New));
    }
}

#[tokio::test]
async fn chunk_is_read_from_any_byte_on() {
    let fixture = fixture().await;
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(600_000).collect();
    fixture.store(&bytes).await;

    for offset in [0, 1, 262_144, 599_999, 600_000, 700_000] {
        let reading = fixture.attachments.open(CHUNK_0, offset).await;
        let reading = reading.expect("read").expect("there");
        let from = usize::try_from(offset).expect("small").min(bytes.len());
        assert_eq!(reading.left(), (bytes.len() - from) as u64);
        assert!(read(reading).await == bytes[from..], "{offset}");
    }
}

#[tokio::test]
async fn chunk_whose_object_is_lost_is_not_there_and_can_be_stored_again() {
    let fixture = fixture().await;
    fixture.store(b"sealed").await;
    let objects = fixture.folder.path().join("objects/attachments");
    std::fs::remove_dir_all(objects).expect("lost");

    assert!(
        fixture
            .attachments
            .open(CHUNK_0, 0)
            .await
            .expect("read")
            .is_none()
    );
    fixture.store(b"sealed").await;
}

#[tokio::test]
async fn memory_for_bodies_is_shared_and_copies_have_half_of_it_at_most() {
    let fixture = fixture().await;
    let copies: Vec<_> = (0..7)
        .filter_map(|_| fixture.attachments.spare_memory(CHUNK))
        .collect();

    assert_eq!(copies.len(), 3);
    let left = (MEMORY - COPIES) as u64 * UNIT;
    assert!(fixture.attachments.memory(left).await.is_some());
}

#[tokio::test]
async fn place_that_is_not_used_is_free_again_at_once() {
    let fixture = fixture().await;
    for _ in 0..20 {
        let place = fixture.attachments.begin(fixture.space, CHUNK_0, CHUNK);
        let place = place.await.expect("written");
        assert!(place.is_ok());
        drop(place);
    }
}

/// The one that loses leaves nothing behind.
#[tokio::test]
async fn chunk_that_is_put_twice_at_once_is_stored_once() {
    let fixture = fixture().await;
    let begin = || fixture.attachments.begin(fixture.space, CHUNK_0, 6);
    let (first, second) = (begin().await, begin().await);
    let (Ok(Ok(first)), Ok(Ok(second))) = (first, second) else {
        panic!("no place");
    };
    let bytes = Bytes::from_static(b"sealed");

    let stored = fixture.attachments.store(first, bytes.clone()).await;
    assert_eq!(stored, Ok(Entered::New));
    let lost = fixture.attachments.store(second, bytes).await;
    assert_eq!(lost, Ok(Entered::Known));

    let folder = fixture.folder.path().join("objects/attachments");
    let files = walk(&folder);
    assert_eq!(files, 1);
}

/// Whoever leaves while a chunk is being written leaves no object that nothing counts.
#[tokio::test]
async fn chunk_is_stored_though_its_sender_has_left() {
    let fixture = fixture().await;
    let place = fixture.attachments.begin(fixture.space, CHUNK_0, 6).await;
    let Ok(Ok(place)) = place else {
        panic!("no place");
    };
    {
        let store = fixture
            .attachments
            .store(place, Bytes::from_static(b"sealed"));
        let mut store = std::pin::pin!(store);
        let left = futures_util::poll!(store.as_mut());
        assert!(left.is_pending());
    }

    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while fixture
        .attachments
        .open(CHUNK_0, 0)
        .await
        .expect("read")
        .is_none()
    {
        assert!(tokio::time::Instant::now() < deadline, "never stored");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn space_has_few_bodies_under_way_and_others_are_not_kept_waiting() {
    let fixture = fixture().await;
    let other = SpaceId([9; 16]);
    let attachments = &fixture.attachments;
    let first = attachments.body(fixture.space).await;
    let second = attachments.body(fixture.space).await;
    let mut third = std::pin::pin!(attachments.body(fixture.space));
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    assert!(attachments.body(other).await.is_some());

    drop(first);
    assert!(third.await.is_some());
    drop(second);
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("folder");
    let paths = entries.map(|entry| entry.expect("entry").path());
    paths
        .map(|path| if path.is_dir() { walk(&path) } else { 1 })
        .sum()
}
