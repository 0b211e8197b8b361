//! TCP with Noise and yamux, QUIC, and circuits through relays; in one place, boxed, because every
//! generic copy of it costs minutes of compilation.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{
    Boxed, DialOpts, ListenerId, MemoryTransport, OrTransport, TransportError, TransportEvent,
    upgrade,
};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport, dns, noise, quic, relay, tcp, yamux};

use crate::address;

/// What a host connects with.
type Connecting = Boxed<(PeerId, StreamMuxerBox)>;

/// Dials nothing but what may be dialed, whoever has named the address: protocols of the library
/// add addresses to a dial that nobody else sees, and a name can mean any address.
struct Outward {
    inner: Connecting,
    with_private: bool,
    introducers: HashSet<(PeerId, IpAddr)>,
}

impl Outward {
    fn may_dial(&self, address: &Multiaddr) -> bool {
        let is_configured = || {
            let Protocol::P2p(peer) = address.iter().last()? else {
                return None;
            };
            let pair = (peer, address::ip(address)?);
            Some(self.introducers.contains(&pair))
        };
        address::is_usable(address, self.with_private) || is_configured().unwrap_or(false)
    }
}

impl Transport for Outward {
    type Output = <Connecting as Transport>::Output;
    type Error = <Connecting as Transport>::Error;
    type ListenerUpgrade = <Connecting as Transport>::ListenerUpgrade;
    type Dial = <Connecting as Transport>::Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        if !self.may_dial(&address) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// Builds the transport of a host, and the behaviour that its circuits need.
///
/// `with_private` lets private addresses be dialed, and adds those that reach other hosts of the
/// same process, for tests. `introducers` are dialed at these addresses, wherever those are.
/// A connection must be secured within `handshake`.
pub(crate) fn build(
    key: &Keypair,
    with_private: bool,
    introducers: HashSet<(PeerId, IpAddr)>,
    handshake: Duration,
) -> io::Result<(Connecting, relay::client::Behaviour)> {
    let noise = noise::Config::new(key).map_err(io::Error::other)?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let tcp = secured(tcp, noise.clone(), handshake);
    let mut config = quic::Config::new(key);
    config.handshake_timeout = handshake;
    config.max_concurrent_stream_limit = STREAMS_QUIC;
    let quic = quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let direct = OrTransport::new(quic, tcp).map(|either, _| match either {
        Either::Left(connected) | Either::Right(connected) => connected,
    });
    // Below the resolver, so that names are seen as what they mean.
    let outward = Outward {
        inner: direct.boxed(),
        with_private,
        introducers,
    };
    let direct = dns::tokio::Transport::system(outward.boxed())?.boxed();
    let (circuits, behaviour) = relay::client::new(key.public().to_peer_id());
    let circuits = secured(circuits, noise.clone(), handshake);
    let direct = if with_private {
        let memory = secured(MemoryTransport::default(), noise, handshake);
        either(memory, direct)
    } else {
        direct
    };
    // Circuits come first: memory looks only at where an address begins, and would take a
    // circuit through a relay for the relay itself.
    Ok((either(circuits, direct), behaviour))
}

/// The first of two transports that supports an address.
fn either(first: Connecting, second: Connecting) -> Connecting {
    OrTransport::new(first, second)
        .map(|either, _| match either {
            Either::Left(connected) | Either::Right(connected) => connected,
        })
        .boxed()
}

fn secured<T>(transport: T, noise: noise::Config, handshake: Duration) -> Connecting
where
    T: Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send,
    T::ListenerUpgrade: Send,
{
    let mut streams = yamux::Config::default();
    streams.set_max_num_streams(STREAMS);
    upgrade::Builder::new(transport, Version::V1Lazy)
        .authenticate(noise)
        .multiplex(streams)
        .timeout(handshake)
        .boxed()
}

/// Streams of one connection at once: ours are few, Kademlia's come and go.
const STREAMS: usize = 64;
const STREAMS_QUIC: u32 = 64;

#[cfg(test)]
mod tests {
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    const HANDSHAKE: Duration = Duration::from_secs(10);

    /// Whether somebody who listens on loopback is dialed under a name of the host.
    async fn is_dialed(host: &str, trusted: bool) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("address").port();
        let (peer, loopback) = (PeerId::random(), [127, 0, 0, 1].into());
        let known = if trusted { peer } else { PeerId::random() };
        let key = Keypair::generate_ed25519();
        let (mut transport, _circuits) =
            build(&key, false, HashSet::from([(known, loopback)]), HANDSHAKE).expect("built");
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let text = format!("{host}/tcp/{port}/p2p/{peer}");
        let dial = transport.dial(text.parse().expect("address"), options);
        tokio::select! {
            accepted = listener.accept() => accepted.is_ok(),
            failed = dial.expect("supported") => {
                assert!(failed.is_err());
                let late = timeout(Duration::from_millis(50), listener.accept());
                late.await.is_ok()
            }
        }
    }

    #[tokio::test]
    async fn private_address_is_dialed_for_whom_it_is_configured_alone() {
        assert!(!is_dialed("/ip4/127.0.0.1", false).await);
        assert!(is_dialed("/ip4/127.0.0.1", true).await);
    }

    #[tokio::test]
    async fn name_of_a_private_address_is_as_private_as_the_address() {
        assert!(!is_dialed("/dns4/localhost", false).await);
    }
}
