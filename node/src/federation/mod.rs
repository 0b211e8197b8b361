//! This node among others: what its enclave says to other enclaves, and what waits for that.
//!
//! ```text
//!               LinkReport                                Event
//! enclave link ───────────▶ ┌──────────┐ ◀─────────────────────── network (libp2p)
//!              ◀─────────── │ Exchange │ ───────────────────────▶
//!                ToEnclave  │ (no I/O) │        ToNetwork
//!                           └──────────┘
//!                      Write │    ▲ what became of it
//!                            ▼    │
//!            mailboxes · homes · peers · spool (Lanes decide what is due)
//! ```
//!
//! One task drives one `Exchange`. Nothing here opens a delivery or judges a peer: the
//! enclave does both. A node whose network file names nobody runs without the network; its
//! mailboxes and its spool work all the same.

mod bounds;
mod driver;
mod exchange;
mod homes;
mod joined;
mod links;
mod network;
mod peers;
mod rejoin;
mod report;
mod sweep;
mod unkept;
mod work;

pub(crate) use bounds::is_bounded;
pub(crate) use driver::{Driver, DriverParts};
pub(crate) use homes::Homes;
pub(crate) use joined::Joined;
pub(crate) use network::{Network, is_wanted};
pub(crate) use peers::PeerRows;
pub use peers::{Listed, PeerState};
pub(crate) use rejoin::Joining;
pub(crate) use report::{LINK_REPORTS, LinkReport};
pub(crate) use sweep::known_peers;
