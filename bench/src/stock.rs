//! The reference of links and admission: libp2p as it comes, TCP with Noise and yamux.

use std::error::Error;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::poll_fn;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::core::Endpoint;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt as _, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, Transport as _, gossipsub, identify, kad, noise, ping,
    tcp, yamux,
};

/// Longer than any measurement.
const IDLE: Duration = Duration::from_secs(3_600);

/// A host of the library's first example: ping and nothing else.
pub(crate) type Stock = Swarm<ping::Behaviour>;

type Connected = (PeerId, StreamMuxerBox);

/// A host of a network as the library's examples put one together: it finds others and gossips.
pub(crate) type Networked = Swarm<Protocols>;

/// The library's protocols of a host that stays in a network, as they come.
#[derive(NetworkBehaviour)]
pub(crate) struct Protocols {
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    kad: kad::Behaviour<kad::store::MemoryStore>,
    gossip: gossipsub::Behaviour,
}

/// A host with a key of its own.
pub(crate) fn host() -> Result<Stock> {
    with(|_| Ok(ping::Behaviour::default()))
}

/// A host that stays in a network, with a key of its own.
pub(crate) fn networked() -> Result<Networked> {
    with(|key| {
        let own = key.public().to_peer_id();
        let name = identify::Config::new("/bench/1".to_owned(), key.public());
        let signed = gossipsub::MessageAuthenticity::Signed(key.clone());
        let mut gossip = gossipsub::Behaviour::new(signed, gossipsub::Config::default())?;
        gossip.subscribe(&gossipsub::IdentTopic::new("bench"))?;
        Ok(Protocols {
            ping: ping::Behaviour::default(),
            identify: identify::Behaviour::new(name),
            kad: kad::Behaviour::new(own, kad::store::MemoryStore::new(own)),
            gossip,
        })
    })
}

fn with<B: NetworkBehaviour>(
    behaviour: impl FnOnce(&Keypair) -> Result<B, Box<dyn Error + Send + Sync>>,
) -> Result<Swarm<B>> {
    Ok(SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )?
        .with_behaviour(behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build())
}

/// Has a host listen on this machine; where.
pub(crate) async fn listen<B: NetworkBehaviour>(host: &mut Swarm<B>) -> Result<Multiaddr> {
    host.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = host.select_next_some().await {
            return Ok(address);
        }
    }
}

/// Waits until a host has a connection more.
pub(crate) async fn connected<B: NetworkBehaviour>(host: &mut Swarm<B>) -> Result<()> {
    loop {
        match host.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => return Ok(()),
            SwarmEvent::OutgoingConnectionError { error, .. } => bail!("not connected: {error}"),
            _ => {}
        }
    }
}

/// Has a host go on until something is done; what.
pub(crate) async fn drive_until<B: NetworkBehaviour, T>(
    host: &mut Swarm<B>,
    done: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut done = pin!(done);
    loop {
        tokio::select! {
            done = &mut done => return done,
            event = host.select_next_some() => {
                if let SwarmEvent::OutgoingConnectionError { error, .. } = event {
                    bail!("not connected: {error}");
                }
            }
        }
    }
}

/// Both ends of a stream over a connection of its own, writer first. Both go on until the runtime
/// ends.
pub(crate) async fn stream() -> Result<(SubstreamBox, SubstreamBox)> {
    let (mut listening, mut dialing) = (transport()?, transport()?);
    listening.listen_on(ListenerId::next(), "/ip4/127.0.0.1/tcp/0".parse()?)?;
    let TransportEvent::NewAddress { listen_addr, .. } = next(&mut listening).await else {
        bail!("does not listen");
    };
    let dial = dialing.dial(
        listen_addr,
        DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        },
    )?;
    // The dialing end says nothing of its multiplexer before it writes: both ends go on together.
    let open = async {
        let (_, mut dialed): Connected = dial.await?;
        let mut writer =
            poll_fn(|cx| ready(dialed.poll_outbound_unpin(cx), &mut dialed, cx)).await?;
        drive(dialed);
        writer.write_all(&[0]).await?;
        writer.flush().await?;
        Ok::<_, anyhow::Error>(writer)
    };
    let accept = async {
        let TransportEvent::Incoming { upgrade, .. } = next(&mut listening).await else {
            bail!("no connection came");
        };
        let (_, mut accepted): Connected = upgrade.await?;
        let mut reader =
            poll_fn(|cx| ready(accepted.poll_inbound_unpin(cx), &mut accepted, cx)).await?;
        drive(accepted);
        reader.read_exact(&mut [0]).await?;
        Ok(reader)
    };
    futures::try_join!(open, accept)
}

/// What a connection has made ready; else lets it work on.
fn ready<T>(
    made: Poll<T>,
    connection: &mut StreamMuxerBox,
    cx: &mut std::task::Context<'_>,
) -> Poll<T> {
    if made.is_pending() {
        // What goes wrong is told by the next question.
        let _ = connection.poll_unpin(cx);
    }
    made
}

/// A connection does nothing by itself.
fn drive(mut connection: StreamMuxerBox) {
    tokio::spawn(poll_fn(move |cx| {
        loop {
            match connection.poll_unpin(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }));
}

fn transport() -> Result<Boxed<Connected>> {
    let key = Keypair::generate_ed25519();
    Ok(
        tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&key)?)
            .multiplex(yamux::Config::default())
            .boxed(),
    )
}

async fn next(
    transport: &mut Boxed<Connected>,
) -> TransportEvent<
    <Boxed<Connected> as libp2p::Transport>::ListenerUpgrade,
    <Boxed<Connected> as libp2p::Transport>::Error,
> {
    poll_fn(|cx| Pin::new(&mut *transport).poll(cx)).await
}
