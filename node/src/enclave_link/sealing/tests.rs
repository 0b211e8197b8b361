use std::net::Ipv4Addr;

use tempfile::TempDir;
use tokio::net::TcpListener;

use vettid_wire::link::handover::{LaterImage, Others};

use super::*;
use crate::database::Options;
use crate::release::{NotToServe, ReleaseRows};
use crate::space;

/// A desk over an empty database, whose key service is a local listener.
struct Fixture {
    desk: SealingDesk,
    listener: TcpListener,
    database: Database,
    _place: TempDir,
}

/// An address at which no other program takes a port that is free: each process has its own part of
/// the loopback network.
fn own_ip() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 0x40, middle, low)
}

async fn fixture() -> Fixture {
    let place = tempfile::tempdir().expect("folder");
    let database = Database::open(&place.path().join("node.db"), Options::default());
    let database = database.expect("database");
    let listener = TcpListener::bind((own_ip(), 0)).await.expect("port");
    let endpoint = listener.local_addr().expect("address").to_string();
    let service = KeyService {
        region: "eu-central-1".to_owned(),
        role: "arn:aws:iam::111122223333:role/vettid-node".to_owned(),
        retirement: None,
        endpoint: Some(endpoint),
    };
    Fixture {
        desk: SealingDesk::new(
            Some(service),
            database.clone(),
            Purpose::Serve,
            vec![1, 2, 3],
        ),
        listener,
        database,
        _place: place,
    }
}

