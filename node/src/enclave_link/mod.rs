//! The link to the enclave's supervisor, which the host treats as hostile.
//!
//! ```text
//! bus ──inbound──▶ ┌─────────┐ ──FromHost frames──▶ enclave
//! bus ◀─outbound── │ Router  │ ◀─FromEnclave────────
//! log ◀─appends─── │ (no I/O)│
//! log ──outcomes─▶ └─────────┘ ──lookups, questions──▶ tasks ──answers──▶ Router
//! ```
//!
//! One task drives one `Router` over one connection: it reads, writes and publishes in
//! batches, starts no task per message and copies an envelope once each way. Frames of a space
//! keep their order, and none leaves before the record it depends on is durable.
//!
//! | provided | not provided |
//! |---|---|
//! | nothing is acknowledged that is not durable | delivery: the bus may lose a frame; apps ask again |
//! | bounded memory whatever the enclave sends | service while the enclave misbehaves: it is restarted |
//! | a reset for every session whose vault or enclave died | a reset for what the bus lost: apps have deadlines |

mod frames;
mod keeper;
mod pass_on;
mod prepare;
mod questions;
mod router;
mod sealing;
mod session;
mod sessions;
mod transport;

pub use keeper::{EnclaveLink, LinkParts, LinkStatus, SpaceCommand};
pub(crate) use prepare::prepare;
pub(crate) use questions::folder_of;
pub use sealing::{BadKeyService, KeyService};
pub use transport::{Address, BadAddress};

use vettid_wire::link::BadFrame;

/// What the enclave did that it must not. The link is closed; the message names nobody.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnclaveMisbehaved {
    /// An envelope that is none.
    #[error("a frame for an app is malformed")]
    Envelope,
    /// More questions at once than it may have open.
    #[error("too many questions at once")]
    Flood,
    /// Not a frame of the link.
    #[error(transparent)]
    Frame(#[from] BadFrame),
    /// A frame depends on a record that was never sent.
    #[error("a frame depends on a record that was never sent")]
    Future,
    /// It is not the node whose vaults are here.
    #[error("it is another node than the one whose vaults are here: start the right one")]
    OtherNode,
    /// Something for or about another node that is larger than such things may be.
    #[error("a frame about other nodes is too large")]
    Oversized,
    /// A record larger than records may be.
    #[error("a record is too large")]
    Record,
    /// A frame about the sealing root that is larger than such things may be.
    #[error("a frame about the sealing root is too large")]
    Sealing,
    /// No sign of life.
    #[error("no sign of life")]
    Silent,
    /// A frame that does not fit the state of the link.
    #[error("a frame is out of turn")]
    Turn,
    /// Another version of the link.
    #[error("link version {0} is not spoken here: enclave and node are of different releases")]
    Version(u16),
}
