use super::*;
use crate::event::Path;
use crate::handle::FrameError;

/// Sends numbered frames both ways and checks that they come in order.
async fn exchange(a: &mut Host, b: &mut Host, links: (u64, u64), count: u32) {
    for number in 0..count {
        let frame = [&number.to_be_bytes()[..], &[0; 1_000]].concat();
        a.handle.frame(links.0, frame.clone()).expect("queued");
        b.handle.frame(links.1, frame).expect("queued");
    }
    for host in [a, b] {
        for number in 0..count {
            let next = host
                .wait(|event| match event {
                    Event::Frame { bytes, .. } => Some(bytes),
                    _ => None,
                })
                .await;
            assert_eq!(next[..4], number.to_be_bytes());
        }
    }
}

async fn meet(first: Config, second: Config) {
    let mut a = Host::start(first, 1, ADMITS).await;
    let mut b = Host::start(second, 2, ADMITS).await;
    a.dial(&b).await;
    let opened = |host_node| {
        move |event| match event {
            Event::LinkOpen {
                link, node, side, ..
            } => {
                assert_eq!(node, host_node);
                Some((link, side))
            }
            _ => None,
        }
    };
    let (at_a, side_a) = a.wait(opened(b.node)).await;
    let (at_b, side_b) = b.wait(opened(a.node)).await;
    assert_eq!((side_a, side_b), (Side::Initiator, Side::Responder));
    let standing = a.admitted(&b).await;
    b.admitted(&a).await;

    exchange(&mut a, &mut b, (at_a, at_b), 500).await;

    let direct = Standing::Admitted {
        node: b.node,
        path: Path::Direct,
    };
    assert_eq!(standing, direct);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_meet_in_memory_and_frames_come_in_order() {
    meet(node(), node()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_meet_over_tcp_and_over_quic() {
    for listen in ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let on = || Config {
            listen: vec![listen.into()],
            ..node()
        };
        meet(on(), on()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dials_that_cross_leave_one_connection() {
    let mut a = Host::start(node(), 1, ADMITS).await;
    let mut b = Host::start(node(), 2, ADMITS).await;

    tokio::join!(a.dial(&b), b.dial(&a));
    a.admitted(&b).await;
    b.admitted(&a).await;

    for host in [&a, &b] {
        host.until(|status| status.peers.len() == 1 && status.peers[0].node.is_some())
            .await;
    }
    // Dialing a node that is connected changes nothing.
    a.dial(&b).await;
    let connections = a.status().await.peers.len();
    assert_eq!(connections, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_that_does_not_read_loses_its_link_and_delays_nobody() {
    let mut small = node();
    small.limits.link_bytes = 512 * 1024;
    let mut a = Host::start(small, 1, ADMITS).await;
    let (handle, slow) = Federation::start(node(), HostKey::from_seed([3; 32]))
        .await
        .expect("starts");
    let mut c = Host::start(node(), 4, ADMITS).await;
    let slow_node = NodeId([3; 32]);
    handle.local_node(slow_node).await.expect("runs");
    let slow_home = HomeNode {
        node: slow_node,
        peers: vec![handle.peer().to_vec().into()],
        addresses: handle.status().await.expect("runs").listening,
    };
    a.handle.dial(slow_home).await.expect("runs");
    let (to_slow, _) = a.link().await;
    a.dial(&c).await;
    let (to_c, _) = a.link().await;
    a.admitted(&c).await;

    // Nobody takes what comes to the slow host: in the end nothing more fits.
    let overflow = async {
        loop {
            match a.handle.frame(to_slow, vec![0; 60_000]) {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    };
    let error = timeout(PATIENCE, overflow).await.expect("in time");
    assert_eq!(error, FrameError::Overflow);
    a.handle
        .frame(to_c, b"still here".to_vec())
        .expect("queued");
    let heard =
        |event| matches!(event, Event::Frame { bytes, .. } if bytes == b"still here").then_some(());
    c.wait(heard).await;
    a.wait(|event| matches!(event, Event::Closed { link } if link == to_slow).then_some(()))
        .await;
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admission_that_runs_out_is_renewed_on_a_new_link() {
    let mut a = Host::start(node(), 1, Enclave::Admits(10_000)).await;
    let mut b = Host::start(node(), 2, Enclave::Admits(10_000)).await;
    a.dial(&b).await;
    let (first, _) = a.link().await;
    b.link().await;
    a.admitted(&b).await;

    let (second, side) = a.link().await;
    let (at_b, _) = b.link().await;

    assert!(second > first);
    assert_eq!(side, Side::Initiator);
    // The first admission had at most a fifth of its time left.
    a.until(|status| status.peers.iter().any(|peer| peer.expires >= Some(5)))
        .await;
    exchange(&mut a, &mut b, (second, at_b), 10).await;
    assert_eq!(a.status().await.peers.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_that_stops_is_gone_and_its_link_closed() {
    let (mut a, b) = pair(node(), node()).await;

    b.handle.stop().await;

    // The link and its connection are told of by two tasks, in any order.
    let (mut closed, mut gone) = (false, false);
    a.wait(|event| {
        match event {
            Event::Closed { .. } => closed = true,
            Event::PeerChange { standing, .. } => gone = standing == Standing::Gone,
            _ => {}
        }
        (closed && gone).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_not_there_is_told_unreachable() {
    let mut a = Host::start(node(), 1, ADMITS).await;
    let nobody = HomeNode {
        node: NodeId([9; 32]),
        peers: vec![HostKey::from_seed([9; 32]).peer().into()],
        addresses: vec!["/memory/999999".into(), "/ip4/127.0.0.1/tcp/1".into()],
    };

    a.handle.dial(nobody).await.expect("runs");

    a.wait(|event| match event {
        Event::Unreachable { node, .. } => (node == NodeId([9; 32])).then_some(()),
        _ => None,
    })
    .await;
}
