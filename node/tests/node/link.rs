//! The link: what the enclave may do, and what follows when it does something else.

use bytes::Bytes;
use vettid_node::database::{Database, Options};
use vettid_node::vault_log::{From, SqliteLog, VaultLog};
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::limits;
use vettid_wire::link::{
    AppendRefusal, Closed, Entry, FromEnclave, FromHost, Level, LogLine, RecordBytes,
};
use vettid_wire::subject;

use crate::bus::{envelope, next};
use crate::fixture::{Device, Place, Running, soon};

/// A device whose space is open in the played enclave, and its subscription.
pub(crate) async fn opened(
    running: &mut Running,
) -> (Device, async_nats::Client, async_nats::Subscriber) {
    let device = running.enroll().await;
    let client = device.connect().await;
    let subject = subject::for_app(device.space, device.route);
    let heard = client.subscribe(subject).await.expect("asked");
    ask(&client, &device, b"hello").await;
    soon(running.enclave.open(device.space)).await;
    soon(running.enclave.envelope(device.space)).await;
    (device, client, heard)
}

async fn ask(client: &async_nats::Client, device: &Device, body: &[u8]) {
    let bytes = Bytes::from(envelope(device.route, body));
    client
        .publish(subject::for_vault(device.space), bytes)
        .await
        .expect("queued");
    client.flush().await.expect("flushed");
}

pub(crate) fn append(device: &Device, number: u64, record: &[u8]) -> FromEnclave {
    let record = record.to_vec();
    FromEnclave::Append {
        space: device.space,
        number,
        checkpoint: number == 1,
        record,
    }
}

fn frame(device: &Device, after: u64, body: &[u8]) -> FromEnclave {
    FromEnclave::Frame {
        space: device.space,
        after,
        envelope: envelope(device.route, body),
    }
}

#[tokio::test]
async fn fresh_space_is_opened_with_its_token_hash_and_a_begun_one_as_existing() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    let client = device.connect().await;
    ask(&client, &device, b"a").await;
    assert!(matches!(
        soon(running.enclave.open(device.space)).await,
        Entry::Fresh { .. }
    ));
    soon(running.enclave.envelope(device.space)).await;
    running
        .enclave
        .send(&append(&device, 1, b"checkpoint"))
        .await;
    assert!(matches!(
        soon(running.enclave.next()).await,
        Some(FromHost::Appended { .. })
    ));
    let closed = FromEnclave::Closed {
        space: device.space,
        why: Closed::Idle,
    };
    running.enclave.send(&closed).await;
    // An answered question proves that the close before it was heard.
    read_log(&mut running, &device, 0).await;

    ask(&client, &device, b"b").await;

    assert_eq!(
        soon(running.enclave.open(device.space)).await,
        Entry::Existing
    );
    running.stop().await;
}

#[tokio::test]
async fn reply_is_published_after_its_record_is_durable_and_told() {
    let mut running = Running::start().await;
    let (device, _client, mut heard) = opened(&mut running).await;

    running
        .enclave
        .send(&frame(&device, 0, b"nothing new"))
        .await;
    assert_eq!(
        next(&mut heard).await,
        envelope(device.route, b"nothing new")
    );
    running.enclave.send(&append(&device, 1, b"one")).await;
    running.enclave.send(&append(&device, 2, b"two")).await;
    running.enclave.send(&frame(&device, 2, b"written")).await;

    assert_eq!(next(&mut heard).await, envelope(device.route, b"written"));
    // A second view of the file sees what was acknowledged.
    let path = running.place.folder.database();
    let log = SqliteLog::new(Database::open(&path, Options::default()).expect("opened"));
    let page = log
        .read(device.space, From::Checkpoint, 1_000)
        .await
        .expect("read");
    assert_eq!(page.newest, 2);
    assert_eq!(page.records[1].bytes, b"two".as_slice());
    running.stop().await;
}

async fn read_log(running: &mut Running, device: &Device, from: u64) -> FromHost {
    let question = FromEnclave::ReadLog {
        request: 77,
        space: device.space,
        from,
    };
    running.enclave.send(&question).await;
    loop {
        let frame = soon(running.enclave.next()).await.expect("open");
        if matches!(frame, FromHost::LogPage { .. }) {
            return frame;
        }
    }
}

#[tokio::test]
async fn log_is_read_in_pages_from_the_newest_checkpoint() {
    let mut running = Running::start().await;
    let (device, ..) = opened(&mut running).await;
    let large = vec![7; limits::LOG_PAGE / 2 + 1];
    for (number, record) in [(1, &large), (2, &large), (3, &vec![1])] {
        running.enclave.send(&append(&device, number, record)).await;
    }
    soon(async {
        while running.enclave.next().await
            != Some(FromHost::Appended {
                space: device.space,
                through: 3,
            })
        {}
    })
    .await;

    let FromHost::LogPage {
        request: 77,
        page: Some(first),
    } = read_log(&mut running, &device, 0).await
    else {
        panic!("no page");
    };
    assert_eq!((first.newest, first.first), (3, 1));
    assert_eq!(first.records, [RecordBytes(large.clone())]);
    let FromHost::LogPage {
        page: Some(second), ..
    } = read_log(&mut running, &device, 2).await
    else {
        panic!("no page");
    };
    assert_eq!(second.records, [RecordBytes(large), RecordBytes(vec![1])]);
    running.stop().await;
}

