//! What a host can ask of the network.

use tokio::sync::{mpsc, oneshot};
use vettid_wire::home::HomeNode;
use vettid_wire::id::{AttachmentId, NodeId};
use vettid_wire::link::federation::NotAdmitted;
use vettid_wire::time::UnixMillis;
use vettid_wire::topic::Topic;

use crate::attachment::AttachmentBody;
use crate::event::{GossipId, Verdict};
use crate::link::Links;
use crate::metrics::Metrics;
use crate::status::Status;

pub use crate::attachment::FetchError;
pub use crate::link::FrameError;

/// Asks things of the driver. Cheap to clone; the driver stops when the last one is dropped.
///
/// Every method but [`Self::frame`] waits while the driver has 256 commands to work on.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    links: Links,
    metrics: Metrics,
    peer: Vec<u8>,
}

/// The driver has stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the network driver has stopped")]
pub struct Stopped;

impl Handle {
    pub(crate) const fn new(
        commands: mpsc::Sender<Command>,
        links: Links,
        metrics: Metrics,
        peer: Vec<u8>,
    ) -> Self {
        Self {
            commands,
            links,
            metrics,
            peer,
        }
    }

    /// PeerId of this host.
    #[must_use]
    pub fn peer(&self) -> &[u8] {
        &self.peer
    }

    /// What this host counts.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Names the node of this host; no link is opened before.
    pub async fn local_node(&self, node: NodeId) -> Result<(), Stopped> {
        self.ask(Command::LocalNode(node)).await
    }

    /// The enclave of this host is away: no link is opened, and nobody is blamed for it, before its
    /// node is named again.
    pub async fn enclave_away(&self) -> Result<(), Stopped> {
        self.ask(Command::EnclaveAway).await
    }

    /// Has a link to this node, unless there is one. What comes of it: `LinkOpen` or
    /// `Unreachable`.
    pub async fn dial(&self, node: HomeNode) -> Result<(), Stopped> {
        self.ask(Command::Dial(node)).await
    }

    /// Sends a message of a session. Never waits: a link whose peer does not keep up is closed.
    pub fn frame(&self, link: u64, bytes: Vec<u8>) -> Result<(), FrameError> {
        self.links.send(link, bytes)
    }

    /// Both enclaves of a link have accepted each other.
    pub async fn admitted(
        &self,
        link: u64,
        node: NodeId,
        expires: UnixMillis,
    ) -> Result<(), Stopped> {
        let command = Command::Admitted {
            link,
            node,
            expires,
        };
        self.ask(command).await
    }

    /// The enclave wants nothing of a link, or no more: it is closed, and its peer kept out for
    /// a while if it was the peer's fault.
    pub async fn refuse(&self, link: u64, why: NotAdmitted) -> Result<(), Stopped> {
        self.ask(Command::Refuse { link, why }).await
    }

    /// Puts a home record into the network, and again until it expires; in place of an earlier
    /// one of the same location.
    pub async fn put_record(
        &self,
        location: [u8; 32],
        record: Vec<u8>,
        expires: UnixMillis,
    ) -> Result<(), Stopped> {
        let command = Command::PutRecord {
            location,
            record,
            expires,
        };
        self.ask(command).await
    }

    /// Puts a home record no more; what lies in the network expires.
    pub async fn drop_record(&self, location: [u8; 32]) -> Result<(), Stopped> {
        self.ask(Command::DropRecord(location)).await
    }

    /// Looks a home record up, when it is its turn; `Homes` ends the search.
    pub async fn find_record(&self, request: u64, location: [u8; 32]) -> Result<(), Stopped> {
        self.ask(Command::FindRecord { request, location }).await
    }

    /// Fetches a chunk of an attachment from `offset` on, from a node that is admitted first if it
    /// is not yet.
    pub async fn fetch_attachment(
        &self,
        from: HomeNode,
        id: AttachmentId,
        index: u32,
        offset: u64,
    ) -> Result<AttachmentBody, FetchError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::FetchAttachment { from, reply };
        self.ask(command)
            .await
            .map_err(|Stopped| FetchError::Unreachable)?;
        let stream = answer.await.map_err(|_| FetchError::Unreachable)??;
        AttachmentBody::ask(stream, id, index, offset).await
    }

    /// Gossips an object of at most [`vettid_wire::limits::GOSSIP`] bytes. Whether anybody hears
    /// it is not told.
    pub async fn publish(&self, topic: Topic, object: Vec<u8>) -> Result<(), Stopped> {
        self.ask(Command::Publish { topic, object }).await
    }

    /// Decides about a gossiped object.
    pub async fn judge(&self, message: GossipId, verdict: Verdict) -> Result<(), Stopped> {
        self.ask(Command::Judge { message, verdict }).await
    }

    /// Hands this signed network file to whoever asks; for bootstrap nodes.
    pub async fn serve_network(&self, file: Vec<u8>) -> Result<(), Stopped> {
        self.ask(Command::ServeNetwork(file)).await
    }

    /// How things are.
    pub async fn status(&self) -> Result<Status, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Status(reply)).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Closes every connection and stops. Events end when that is done.
    pub async fn stop(&self) {
        // A driver that is gone has stopped.
        let _ = self.ask(Command::Stop).await;
    }

    async fn ask(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }
}

/// What the driver works on.
#[derive(Debug)]
pub(crate) enum Command {
    Admitted {
        link: u64,
        node: NodeId,
        expires: UnixMillis,
    },
    Dial(HomeNode),
    DropRecord([u8; 32]),
    EnclaveAway,
    FetchAttachment {
        from: HomeNode,
        reply: oneshot::Sender<Result<crate::streams::Opened, FetchError>>,
    },
    FindRecord {
        request: u64,
        location: [u8; 32],
    },
    Judge {
        message: GossipId,
        verdict: Verdict,
    },
    LocalNode(NodeId),
    Publish {
        topic: Topic,
        object: Vec<u8>,
    },
    PutRecord {
        location: [u8; 32],
        record: Vec<u8>,
        expires: UnixMillis,
    },
    Refuse {
        link: u64,
        why: NotAdmitted,
    },
    ServeNetwork(Vec<u8>),
    Status(oneshot::Sender<Status>),
    Stop,
}
