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
//! | what does one enclave say to another? | [`peer`] |
//! | where is a vault? | [`home`] |
//! | how do two owners meet? | [`connect`] |
//! | what may a caller be told? | [`refusal`] |
//! | how big may it be? | [`limits`] |
//! | what network is this? | [`network`], [`signed`] |
//! | which key speaks for a vault? | [`identity`] |

pub mod attachment;
pub mod batch;
pub mod cbor;
pub mod connect;
pub mod content;
pub mod envelope;
pub mod fragment;
pub mod home;
#[cfg(feature = "json")]
pub mod http;
pub mod id;
pub mod identity;
pub mod invitation;
pub mod key_arn;
pub mod limits;
pub mod link;
pub mod network;
#[cfg(feature = "toml")]
pub mod network_file;
pub mod operation;
pub mod padding;
pub mod peer;
pub mod record;
pub mod refusal;
pub mod request;
mod secret;
mod secret_text;
pub mod signed;
pub mod subject;
pub mod time;
pub mod topic;
pub mod version;

pub use secret::Secret;
