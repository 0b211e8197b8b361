//! The signed network file: handed out by bootstrap nodes, asked for by nodes.

use std::time::Duration;

use futures::AsyncWriteExt as _;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::{Instant, timeout};
use vettid_wire::limits;

use super::state::{Done, Driver};
use crate::frame;
use crate::streams::{Opened, Protocol};

impl Driver {
    /// Hands out the network file, if there is one.
    pub(super) fn serve_roster(&self, mut stream: Opened) {
        let Some(file) = self.network_file.clone() else {
            return;
        };
        tokio::spawn(async move {
            let hand_out = async {
                frame::write(&mut stream, &file).await?;
                stream.close().await
            };
            // Whoever takes no bytes gets none.
            let _ = timeout(PATIENCE, hand_out).await;
        });
    }

    /// Asks a bootstrap node for its network file, once an hour.
    pub(super) fn ask_roster(&mut self, peer: PeerId, id: ConnectionId) {
        if self.ask_roster_after(AGAIN, peer, id)
            && let Some(introducer) = self.introducers.get_mut(&peer)
        {
            introducer.soon = AGAIN_SOON;
        }
    }

    /// Asks every bootstrap node that is connected, if it was not asked just now: some peer is in
    /// another policy than this node, which may have missed a newer file.
    pub(super) fn ask_rosters_anew(&mut self) {
        let bootstrap = self.introducers.iter().filter(|(_, i)| i.introduces);
        let connected: Vec<_> = bootstrap
            .filter_map(|(peer, _)| Some((*peer, self.connections_of(*peer).next()?.0)))
            .collect();
        for (peer, id) in connected {
            let soon = self.introducers.get(&peer);
            let soon = soon.map_or(AGAIN, |i| i.soon.max(AGAIN_SOON));
            if self.ask_roster_after(soon, peer, id)
                && let Some(introducer) = self.introducers.get_mut(&peer)
            {
                // Whoever keeps coming with another policy must not make this host ask for ever.
                introducer.soon = soon.saturating_mul(2).min(AGAIN);
            }
        }
    }

    /// Whether it is asked now.
    fn ask_roster_after(&mut self, pause: Duration, peer: PeerId, id: ConnectionId) -> bool {
        let now = Instant::now();
        let Some(introducer) = self.introducers.get_mut(&peer) else {
            return false;
        };
        if introducer.roster.is_some_and(|asked| now < asked + pause) {
            return false;
        }
        introducer.roster = Some(now);
        let streams = &mut self.swarm.behaviour_mut().streams;
        let stream = streams.open(peer, id, Protocol::Roster);
        self.wait_for(async move {
            let read = async {
                let mut stream = stream.await.ok()?;
                frame::read(&mut stream, limits::NETWORK_FILE).await.ok()?
            };
            let file = timeout(PATIENCE, read).await.ok().flatten();
            Done::Roster { file }
        });
        true
    }
}

/// A network file must have passed by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between questions for it.
const AGAIN: Duration = Duration::from_secs(3_600);
/// First pause where peers are in another policy; it doubles.
const AGAIN_SOON: Duration = Duration::from_secs(5);
