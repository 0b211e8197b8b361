//! The direct way to those who were met at a relay.

use std::time::Duration;

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use tokio::time::Instant;

use super::state::{Again, Driver};
use crate::address;

impl Driver {
    /// A direct connection shows as a connection, and one that failed leaves the relayed one.
    pub(super) fn count_punch(&self, is_done: bool) {
        let metrics = &self.metrics;
        match is_done {
            true => metrics.punches_done.inc(),
            false => metrics.punches_failed.inc(),
        };
    }

    /// Tries the direct way to peers that are admitted through a relay only: by the addresses that they
    /// name, and by punching holes every other time. That a peer is reached directly may be found out, and
    /// named by it, after both have met at the relay.
    pub(super) fn check_paths(&mut self, now: Instant) {
        let relayed = self.connections.iter();
        let relayed = relayed.filter(|(_, c)| c.relayed && !c.closing && c.admitted.is_some());
        let due = relayed.filter(|(_, c)| c.direct.at <= now);
        for (id, peer) in due.map(|(id, c)| (*id, c.peer)).collect::<Vec<_>>() {
            let is_direct = self.connections_of(peer).any(|(_, c)| !c.relayed);
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            let tries = connection.direct.tries;
            let pause = DIRECT.saturating_mul(1 << tries.min(DOUBLINGS));
            connection.direct = Again {
                at: now + pause,
                tries: tries.saturating_add(1),
            };
            let named = connection.named.iter();
            let direct: Vec<_> = named.filter(|a| !address::is_relayed(a)).cloned().collect();
            if is_direct {
                continue;
            }
            if direct.is_empty() || tries % 2 == 1 {
                let punch = self.swarm.behaviour_mut().punch.as_mut();
                if let Some(punch) = punch.filter(|_| tries <= PUNCHES) {
                    punch.inner().again(id);
                }
            }
            if direct.is_empty() {
                continue;
            }
            let dial = DialOpts::peer_id(peer)
                // Whoever is punched for is dialed as well: of two ends that both listen nothing comes.
                .condition(PeerCondition::Always)
                .addresses(direct)
                .build();
            // One that fails leaves the relayed one.
            let _ = self.swarm.dial(dial);
        }
    }
}

/// From a connection through a relay to the first try of the direct way: the two may have got through to
/// each other by then. So long again after the first, and each time twice as long.
pub(super) const DIRECT: Duration = Duration::from_secs(5);
/// How often that doubles: every eleven minutes in the end.
const DOUBLINGS: u32 = 7;
/// Tries after which no hole is punched any more, for the library keeps a trace of each: they last more
/// than an hour.
const PUNCHES: u32 = 13;