/// A desk without a key service, in a network that accepts releases 1 to 3.
fn desk(database: &Database, purpose: Purpose) -> SealingDesk {
    SealingDesk::new(None, database.clone(), purpose, vec![1, 2, 3])
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

    let mut without = SealingDesk::new(None, database, Purpose::Serve, vec![1, 2, 3]);
    assert_eq!(without.obey(FromEnclave::Dial).await, turn, "nowhere to");
    let access = without.obey(FromEnclave::Ask(1)).await;
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
async fn first_sealed_root_of_each_release_is_kept_and_no_second() {
    let mut fixture = fixture().await;
    let keep = |sealed: &[u8]| FromEnclave::Keep(sealed.to_vec());
    let kept = |durable| Ok(Some(ToEnclave::Kept(durable)));
    let early = fixture.desk.obey(keep(b"early")).await;
    assert_eq!(early, Err(EnclaveMisbehaved::Turn));
    for (release, first) in [(1, b"first"), (2, b"later")] {
        let desk = &mut desk(&fixture.database, Purpose::Serve);
        // Without credentials there is no access; the release is noted all the same.
        desk.obey(FromEnclave::Ask(release))
            .await
            .expect("answered");
        assert_eq!(desk.obey(keep(first)).await, kept(true));
        assert_eq!(desk.obey(keep(b"second")).await, kept(false));
    }

    let releases = ReleaseRows::new(fixture.database.clone());
    for (release, first) in [(1, b"first"), (2, b"later")] {
        let sealed = releases.sealed_root(release, false).await.expect("read");
        assert_eq!(sealed, Some(first.to_vec()));
    }
}

#[tokio::test]
async fn lost_sealed_root_is_not_taken_for_a_first_boot() {
    let fixture = fixture().await;
    space::fixture::space(&fixture.database, 1).await;
    let releases = ReleaseRows::new(fixture.database.clone());

    let lost = releases.sealed_root(1, false).await;

    assert!(matches!(lost, Err(NotToServe::Lost)), "{lost:?}");
    let prepared = releases.sealed_root(2, true).await;
    assert!(matches!(prepared, Ok(None)), "{prepared:?}");
}

fn image(release: u32) -> LaterImage {
    LaterImage {
        release,
        image: [7; 32],
    }
}

/// What a release is answered that asks for others.
async fn others(desk: &mut SealingDesk, release: u32) -> Option<Others> {
    match desk.obey(FromEnclave::Others(release)).await {
        Ok(Some(ToEnclave::Others(others))) => others,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn later_release_serves_once_an_earlier_one_has_handed_over() {
    let mut fixture = fixture().await;
    let releases = ReleaseRows::new(fixture.database.clone());
    let kept = Ok(Some(ToEnclave::Kept(true)));
    let (first, second) = (
        &mut fixture.desk,
        &mut desk(&fixture.database, Purpose::Serve),
    );
    assert_eq!(others(first, 1).await, Some(Others::default()));
    releases.note_served(1).await.expect("noted");
    assert_eq!(others(second, 2).await, None, "nothing of the first");

    let mut prepares = desk(&fixture.database, Purpose::Prepare);
    let asked = prepares.obey(FromEnclave::Others(2)).await;
    assert_eq!(asked, Ok(Some(ToEnclave::MakeOffer)));
    let (release, offer) = (2, b"offer".to_vec());
    let offered = prepares.obey(FromEnclave::Offer { release, offer }).await;
    assert_eq!(offered, kept);
    assert_eq!(others(second, 2).await, None, "still nothing");
    let told = others(first, 1).await.expect("serves");
    assert_eq!(told.offer, Some(b"offer".to_vec().into()));
    let (to, handover) = (image(2), b"handover".to_vec());
    let handed = first.obey(FromEnclave::HandOver { to, handover }).await;
    assert_eq!(handed, kept);

    let told = others(second, 2).await.expect("serves");
    assert_eq!(told.handovers, [b"handover".to_vec().into()]);
    let inherited = FromEnclave::Inherit(b"mine".to_vec());
    assert_eq!(second.obey(inherited).await, kept);
    releases.note_served(2).await.expect("noted");
    let told = others(second, 2).await.expect("serves");
    let mine = Some(b"mine".to_vec().into());
    assert_eq!((told.inheritance, told.handovers.len()), (mine, 1));
    assert_eq!(second.may_serve(), Some(2));
    let told = others(first, 1).await.expect("the first may serve again");
    assert_eq!(told.later, [image(2)]);
}

#[tokio::test]
async fn release_that_is_earlier_than_all_that_have_served_does_not_serve() {
    let mut fixture = fixture().await;
    let releases = ReleaseRows::new(fixture.database.clone());
    releases.note_served(2).await.expect("noted");

    assert_eq!(others(&mut fixture.desk, 1).await, None);

    let why = releases.others(1, &[]).await;
    assert!(matches!(why, Err(NotToServe::Earlier(1))), "{why:?}");
}

#[tokio::test]
async fn offered_is_the_latest_release_that_the_network_accepts() {
    let mut fixture = fixture().await;
    let releases = ReleaseRows::new(fixture.database.clone());
    for release in [2, 3, 9] {
        let offer = vec![u8::try_from(release).expect("small")];
        releases.offer(release, offer).await.expect("kept");
    }

    let told = others(&mut fixture.desk, 1).await.expect("serves");
    let nothing = releases.others(1, &[1]).await.expect("serves");

    assert_eq!(told.offer, Some(vec![3].into()));
    assert_eq!(nothing.offer, None);
}

#[tokio::test]
async fn later_release_that_has_lost_what_it_took_over_does_not_serve_as_another_node() {
    let fixture = fixture().await;
    let releases = ReleaseRows::new(fixture.database.clone());
    releases.note_served(1).await.expect("noted");
    releases.note_served(2).await.expect("noted");

    let mut desk = desk(&fixture.database, Purpose::Serve);

    assert_eq!(others(&mut desk, 2).await, None);
    assert_eq!(desk.may_serve(), None);
}

#[tokio::test]
async fn what_releases_share_is_kept_in_its_turn_and_within_bounds() {
    let fixture = fixture().await;
    let hand_over = |to, size| FromEnclave::HandOver {
        to: image(to),
        handover: vec![0; size],
    };
    let offer = |release, size| FromEnclave::Offer {
        release,
        offer: vec![0; size],
    };
    let (turn, large) = (
        Err(EnclaveMisbehaved::Turn),
        Err(EnclaveMisbehaved::Sealing),
    );
    let most = limits::HANDOVER;

    let mut serves = desk(&fixture.database, Purpose::Serve);
    assert_eq!(serves.obey(hand_over(2, 1)).await, turn, "before it asked");
    others(&mut serves, 1).await;
    assert_eq!(serves.obey(hand_over(1, 1)).await, turn, "to itself");
    assert_eq!(serves.obey(offer(1, 1)).await, turn, "not asked for");
    assert_eq!(serves.obey(hand_over(2, most + 1)).await, large);
    let inherit = FromEnclave::Inherit(vec![0; most + 1]);
    assert_eq!(serves.obey(inherit).await, large);
    let another = serves.obey(FromEnclave::Others(2)).await;
    assert_eq!(another, turn, "one link is to one release");

    let mut prepares = desk(&fixture.database, Purpose::Prepare);
    prepares.obey(FromEnclave::Others(2)).await.expect("asked");
    assert_eq!(prepares.obey(hand_over(3, 1)).await, turn, "does not serve");
    assert_eq!(prepares.obey(offer(3, 1)).await, turn, "of another");
    assert_eq!(prepares.obey(offer(2, most + 1)).await, large);
}
