//! Sessions with the enclaves of other nodes, as machines: frames, time and randomness in; frames
//! and messages out.
//!
//! ```text
//!  Open{side: Initiator} ─ 1 ─▶ … ◀─ 2 ─ … ─ 3, 4 ─▶ … ◀─ 5 ─ ┐
//!  Open{side: Responder} ◀─ 1 ─ … ─ 2 ─▶ … ◀─ 3, 4 ─ … ─ 5 ─▶ ┴▶ admitted: messages both ways
//! ```
//!
//! Hosts carry the frames and say which PeerId their transport has proven. A peer is admitted when
//! its evidence is accepted by the network's policy, it is the node that was wanted, and that PeerId
//! is one of the host PeerIds that it attests (`admission`).
//!
//! | question | module |
//! |---|---|
//! | when is a peer let in, and what is its operator told? | `admission` |
//! | what is sent and expected until then? | `handshake` |
//! | which session stays, and how long? | `links` |

mod admission;
mod handshake;
mod known;
mod links;

#[cfg(feature = "emulated")]
#[cfg(test)]
mod tests;

pub(crate) use handshake::Turn;
pub(crate) use links::{Event, Peering};
