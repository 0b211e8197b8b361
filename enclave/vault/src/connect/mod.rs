//! Other owners: meeting them, talking to them, and what becomes of it.
//!
//! ```text
//!  invitation ── meeting ──▶ Pending ── approve ──▶ Active ── say ⇄ hear
//!                                                     │  keys lost: resume
//!                                                     ╰─ revoke, block
//! ```
//!
//! Everything here happens inside one transaction of the vault: what is sealed, the keys that it
//! was sealed with and the outbox that holds it are committed together or not at all. Who speaks is
//! who the keys belong to; nothing in what is said is taken for that.
//!
//! | question | module |
//! |---|---|
//! | how do two vaults meet? | [`meeting`] |
//! | what comes in, and what is its sender told? | [`receive`], [`settled`] |
//! | what is said, in which order? | [`channel`], [`hear`], [`contents`] |
//! | how are keys renewed, and lost ones replaced? | [`healing`], [`resume`], [`statement`] |
//! | what is sealed later, what does time ask for? | [`unsaid`], [`rounds`] |
//! | where is this vault? | [`place`] |

pub(crate) mod card;
pub(crate) mod channel;
pub(crate) mod contents;
pub(crate) mod ending;
pub(crate) mod flow;
pub(crate) mod healing;
pub(crate) mod hear;
pub(crate) mod known;
pub(crate) mod meeting;
pub(crate) mod news;
pub(crate) mod place;
pub(crate) mod post;
pub(crate) mod progress;
pub(crate) mod receive;
pub(crate) mod resume;
pub(crate) mod rounds;
pub(crate) mod said;
pub(crate) mod settled;
pub(crate) mod shown;
mod statement;
pub(crate) mod unsaid;

pub(crate) use known::Known;
pub(crate) use news::News;
pub(crate) use progress::Progress;
