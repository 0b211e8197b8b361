//! One suite for both stores.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

fn name(text: &str) -> ObjectName {
    ObjectName::parse(text).expect("a name")
}

async fn written_object_is_read_back_whole_and_in_parts(store: &dyn ObjectStore) {
    let content = Bytes::from((0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    assert_eq!(
        store
            .put_if_absent(name("whole/a/0"), content.clone())
            .await,
        Ok(Put::Stored)
    );

    assert_eq!(
        store.get(name("whole/a/0"), None).await,
        Ok(Some(content.clone()))
    );
    assert_eq!(
        store.get(name("whole/a/0"), Some(5..9)).await,
        Ok(Some(content.slice(5..9)))
    );
    let tail = store.get(name("whole/a/0"), Some(99_990..200_000)).await;
    assert_eq!(tail, Ok(Some(content.slice(99_990..))));
    assert_eq!(
        store.get(name("whole/a/0"), Some(100_000..100_001)).await,
        Ok(Some(Bytes::new()))
    );
}

async fn second_put_changes_nothing_and_says_so(store: &dyn ObjectStore) {
    let put = store
        .put_if_absent(name("twice/a"), Bytes::from_static(b"first"))
        .await;
    assert_eq!(put, Ok(Put::Stored));

    let again = store
        .put_if_absent(name("twice/a"), Bytes::from_static(b"second"))
        .await;

    assert_eq!(again, Ok(Put::AlreadyThere));
    assert_eq!(
        store.get(name("twice/a"), None).await,
        Ok(Some(Bytes::from_static(b"first")))
    );
}

async fn of_many_puts_at_once_exactly_one_wins(store: &dyn ObjectStore) {
    let puts = futures_util::future::join_all(
        (0..8).map(|index| store.put_if_absent(name("race/a"), Bytes::from(vec![index; 50_000]))),
    )
    .await;

    let won: Vec<_> = (0..8)
        .filter(|index| puts[*index] == Ok(Put::Stored))
        .collect();
    assert_eq!(won.len(), 1);
    let content = store
        .get(name("race/a"), None)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(content.len(), 50_000);
    assert!(content.iter().all(|byte| usize::from(*byte) == won[0]));
}

async fn absent_object_is_none_and_can_be_deleted(store: &dyn ObjectStore) {
    assert_eq!(store.get(name("absent/a"), None).await, Ok(None));
    assert_eq!(store.delete(name("absent/a")).await, Ok(()));
    assert_eq!(store.list(name("absent")).await, Ok(vec![]));
}

async fn deleted_object_is_gone_and_its_name_can_be_used_again(store: &dyn ObjectStore) {
    store
        .put_if_absent(name("gone/deep/a"), Bytes::from_static(b"1"))
        .await
        .expect("stored");

    assert_eq!(store.delete(name("gone/deep/a")).await, Ok(()));

    assert_eq!(store.get(name("gone/deep/a"), None).await, Ok(None));
    let again = store
        .put_if_absent(name("gone/deep/a"), Bytes::from_static(b"2"))
        .await;
    assert_eq!(again, Ok(Put::Stored));
}

async fn listing_shows_what_is_below_a_folder_in_order(store: &dyn ObjectStore) {
    for text in ["list/b/1", "list/a/0", "list/b/0", "listed/c"] {
        store
            .put_if_absent(name(text), Bytes::from_static(b"x"))
            .await
            .expect("stored");
    }

    let listed = store.list(name("list")).await.expect("listed");

    assert_eq!(listed, ["list/a/0", "list/b/0", "list/b/1"].map(name));
    assert_eq!(store.list(name("list/b")).await.expect("listed").len(), 2);
}

async fn empty_object_is_an_object(store: &dyn ObjectStore) {
    assert_eq!(
        store.put_if_absent(name("empty/a"), Bytes::new()).await,
        Ok(Put::Stored)
    );
    assert_eq!(
        store.get(name("empty/a"), None).await,
        Ok(Some(Bytes::new()))
    );
}

async fn contract(store: &dyn ObjectStore) {
    written_object_is_read_back_whole_and_in_parts(store).await;
    second_put_changes_nothing_and_says_so(store).await;
    of_many_puts_at_once_exactly_one_wins(store).await;
    absent_object_is_none_and_can_be_deleted(store).await;
    deleted_object_is_gone_and_its_name_can_be_used_again(store).await;
    listing_shows_what_is_below_a_folder_in_order(store).await;
    empty_object_is_an_object(store).await;
}

#[tokio::test]
async fn folder_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("folder");
    let store = FolderStore::open(&folder.path().join("objects")).expect("opened");
    contract(&store).await;
}

#[tokio::test]
async fn s3_keeps_the_contract() {
    let server = S3Server::start();
    let store = server.store("node-a/").await;
    assert_eq!(store.probe().await, Ok(()));
    contract(&store).await;
}

#[tokio::test]
async fn two_nodes_share_a_bucket_under_their_prefixes() {
    let server = S3Server::start();
    let (here, there) = (server.store("here/").await, server.store("there/").await);
    here.put_if_absent(name("a/0"), Bytes::from_static(b"here"))
        .await
        .expect("stored");

    assert_eq!(there.get(name("a/0"), None).await, Ok(None));
    assert_eq!(there.list(name("a")).await, Ok(vec![]));
}

#[tokio::test]
async fn bucket_that_does_not_answer_is_unreachable() {
    let options = S3Options {
        endpoint: Some(format!("http://{}", free_address())),
        ..options(String::new(), "")
    };
    let store = S3Store::with(anyone(), &options).await;

    assert_eq!(
        store.get(name("a/0"), None).await,
        Err(StoreError::Unreachable)
    );
}

#[tokio::test]
async fn leftovers_of_an_interrupted_write_are_swept_and_never_seen() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("objects");
    let store = FolderStore::open(&root).expect("opened");
    store
        .put_if_absent(name("a/0"), Bytes::from_static(b"x"))
        .await
        .expect("stored");
    std::fs::write(root.join(".incoming/77"), b"half").expect("written");

    let store = FolderStore::open(&root).expect("opened again");

    assert!(!root.join(".incoming/77").exists());
    assert_eq!(
        store.get(name("a/0"), None).await,
        Ok(Some(Bytes::from_static(b"x")))
    );
}

