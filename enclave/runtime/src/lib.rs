//! The program in the image: supervisor, zygote and vault processes.
//!
//! ```text
//! main ── fork, before anything else ──▶ zygote ── fork, one per open vault ──▶ vault process
//!   │                                     template database                     confined, one socket
//!   ▼
//! Measured ─▶ Heard ─▶ Serving ─▶ supervisor: host link ══ lanes
//! ```
//!
//! | question | module |
//! |---|---|
//! | what is checked before anything is served? | [`boot`], [`platform`] |
//! | what is shared with other releases on the same node? | [`handover`] |
//! | what can a vault process do? | [`sandbox`], [`lane`] |
//! | who sees keys or plaintext? | [`vault_process`] alone; the supervisor routes ciphertext |
//! | who is let in of other enclaves, and what goes over their sessions? | [`peering`] |
//! | where does what one vault sends another go? | [`delivery`] |
//! | how do those two go together? | [`federation`] |
//! | what is signed for a session, and as whom? | [`evidence`] |
//! | which vaults are open, and which close first? | [`residency`] |
//! | what may be logged? | [`log_line`] |
//! | where is the unsafe code? | `system`, nowhere else |
//!
//! A vault process dies with the zygote, the zygote with the supervisor, and the supervisor ends
//! when its host is gone or lies: then no vault is left in memory.

pub mod boot;
pub mod delivery;
pub mod evidence;
pub mod federation;
pub mod flow;
pub mod handover;
pub mod heads;
pub mod host_line;
pub mod host_link;
pub mod kdf_queue;
pub mod lane;
pub mod launch;
pub mod log_line;
pub mod memory;
pub mod owner_vault;
pub mod peering;
pub mod platform;
pub mod residency;
pub mod sandbox;
#[cfg(feature = "simulation")]
pub mod simulated;
pub mod slot;
pub mod supervisor;
mod system;
pub mod vault_exit;
pub mod vault_process;
pub mod zygote;
