//! Hosts of one process. What judges a peer is left out: every link is admitted at once, so that
//! only the network between hosts is measured.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use tokio::time::timeout;
use vettid_federation::key::peer_text;
use vettid_federation::{Config, Event, Federation, Handle, HostKey, Role};
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;
use vettid_wire::time::{HOUR, UnixMillis};

use crate::enclave::NETWORK;

/// Longest that hosts may take to meet.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A host that admits everybody.
pub(crate) struct Host {
    pub(crate) handle: Handle,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) home: HomeNode,
}

/// Configuration of a host in a lab that listens on these addresses.
pub(crate) fn config(role: Role, listen: &[&str]) -> Config {
    let mut config = Config::new(NETWORK, role);
    config.private_addresses = true;
    config.listen = listen.iter().map(|&address| address.to_owned()).collect();
    config
}

/// Where a host listens, without its PeerId.
pub(crate) async fn listening(handle: &Handle) -> Result<Vec<String>> {
    let own = format!("/p2p/{}", peer_text(handle.peer()));
    let status = handle.status().await?;
    let addresses = status.listening.iter();
    Ok(addresses
        .map(|address| address.trim_end_matches(&own).to_owned())
        .collect())
}

/// 32 bytes that differ for different numbers.
pub(crate) fn numbered(number: u32) -> [u8; 32] {
    let mut bytes = [7; 32];
    for (to, from) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    bytes
}

/// The time of day.
pub(crate) fn now() -> UnixMillis {
    use vettid_sdk::Clock as _;
    vettid_sdk::SystemClock.now()
}

impl Host {
    /// Starts a host whose key and node follow from a number.
    pub(crate) async fn start(config: Config, number: u32) -> Result<Self> {
        let key = HostKey::from_seed(numbered(number));
        let (handle, events) = Federation::start(config, key).await?;
        let node = NodeId(numbered(number));
        handle.local_node(node).await?;
        let home = HomeNode {
            node,
            peers: vec![handle.peer().to_vec().into()],
            addresses: listening(&handle).await?,
        };
        Ok(Self {
            handle,
            events,
            home,
        })
    }

    /// The next event that is not about links and peers; those are seen to.
    pub(crate) async fn next(&mut self) -> Result<Event> {
        loop {
            match self.events.recv().await.context("the network has ended")? {
                Event::LinkOpen { link, node, .. } => {
                    let expires = now().plus(HOUR);
                    self.handle.admitted(link, node, expires).await?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Waits for the next link; its number.
    pub(crate) async fn linked(&mut self) -> Result<u64> {
        let linked = async {
            loop {
                match self.events.recv().await.context("the network has ended")? {
                    Event::LinkOpen { link, node, .. } => {
                        let expires = now().plus(HOUR);
                        self.handle.admitted(link, node, expires).await?;
                        return Ok(link);
                    }
                    Event::Unreachable { .. } => bail!("a host of this process is unreachable"),
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, linked).await.context("no link")?
    }
}