#[tokio::test]
async fn folders_that_an_interrupted_deletion_left_empty_go_when_they_are_listed() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("objects");
    let store = FolderStore::open(&root).expect("opened");
    for object in ["a/b/1/0", "a/b/2/0", "a/c/1/0"] {
        let put = store.put_if_absent(name(object), Bytes::from_static(b"x"));
        put.await.expect("stored");
    }
    for object in ["a/b/1/0", "a/c/1/0"] {
        std::fs::remove_file(root.join(object)).expect("there");
    }

    let left = store.list(name("a")).await.expect("listed");

    assert_eq!(left, [name("a/b/2/0")]);
    assert!(root.join("a/b/2").exists());
    assert!(!root.join("a/b/1").exists());
    assert!(!root.join("a/c").exists());
    let put = store.put_if_absent(name("a/c/1/0"), Bytes::from_static(b"y"));
    assert_eq!(put.await, Ok(Put::Stored));
}

#[test]
fn names_that_could_leave_the_folder_are_refused() {
    let long = "a".repeat(201);
    for text in [
        "", "/", "a/", "/a", "a//b", "..", "a/../b", "a/.b", "A", "a b", "a\0", "é", &long,
    ] {
        assert_eq!(ObjectName::parse(text), Err(BadName), "{text:?}");
    }
    assert!(ObjectName::parse("spaces/00ff/1_2-3").is_ok());
}

/// A real S3 server process; ended on drop.
struct S3Server {
    child: Child,
    address: SocketAddr,
}

impl S3Server {
    fn start() -> Self {
        let program = std::env::var("VETTID_S3_SERVER").expect(
            "set VETTID_S3_SERVER to the path of moto_server (`cargo xtask setup` installs it)",
        );
        let address = free_address();
        let child = Command::new(program)
            .args(["-H", &address.ip().to_string()])
            .args(["-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server started");
        let server = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "moto_server does not listen");
            std::thread::yield_now();
        }
        server
    }

    async fn store(&self, prefix: &str) -> S3Store {
        let options = options(format!("http://{}", self.address), prefix);
        let store = S3Store::with(anyone(), &options).await;
        store.create_bucket().await;
        store
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn options(endpoint: String, prefix: &str) -> S3Options {
    S3Options {
        bucket: "vettid".to_owned(),
        prefix: prefix.to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        path_style: true,
    }
}

/// An address that nobody else takes: what other programs connect from is not of this process's own
/// part of the loopback network.
fn free_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x40, middle, low);
    TcpListener::bind((own, 0))
        .and_then(|socket| socket.local_addr())
        .expect("an address")
}

/// Credentials that the test server accepts: any.
fn anyone() -> aws_config::ConfigLoader {
    let keys = aws_sdk_s3::config::Credentials::new("anyone", "anything", None, None, "tests");
    aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12()).credentials_provider(keys)
}
