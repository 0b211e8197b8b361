//! What more than one program must agree on: ids, operations' shapes, envelopes, link frames,
//! limits and refusals.
//!
//! Structures are deterministic CBOR (RFC 8949, section 4.2) with integer keys. Decoders take
//! nothing beyond the bytes they were given, allocate no more than they have read, and refuse what
//! is not encoded the one way it can be ([`cbor::decode`]).
//!
//! | question | module |
//! |---|---|
//! | what can a host parse? | [`envelope`], [`link`], [`subject`] |
//! | what does an app ask of its vault? | [`request`], [`operation`] |
//! | what may a caller be told? | [`refusal`] |
//! | how big may it be? | [`limits`] |
//! | what network is this? | [`network`], [`signed`] |
//! | which key speaks for a vault? | [`identity`] |

pub mod batch;
pub mod cbor;
pub mod envelope;
pub mod fragment;
#[cfg(feature = "json")]
pub mod http;
pub mod id;
pub mod identity;
pub mod invitation;
pub mod limits;
pub mod link;
pub mod network;
pub mod operation;
pub mod padding;
pub mod refusal;
pub mod request;
mod secret;
pub mod signed;
pub mod subject;
pub mod time;
pub mod version;

pub use secret::Secret;