#[tokio::test]
async fn record_whose_number_is_taken_is_refused_and_its_reply_never_leaves() {
    let mut running = Running::start().await;
    let (device, client, mut heard) = opened(&mut running).await;
    running.enclave.send(&append(&device, 1, b"one")).await;
    assert!(matches!(
        soon(running.enclave.next()).await,
        Some(FromHost::Appended { .. })
    ));

    running.enclave.send(&append(&device, 1, b"again")).await;
    running.enclave.send(&frame(&device, 1, b"durable")).await;

    let refused = FromHost::AppendRefused {
        space: device.space,
        number: 1,
        why: AppendRefusal::Lost,
    };
    assert_eq!(soon(running.enclave.next()).await, Some(refused));
    running.enclave.send(&frame(&device, 1, b"never")).await;
    let closed = FromEnclave::Closed {
        space: device.space,
        why: Closed::AppendRefused,
    };
    running.enclave.send(&closed).await;
    read_log(&mut running, &device, 0).await;
    ask(&client, &device, b"again").await;
    assert_eq!(
        soon(running.enclave.open(device.space)).await,
        Entry::Existing
    );
    running.enclave.send(&frame(&device, 1, b"after")).await;
    loop {
        let heard = next(&mut heard).await;
        assert_ne!(heard, envelope(device.route, b"never"));
        if heard == envelope(device.route, b"after") {
            break;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn full_database_is_told_and_the_node_stays_up_but_not_ready() {
    let mut place = Place::new();
    place.config.database.max_mib = Some(1);
    let mut running = Running::start_in(place).await;
    let (device, ..) = opened(&mut running).await;

    running
        .enclave
        .send(&append(&device, 1, &vec![0; 800 * 1024]))
        .await;
    running
        .enclave
        .send(&append(&device, 2, &vec![0; 800 * 1024]))
        .await;

    let refused = soon(async {
        loop {
            if let Some(FromHost::AppendRefused { number, why, .. }) = running.enclave.next().await
            {
                break (number, why);
            }
        }
    })
    .await;
    assert_eq!(refused.1, AppendRefusal::Full);
    assert!(!running.node.health.readiness().storage);
    assert!(running.node.health.readiness().enclave);
    running.stop().await;
}

#[tokio::test]
async fn chunks_are_stored_once_read_back_and_cut() {
    let mut running = Running::start().await;
    let (device, ..) = opened(&mut running).await;
    let space = device.space;
    let put = |request, snapshot, bytes: &[u8]| FromEnclave::PutChunk {
        request,
        space,
        snapshot,
        index: 0,
        bytes: bytes.to_vec(),
    };
    for (request, snapshot, bytes, durable) in [
        (1, 5, b"five".as_slice(), true),
        (2, 5, b"five".as_slice(), true),
        (3, 5, b"other".as_slice(), false),
        (4, 9, b"nine".as_slice(), true),
        (5, 12, b"under way".as_slice(), true),
    ] {
        running.enclave.send(&put(request, snapshot, bytes)).await;
        assert_eq!(
            soon(running.enclave.next()).await,
            Some(FromHost::Stored { request, durable })
        );
    }
    running
        .enclave
        .send(&append(&device, 1, b"checkpoint"))
        .await;
    assert!(matches!(
        soon(running.enclave.next()).await,
        Some(FromHost::Appended { .. })
    ));
    running
        .enclave
        .send(&FromEnclave::Cut {
            space,
            below: 1,
            snapshot: Some(9),
        })
        .await;

    let mut gone = false;
    while !gone {
        running
            .enclave
            .send(&FromEnclave::GetChunk {
                request: 8,
                space,
                snapshot: 5,
                index: 0,
            })
            .await;
        let answer = soon(running.enclave.next()).await;
        gone = answer
            == Some(FromHost::Chunk {
                request: 8,
                bytes: None,
            });
    }
    // The snapshot that is kept stays, and so does one that was begun before the cut was done.
    for (request, snapshot, bytes) in [(9, 9, b"nine".as_slice()), (10, 12, b"under way")] {
        running
            .enclave
            .send(&FromEnclave::GetChunk {
                request,
                space,
                snapshot,
                index: 0,
            })
            .await;
        let kept = FromHost::Chunk {
            request,
            bytes: Some(bytes.to_vec()),
        };
        assert_eq!(soon(running.enclave.next()).await, Some(kept));
    }
    running.stop().await;
}

#[tokio::test]
async fn removed_space_is_closed_in_the_enclave() {
    let mut running = Running::start().await;
    let (device, ..) = opened(&mut running).await;
    let remove = vettid_node::admin::Request::SpaceRemove {
        space: device.issued.space.clone(),
    };
    running.node.operator.answer(remove).await;

    let space = device.space;
    assert_eq!(
        soon(running.enclave.next()).await,
        Some(FromHost::Close { space })
    );
    running.stop().await;
}

/// Each of these ends the link; the next link serves as if nothing had been.
#[tokio::test]
async fn enclave_that_misbehaves_is_cut_off_and_its_successor_serves() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    let huge = [0x7f, 0xff, 0xff, 0xff];
    let long_line = FromEnclave::Log(LogLine {
        level: Level::Error,
        event: "\u{1b}[2J owner@example".repeat(1_000),
        count: None,
    });
    let mut harmless = Vec::new();
    assert!(vettid_wire::link::write(&long_line, &mut harmless));
    running.enclave.send_raw(&harmless).await;
    let deeds: [Vec<u8>; 6] = [
        huge.to_vec(),
        vec![0, 0, 0, 0],
        vec![0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff],
        noise(1_000_000),
        encoded(&append(&device, 1, b"space that is not open")),
        encoded(&FromEnclave::Opened {
            space: device.space,
        }),
    ];

    for deed in deeds {
        running.enclave.send_raw(&deed).await;
        soon(running.enclave.until_closed()).await;
        running.enclave = soon(running.listening.accept()).await;
    }

    let client = device.connect().await;
    let subject = subject::for_app(device.space, device.route);
    let mut heard = client.subscribe(subject).await.expect("asked");
    ask(&client, &device, b"still there?").await;
    soon(running.enclave.open(device.space)).await;
    soon(running.enclave.envelope(device.space)).await;
    running.enclave.send(&frame(&device, 0, b"yes")).await;
    assert_eq!(next(&mut heard).await, envelope(device.route, b"yes"));
    running.stop().await;
}

#[tokio::test]
async fn enclave_of_another_version_is_not_served() {
    let place = Place::new();
    let listening = place.listen();
    let node = place.start().await;
    let mut enclave = soon(listening.accept_raw()).await;
    soon(enclave.any()).await;
    let ready = vettid_wire::link::Ready {
        version: 99,
        node: vettid_wire::id::NodeId([5; 32]),
        release: 1,
        measurement: [1; 144],
    };
    enclave.send(&FromEnclave::Ready(ready)).await;

    soon(enclave.until_closed()).await;

    assert!(!node.health.readiness().enclave);
    soon(node.stop()).await;
}

#[tokio::test]
async fn apps_get_a_reset_while_there_is_no_enclave() {
    let mut running = Running::start().await;
    let (device, client, mut heard) = opened(&mut running).await;
    let Running {
        node,
        enclave,
        listening,
        place,
    } = running;
    drop((enclave, listening));
    let mut health = node.health.readiness();
    soon(async {
        while health.enclave {
            tokio::task::yield_now().await;
            health = node.health.readiness();
        }
    })
    .await;

    ask(&client, &device, b"anybody?").await;

    let answer = next(&mut heard).await;
    let answer = Envelope::parse(&answer).expect("an envelope");
    assert_eq!((answer.kind, answer.device), (Kind::Reset, device.route));
    soon(node.stop()).await;
    drop(place);
}

#[tokio::test]
async fn records_under_way_settle_before_the_node_stops() {
    let mut running = Running::start().await;
    let (device, _client, mut heard) = opened(&mut running).await;
    let Running {
        node,
        mut enclave,
        listening,
        place,
    } = running;
    let stopping = tokio::spawn(node.stop());
    soon(enclave.until_shutdown()).await;
    enclave.send(&append(&device, 1, b"last")).await;
    enclave.send(&frame(&device, 1, b"farewell")).await;
    drop(listening);

    assert_eq!(next(&mut heard).await, envelope(device.route, b"farewell"));
    drop(enclave);
    soon(stopping).await.expect("stopped");
    drop(place);
}

fn encoded(frame: &FromEnclave) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(vettid_wire::link::write(frame, &mut bytes));
    bytes
}

/// The same meaningless bytes every time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Prints the rate of frames through the node beside that of the bare bus.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn rate_of_64_frames_in_flight() {
    let mut running = Running::start().await;
    let (device, client, mut heard) = opened(&mut running).await;
    let Running {
        node,
        enclave,
        listening,
        place,
    } = running;
    let echo = tokio::spawn(enclave.echo(device.space));
    let through_node = echoed(&client, &device, &mut heard).await;
    node.stop().await;
    echo.await.expect("no panic");
    drop((listening, place));
    println!("{through_node:.0} frames/s of 1 KB through bus, node and a bare enclave");
}

/// Frames a second that come back, 64 in flight.
async fn echoed(
    client: &async_nats::Client,
    device: &Device,
    heard: &mut async_nats::Subscriber,
) -> f64 {
    let to = subject::for_vault(device.space);
    let bytes = Bytes::from(envelope(device.route, &[1; 1_024]));
    for _ in 0..64 {
        client
            .publish(to.clone(), bytes.clone())
            .await
            .expect("queued");
    }
    let started = std::time::Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < std::time::Duration::from_secs(5) {
        next(heard).await;
        count += 1;
        client
            .publish(to.clone(), bytes.clone())
            .await
            .expect("queued");
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}
