//! Joining the network again when it has ended under a running node.
//!
//! It ends without being asked only by a fault of ours. Vaults are open meanwhile, so the node does not
//! end with it: it forgets what it knew of that network, tells the enclave so, and joins anew, each time
//! after a longer pause unless the network has lasted.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::driver::{Done, Driver, HOMES};
use super::network::Network;
use super::sweep::known_peers;
use crate::backoff::Backoff;
use crate::clock::{unix_millis, unix_seconds};
use crate::config;

/// A network that has lasted so long does not end for the reason for which it ended before.
const LASTED: Duration = Duration::from_secs(600);

/// Bounds of the pauses before it is joined again.
const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(300);

/// How this node joins its network.
#[derive(Clone, Debug)]
pub(crate) struct Joining {
    pub(crate) config: config::Federation,
    /// Where the key of the host lies.
    pub(crate) key: PathBuf,
}

/// Pauses before the network is joined again.
pub(super) struct Pauses {
    backoff: Backoff,
    joined: Instant,
}

impl Pauses {
    /// The network was joined just now.
    pub(super) const fn new(joined: Instant) -> Self {
        Self {
            backoff: Backoff::new(FIRST, LAST),
            joined,
        }
    }

    fn next(&mut self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.joined) >= LASTED {
            self.backoff = Backoff::new(FIRST, LAST);
        }
        // Tries that fail count as no time in the network.
        self.joined = now;
        self.backoff.next_wait()
    }
}

impl Driver {
    /// The network has ended.
    pub(super) fn network_ended(&mut self) {
        tracing::error!("the network has ended: it is joined again");
        self.network = None;
        self.joined.send_replace(None);
        self.exchange.network_down();
        self.join_again();
    }

    /// What came of joining again.
    pub(super) fn joined_again(&mut self, joined: io::Result<Network>) {
        match joined {
            Ok(network) => {
                tracing::info!("the network is joined again");
                self.pauses.joined = Instant::now();
                if self.node.is_some() {
                    network.name(self.node);
                }
                self.joined.send_replace(Some(network.handle().clone()));
                self.network = Some(network);
                self.exchange.network_up();
                self.publish_again();
            }
            Err(error) => {
                tracing::error!(%error, "the network cannot be joined now");
                self.join_again();
            }
        }
    }

    fn join_again(&mut self) {
        let pause = self.pauses.next(Instant::now());
        let Joining { config, key } = self.joining.clone();
        let (file, database) = (self.file.clone(), self.database.clone());
        let (peers, done) = (self.peers.clone(), self.done.0.clone());
        tokio::spawn(async move {
            if let Err(error) = peers.begin(unix_seconds()).await {
                tracing::warn!(%error, "peers are shown as they were");
            }
            sleep(pause).await;
            let known = known_peers(&database).await;
            let joined = Network::join(&config, &file.current(), &key, known).await;
            // After a stop nobody wants it.
            let _ = done.send(Done::Joined(Box::new(joined))).await;
        });
    }

    /// The network that was has taken the home records along.
    fn publish_again(&self) {
        let (homes, done) = (self.homes.clone(), self.done.0.clone());
        tokio::spawn(async move {
            let now = unix_millis();
            // Behind every record that is on its way to the table.
            let _ = homes.sweep(now).await;
            let all = homes.all(now, HOMES).await;
            let _ = done.send(Done::Homes(all.unwrap_or_default())).await;
        });
    }
}

#[cfg(test)]
mod tests;
