//! TCP with Noise and yamux, QUIC, and circuits through relays; in one place, boxed, because every
//! generic copy of it costs minutes of compilation.

use std::io;
use std::time::Duration;

use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport, OrTransport, upgrade};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, dns, noise, quic, relay, tcp, yamux};

/// What a host connects with.
type Connecting = Boxed<(PeerId, StreamMuxerBox)>;

/// Builds the transport of a host, and the behaviour that its circuits need.
///
/// `in_memory` adds addresses that reach other hosts of the same process, for tests.
pub(crate) fn build(
    key: &Keypair,
    in_memory: bool,
) -> io::Result<(Connecting, relay::client::Behaviour)> {
    let noise = noise::Config::new(key).map_err(io::Error::other)?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let tcp = secured(tcp, noise.clone());
    let mut config = quic::Config::new(key);
    config.handshake_timeout = HANDSHAKE;
    config.max_concurrent_stream_limit = STREAMS_QUIC;
    let quic = quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let direct = OrTransport::new(quic, tcp).map(|either, _| match either {
        Either::Left(connected) | Either::Right(connected) => connected,
    });
    let direct = dns::tokio::Transport::system(direct)?.boxed();
    let (circuits, behaviour) = relay::client::new(key.public().to_peer_id());
    let circuits = secured(circuits, noise.clone());
    let direct = if in_memory {
        let memory = secured(MemoryTransport::default(), noise);
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

fn secured<T>(transport: T, noise: noise::Config) -> Connecting
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
        .timeout(HANDSHAKE)
        .boxed()
}

/// Streams of one connection at once: ours are few, Kademlia's come and go.
const STREAMS: usize = 64;
const STREAMS_QUIC: u32 = 64;
/// A connection must be secured by then.
const HANDSHAKE: Duration = Duration::from_secs(10);
