//! Deliveries between vaults, other enclaves and mailboxes, as a machine: what comes in, the time and
//! randomness go in; frames for the host, for peers and for vault processes go out.
//!
//! ```text
//!  vault ── Outbound ──▶ Spool (sealed) ──▶ host … Due ──▶ Deliver ──▶ peer's enclave
//!                                                           │ same node
//!  peer's Deliver ──────────────────────────────────────────┴▶ open: vault, answered when durable
//!                                                              closed: MailPut (sealed) ── MailStored
//!  vault claims its home ──▶ MailRead … MailPage ──▶ vault, in order ──▶ MailDrop … until empty
//! ```
//!
//! | question | module |
//! |---|---|
//! | what does the host see and keep? | `sealed` |
//! | where is a vault? | `homes`, `remembered` |
//! | which process gets what is for a vault? | `residents` |
//! | what becomes of what a vault sends? | `outbound`, `dials` |
//! | what becomes of what comes for one? | `inbound`, `mailbox` |
//! | what if a vault cannot take it yet? | `drain` |
//!
//! Nothing depends on the host but availability: what it alters does not open, what it repeats has
//! an id that vaults know, and what it forgets is handed on again when its vault is unlocked.

mod asked;
mod checks;
mod courier;
mod dials;
mod drain;
mod homes;
mod inbound;
mod mailbox;
mod outbound;
mod remembered;
mod residents;
mod sealed;

#[cfg(test)]
mod tests;

pub(crate) use courier::{Act, Courier, Cx, OutOfTurn, ToVault};
pub(crate) use outbound::Sent;
pub(crate) use residents::{HomeClaim, Progress};
pub(crate) use sealed::Whereabouts;
