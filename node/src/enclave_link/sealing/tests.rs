use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;
use crate::database::Options;

/// A desk over an empty database, whose key service is a local listener.
struct Fixture {
    desk: SealingDesk,
    listener: TcpListener,
    database: Database,
    _place: TempDir,
}

async fn fixture() -> Fixture {
    let place = tempfile::tempdir().expect("folder");
    let database = Database::open(&place.path().join("node.db"), Options::default());
    let database = database.expect("database");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let endpoint = listener.local_addr().expect("address").to_string();
    let service = KeyService {
        region: "eu-central-1".to_owned(),
        role: "arn:aws:iam::111122223333:role/vettid-node".to_owned(),
        retirement: None,
        endpoint: Some(endpoint),
    };
    Fixture {
        desk: SealingDesk::new(Some(service), database.clone()),
        listener,
        database,
        _place: place,
    }
}

fn bytes(length: usize) -> FromEnclave {
    FromEnclave::Bytes(vec![7; length])
}

#[tokio::test]
async fn bytes_are_carried_both_ways_until_the_service_hangs_up() {
    let Fixture {
        mut desk, listener, ..
    } = fixture().await;

    assert_eq!(desk.obey(FromEnclave::Dial).await, Ok(None));
    let (mut service, _) = listener.accept().await.expect("dialed");
    assert_eq!(desk.obey(bytes(5)).await, Ok(None));
    let mut heard = [0; 5];
    service.read_exact(&mut heard).await.expect("carried");
    service.write_all(b"answer").await.expect("sent");
    assert_eq!(desk.hear().await, ToEnclave::Bytes(b"answer".to_vec()));
    drop(service);

    assert_eq!(heard, [7; 5]);
    assert_eq!(desk.hear().await, ToEnclave::Bytes(vec![]));
    assert_eq!(desk.obey(bytes(5)).await, Ok(None), "it may not have heard");
}

#[tokio::test]
async fn service_that_cannot_be_reached_is_told_as_an_end() {
    let Fixture {
        mut desk, listener, ..
    } = fixture().await;
    drop(listener);

    let told = desk.obey(FromEnclave::Dial).await;

    assert_eq!(told, Ok(Some(ToEnclave::Bytes(vec![]))));
}

#[tokio::test]
async fn enclave_that_does_what_it_must_not_is_caught() {
    let turn = Err(EnclaveMisbehaved::Turn);
    let large = Err(EnclaveMisbehaved::Sealing);
    let Fixture {
        mut desk,
        listener,
        database,
        ..
    } = fixture().await;
    assert_eq!(desk.obey(bytes(1)).await, turn, "before it dialed");
    assert_eq!(desk.obey(FromEnclave::Dial).await, Ok(None));
    assert_eq!(desk.obey(FromEnclave::Dial).await, turn, "twice");
    let piece = limits::SEALING_PIECE;
    assert_eq!(desk.obey(bytes(piece + 1)).await, large);
    let sealed = FromEnclave::Keep(vec![0; limits::SEALED_ROOT + 1]);
    assert_eq!(desk.obey(sealed).await, large);
    let why = "x".repeat(limits::SEALING_FAILURE + 1);
    assert_eq!(desk.obey(FromEnclave::Failed(why)).await, large);

    let mut without = SealingDesk::new(None, database);
    assert_eq!(without.obey(FromEnclave::Dial).await, turn, "nowhere to");
    let access = without.obey(FromEnclave::Ask).await;
    assert_eq!(access, Ok(Some(ToEnclave::Access(None))));
    drop(listener);
}

#[tokio::test]
async fn connection_carries_no_more_than_it_may() {
    let Fixture {
        mut desk, listener, ..
    } = fixture().await;
    assert_eq!(desk.obey(FromEnclave::Dial).await, Ok(None));
    let (service, _) = listener.accept().await.expect("dialed");
    let (mut reading, mut writing) = service.into_split();
    let drains =
        tokio::spawn(async move { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await });
    let piece = limits::SEALING_PIECE;
    let half = limits::SEALING_CONNECTION / 2;
    for _ in 0..half / piece {
        assert_eq!(desk.obey(bytes(piece)).await, Ok(None));
    }
    let floods = tokio::spawn(async move { writing.write_all(&vec![1; half + 1]).await });

    let mut heard = 0;
    while let ToEnclave::Bytes(bytes) = desk.hear().await {
        if bytes.is_empty() {
            break;
        }
        heard += bytes.len();
    }

    assert!(heard <= half, "{heard}");
    let large = Err(EnclaveMisbehaved::Sealing);
    assert_eq!(desk.obey(bytes(1)).await, large);
    drop(desk);
    let _ = (drains.await, floods.await);
}

#[tokio::test]
async fn first_sealed_root_is_kept_and_no_second() {
    let mut fixture = fixture().await;
    let desk = &mut fixture.desk;
    let keep = |sealed: &[u8]| FromEnclave::Keep(sealed.to_vec());
    let kept = |durable| Ok(Some(ToEnclave::Kept(durable)));
    assert_eq!(desk.sealed_root().await.expect("read"), None);

    assert_eq!(desk.obey(keep(b"first")).await, kept(true));
    assert_eq!(desk.obey(keep(b"second")).await, kept(false));

    let later = SealingDesk::new(None, fixture.database.clone());
    let sealed = later.sealed_root().await.expect("read");
    assert_eq!(sealed, Some(b"first".to_vec()));
}

#[tokio::test]
async fn lost_sealed_root_is_not_taken_for_a_first_boot() {
    let fixture = fixture().await;
    space::fixture::space(&fixture.database, 1).await;

    let lost = fixture.desk.sealed_root().await;

    assert!(matches!(lost, Err(Unread::Lost)), "{lost:?}");
}
