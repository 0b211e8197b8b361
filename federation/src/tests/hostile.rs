use futures::{AsyncReadExt as _, AsyncWriteExt as _};

use super::raw::Raw;
use super::*;
use crate::frame;
use crate::streams::{Opened, Protocol};

const SECOND: Duration = Duration::from_secs(1);

/// A node that gives up soon, after what is to come before.
fn hasty() -> Config {
    let mut config = node();
    config.limits.admission = SECOND * 5;
    config
}

fn hello() -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 33, 1];
    frame.extend([9; 32]);
    frame
}

/// Has a raw peer send `bytes` as the first thing of a link; whether it is cut off.
async fn cut_off_after(bytes: &[u8], enclave: Enclave) -> bool {
    let a = Host::start(node(), 1, enclave).await;
    let mut raw = Raw::start(&a.listening[0]).await;
    let mut stream = raw.open(Protocol::Attest).await.expect("opened");
    stream.write_all(bytes).await.expect("written");
    stream.flush().await.expect("flushed");
    // The host says its own part, then nothing more comes.
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    let cut = timeout(PATIENCE, read).await.is_ok();
    // The host counts what it has refused a moment after the peer has heard of it.
    let counted = async {
        while a.status().await.refused == 0 {
            tokio::task::yield_now().await;
        }
    };
    cut && timeout(PATIENCE, counted).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_first_word_cuts_the_peer_off() {
    let giant = [255; 8].to_vec();
    let empty = vec![0; 4];
    let old_version = [&[0, 0, 0, 33, 0][..], &[9; 32]].concat();
    let short = vec![0, 0, 0, 2, 1, 1];
    for bytes in [giant, empty, old_version, short] {
        assert!(cut_off_after(&bytes, ADMITS).await, "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giant_and_empty_frames_cut_the_peer_off() {
    let too_large = u32::try_from(frame::LARGEST + 1).expect("fits");
    for length in [too_large, u32::MAX, 0] {
        let bytes = [&hello()[..], &length.to_be_bytes(), &[0; 100]].concat();
        assert!(cut_off_after(&bytes, Enclave::Listens).await, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frame_that_never_ends_is_given_up_with_its_peer() {
    let a = Host::start(hasty(), 1, Enclave::Listens).await;
    let mut raw = Raw::start(&a.listening[0]).await;
    let mut stream = raw.open(Protocol::Attest).await.expect("opened");
    let cut = [&hello()[..], &[0, 0, 1, 0], &[0; 10]].concat();
    stream.write_all(&cut).await.expect("written");
    stream.flush().await.expect("flushed");

    timeout(PATIENCE, raw.closed)
        .await
        .expect("in time")
        .expect("closed");
    a.until(|status| status.peers.is_empty() && status.refused == 1)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_half_open_streams_is_bounded_and_ends_with_the_connection() {
    let a = Host::start(hasty(), 1, ADMITS).await;
    let mut raw = Raw::start(&a.listening[0]).await;
    let mut held: Vec<Opened> = Vec::new();
    for _ in 0..40 {
        match raw.open(Protocol::Attest).await {
            Some(stream) => held.push(stream),
            None => break,
        }
    }
    // Two are served; the others were dropped at once.
    let mut alive = 0;
    for stream in &mut held {
        let mut first = [0; 1];
        let read = timeout(PATIENCE, stream.read(&mut first))
            .await
            .expect("in time");
        alive += usize::from(read.is_ok_and(|read| read == 1));
    }
    assert!(alive <= 2, "{alive}");

    timeout(PATIENCE, raw.closed)
        .await
        .expect("in time")
        .expect("closed");
    a.until(|status| status.peers.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_connections_leaves_room_for_those_who_are_known() {
    let mut config = node();
    config.limits.connections_inbound = 8;
    config.limits.connections = 16;
    let mut a = Host::start(config, 1, ADMITS).await;
    let mut floods = Vec::new();
    for _ in 0..30 {
        let address = a.listening[0].clone();
        floods.push(tokio::spawn(async move {
            // Some are let in, the others are closed.
            timeout(SECOND, Raw::start(&address)).await.ok()
        }));
    }
    let mut raws = Vec::new();
    for flood in floods {
        raws.push(flood.await.ok().flatten());
    }
    assert!(a.status().await.peers.len() <= 8);

    let mut b = Host::start(node(), 2, ADMITS).await;
    a.dial(&b).await;
    a.admitted(&b).await;
    b.admitted(&a).await;
    drop(raws);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_frames_from_one_peer_does_not_delay_another() {
    let mut a = Host::start(node(), 1, ADMITS).await;
    let mut b = Host::start(node(), 2, ADMITS).await;
    let mut raw = Raw::start(&a.listening[0]).await;
    let mut stream = raw.open(Protocol::Attest).await.expect("opened");
    stream.write_all(&hello()).await.expect("written");
    let flood = tokio::spawn(async move {
        let frame = [&[0, 0, 4, 0][..], &[1; 1024]].concat();
        while stream.write_all(&frame).await.is_ok() {}
    });
    a.dial(&b).await;
    let (link, _) = a
        .wait(|event| match event {
            Event::LinkOpen { link, side, .. } if side == Side::Initiator => Some((link, side)),
            _ => None,
        })
        .await;
    let is_b = |standing| matches!(standing, Standing::Admitted { .. });
    a.standing(&b, is_b).await;
    let (back, _) = b.link().await;

    for number in 0..100_u8 {
        b.handle.frame(back, vec![2, number]).expect("queued");
    }
    for number in 0..100_u8 {
        a.wait(|event| match event {
            Event::Frame { link: on, bytes } if on == link => {
                assert_eq!(bytes, [2, number]);
                Some(())
            }
            _ => None,
        })
        .await;
    }
    flood.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_of_another_network_is_not_talked_to() {
    let mut foreign = node();
    foreign.network.anchors = [8; 32];
    let a = Host::start(node(), 1, ADMITS).await;
    let b = Host::start(foreign, 2, Enclave::Listens).await;

    a.dial(&b).await;

    a.until(|status| status.refused == 1 && status.peers.is_empty())
        .await;
}

/// Begins a link, opens its second stream at once and says something there; the number of the link.
async fn second_stream_at_once(a: &mut Host) -> (Raw, u64, [Opened; 2]) {
    let mut raw = Raw::start(&a.listening[0]).await;
    let mut first = raw.open(Protocol::Attest).await.expect("opened");
    first.write_all(&hello()).await.expect("written");
    first.flush().await.expect("flushed");
    let (link, _) = a.link().await;
    let mut second = raw.open(Protocol::MessageSpace).await.expect("opened");
    second.write_all(&EARLY_FRAME).await.expect("written");
    second.flush().await.expect("flushed");
    // From here on everything is to come by the second stream.
    first.close().await.expect("half closed");
    (raw, link, [first, second])
}

const EARLY: [u8; 2] = [7, 7];
const EARLY_FRAME: [u8; 6] = [0, 0, 0, 2, 7, 7];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_by_the_second_stream_is_heard_once_this_side_has_admitted() {
    let mut a = Host::start(node(), 1, Enclave::Listens).await;
    let (_raw, link, _streams) = second_stream_at_once(&mut a).await;

    let expires = UnixMillis(unix_millis() + 60_000);
    let admitted = a.handle.admitted(link, NodeId([9; 32]), expires).await;

    admitted.expect("told");
    a.wait(|event| match event {
        Event::Frame { bytes, .. } => (bytes == EARLY).then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_by_the_second_stream_of_whoever_is_never_admitted() {
    let mut a = Host::start(hasty(), 1, Enclave::Listens).await;
    let (raw, link, _streams) = second_stream_at_once(&mut a).await;

    a.wait(|event| match event {
        Event::Frame { bytes, .. } => panic!("{bytes:?} came"),
        Event::Closed { link: closed } => (closed == link).then_some(()),
        _ => None,
    })
    .await;

    timeout(PATIENCE, raw.closed)
        .await
        .expect("in time")
        .expect("closed");
}

const KEY: [u8; 32] = [9; 32];
const FRAME: [u8; 6] = [0, 0, 0, 2, 5, 5];

/// One connection more of a peer, and a link on it that begins with `bytes`.
async fn one_more(a: &Host, bytes: &[u8]) -> (Raw, Opened) {
    let mut raw = Raw::quiet(&a.listening[0], HostKey::from_seed(KEY)).await;
    let stream = say(&mut raw, bytes).await;
    (raw, stream)
}

async fn say(raw: &mut Raw, bytes: &[u8]) -> Opened {
    let mut stream = raw.open(Protocol::Attest).await.expect("opened");
    stream.write_all(bytes).await.expect("written");
    stream.flush().await.expect("flushed");
    stream
}

async fn hears(a: &mut Host) {
    a.wait(|event| match event {
        Event::Frame { bytes, .. } => (bytes == FRAME[4..]).then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_that_misbehaves_beside_its_admission_keeps_that_and_gets_nothing_new() {
    let mut a = Host::start(node(), 1, ADMITS).await;
    let evidence = [&hello()[..], &FRAME].concat();
    let (mut admitted, mut link) = one_more(&a, &evidence).await;
    a.wait(|event| match event {
        Event::PeerChange { standing, .. } => {
            matches!(standing, Standing::Admitted { .. }).then_some(())
        }
        _ => None,
    })
    .await;

    let (waiting, _) = one_more(&a, &[]).await;
    let (misbehaving, _stream) = one_more(&a, &[255; 8]).await;

    for gone in [waiting.closed, misbehaving.closed] {
        timeout(PATIENCE, gone)
            .await
            .expect("in time")
            .expect("closed");
    }
    a.until(|status| status.refused == 1 && status.peers.len() == 1)
        .await;
    // It goes on, and is not forgiven when it is admitted anew.
    link.write_all(&FRAME).await.expect("written");
    link.flush().await.expect("flushed");
    hears(&mut a).await;
    let _renewed = say(&mut admitted, &[&evidence[..], &FRAME].concat()).await;
    hears(&mut a).await;
    let status = a.status().await;
    assert_eq!((status.refused, status.peers.len()), (1, 1));
    let refused = Raw::quiet(&a.listening[0], HostKey::from_seed(KEY)).await;
    timeout(PATIENCE, refused.closed)
        .await
        .expect("in time")
        .expect("closed");
}

/// A relay, say, that keeps back what a peer says on one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admitted_peer_is_not_blamed_for_what_is_late_on_another_connection() {
    let mut a = Host::start(hasty(), 1, ADMITS).await;
    let evidence = [&hello()[..], &FRAME].concat();
    let (_admitted, _link) = one_more(&a, &evidence).await;
    a.wait(|event| match event {
        Event::PeerChange { standing, .. } => {
            matches!(standing, Standing::Admitted { .. }).then_some(())
        }
        _ => None,
    })
    .await;

    let late = Raw::quiet(&a.listening[0], HostKey::from_seed(KEY)).await;

    timeout(PATIENCE, late.closed)
        .await
        .expect("in time")
        .expect("closed");
    // The host counts a moment after the peer has heard of it.
    a.until(|status| status.peers.len() == 1).await;
    assert_eq!(a.status().await.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_connections_do_not_get_a_peer_more_links_than_one() {
    let mut a = Host::start(node(), 1, Enclave::Listens).await;
    let b = Host::start(node(), 2, ADMITS).await;
    let began = std::time::Instant::now();
    let mut held = Vec::new();
    for _ in 0..3 {
        let (mut raw, first) = one_more(&a, &hello()).await;
        let second = say(&mut raw, &hello()).await;
        held.push((raw, first, second));
    }

    b.dial(&a).await;

    let (peer, mut links) = (HostKey::from_seed(KEY).peer(), 0);
    a.wait(|event| match event {
        Event::LinkOpen { peer: of, .. } if of == peer => {
            links += 1;
            None
        }
        Event::LinkOpen { .. } => Some(()),
        _ => None,
    })
    .await;
    let more = began.elapsed().as_secs() / 5;
    assert!(links <= 4 + more, "{links} links");
}
