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
        let now = Instant::now();
        let Some(introducer) = self.introducers.get_mut(&peer) else {
            return;
        };
        if introducer.roster.is_some_and(|next| next > now) {
            return;
        }
        introducer.roster = Some(now + AGAIN);
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
    }
}

/// A network file must have passed by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between questions for it.
const AGAIN: Duration = Duration::from_secs(3_600);
