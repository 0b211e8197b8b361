use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::behaviour::DialFailure;
use libp2p::swarm::handler::DialUpgradeError;
use libp2p::swarm::{DialError, StreamUpgradeError};

use super::*;

type Handler = THandler<Punch>;

/// A connection through a relay; its handler.
fn connected(punch: &mut Punch, id: ConnectionId, is_listener: bool) -> Handler {
    let relay: Multiaddr = format!("/ip4/192.0.2.1/tcp/1/p2p/{}/p2p-circuit", PeerId::random())
        .parse()
        .expect("address");
    let peer = PeerId::random();
    let (endpoint, handler) = if is_listener {
        let endpoint = ConnectedPoint::Listener {
            local_addr: relay.clone(),
            send_back_addr: relay.clone(),
        };
        let handler = punch.handle_established_inbound_connection(id, peer, &relay, &relay);
        (endpoint, handler)
    } else {
        let endpoint = ConnectedPoint::Dialer {
            address: relay.clone(),
            role_override: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let (role, port) = (Endpoint::Dialer, PortUse::New);
        let handler = punch.handle_established_outbound_connection(id, peer, &relay, role, port);
        (endpoint, handler)
    };
    punch.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
        peer_id: peer,
        connection_id: id,
        endpoint: &endpoint,
        failed_addresses: &[],
        other_established: 0,
    }));
    handler.expect("handler")
}

/// Whether it asks for a stream; with what it wants back when it is answered.
fn asks(handler: &mut Handler) -> Option<<Handler as ConnectionHandler>::OutboundOpenInfo> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match handler.poll(&mut cx) {
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }) => {
            Some(protocol.into_upgrade().1)
        }
        _ => None,
    }
}

/// What the handler is told next.
fn told(punch: &mut Punch) -> Option<THandlerInEvent<Punch>> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(event) = punch.poll(&mut cx) {
        if let ToSwarm::NotifyHandler { event, .. } = event {
            return Some(event);
        }
    }
    None
}

/// What the behaviour is told when the peer does not serve it.
fn refused(
    handler: &mut Handler,
    info: <Handler as ConnectionHandler>::OutboundOpenInfo,
) -> THandlerOutEvent<Punch> {
    let error = StreamUpgradeError::NegotiationFailed;
    let refused = DialUpgradeError { info, error };
    handler.on_connection_event(ConnectionEvent::DialUpgradeError(refused));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match handler.poll(&mut cx) {
        Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event)) => event,
        _ => panic!("its behaviour is told"),
    }
}

#[test]
fn one_that_was_refused_is_asked_again() {
    let (mut punch, id) = (Punch::new(PeerId::random()), ConnectionId::new_unchecked(1));
    let mut handler = connected(&mut punch, id, true);
    for _ in 0..5 {
        let info = asks(&mut handler).expect("it asks");
        let event = refused(&mut handler, info);
        punch.on_connection_handler_event(PeerId::random(), id, event);
        assert!(told(&mut punch).is_none());
        assert!(asks(&mut handler).is_none());

        punch.again(id);

        handler.on_behaviour_event(told(&mut punch).expect("a handler"));
    }
}

/// Two dials that both get through are more than the library can take.
#[test]
fn nothing_is_begun_while_a_dial_is_on_its_way() {
    let (mut punch, id) = (Punch::new(PeerId::random()), ConnectionId::new_unchecked(1));
    let mut handler = connected(&mut punch, id, true);
    let info = asks(&mut handler).expect("it asks");
    let (peer, dial) = (punch.relayed[&id].peer, ConnectionId::new_unchecked(2));
    punch.dialing.insert(peer, Some(dial));

    punch.again(id);
    let event = refused(&mut handler, info);
    punch.on_connection_handler_event(peer, id, event);

    assert!(told(&mut punch).is_none());
    let error = DialError::Aborted;
    punch.on_swarm_event(FromSwarm::DialFailure(DialFailure {
        peer_id: Some(peer),
        error: &error,
        connection_id: dial,
    }));
    punch.again(id);
    assert!(told(&mut punch).is_some());
}

#[tokio::test]
async fn one_connection_makes_the_library_dial_a_few_times_only() {
    let (mut punch, id) = (Punch::new(PeerId::random()), ConnectionId::new_unchecked(1));
    connected(&mut punch, id, false);
    let now = Instant::now();

    let taken = (0..100).filter(|_| punch.may_dial(id, now)).count();

    assert_eq!(taken, TRIES as usize);
    assert!(punch.may_dial(id, now + ANOTHER));
    let others = (0..DIALS).map(|_| (PeerId::random(), None));
    punch.dialing.extend(others);
    assert!(!punch.may_dial(id, now + ANOTHER * 2));
}

#[test]
fn the_side_that_answers_never_asks() {
    let (mut punch, id) = (Punch::new(PeerId::random()), ConnectionId::new_unchecked(1));
    let mut handler = connected(&mut punch, id, false);

    punch.again(id);

    assert!(told(&mut punch).is_none());
    assert!(asks(&mut handler).is_none());
}
