//! The attested Noise session as state machines: frames, time and randomness in; frames, claims and
//! messages out. No I/O, no clock, no entropy of its own.
//!
//! ```text
//!  initiator                                                            responder
//!  Initiator::start ── 1: version | e, ML-KEM-768 key ───────────────▶ Responder::accept
//!  handle ◀────────── 2: e, ee, s, es, ML-KEM ciphertext, nonce ─────
//!  NeedEvidence ───── 3: s, se, psk, nonce, known document ──────────▶ handle
//!         ── transport keys; h = handshake hash; nothing but evidence may flow ──
//!  supply ─────────── 4: Evidence(initiator, h) ─────────────────────▶ handle, NeedEvidence
//!  handle, Open ◀──── 5: Evidence(responder, h) ────────────────────── supply
//!         ── both proven: application frames ──
//!  Established::seal, open ◀─────────────────────────────────────────▶ Established::seal, open
//! ```
//!
//! `Noise_XXpsk3_25519_ChaChaPoly_SHA256`; the psk is derived from the ML-KEM secret, so transport
//! keys need both X25519 and ML-KEM-768 to be broken. The prologue holds version, use, network and
//! the responder's identity, and the initiator's where both know it. On the bus, frames 1 to 5 are
//! handshake envelopes and all others transport envelopes.
//!
//! | after | initiator knows | responder knows | between them |
//! |---|---|---|---|
//! | 1 | - | somebody wants this identity in this network | version, an ML-KEM key, an ephemeral |
//! | 2 | whoever answers holds a static key | - | an ephemeral, sizes |
//! | 3 | - | same peer; keys are fresh and hybrid | sizes |
//! | 4 | - | device, backend or enclave at the other end, for this `h` | size of the evidence |
//! | 5 | accepted enclave of the wanted node speaks for the wanted identity, for this `h` | - | same |
//!
//! Each side signs `label ‖ role ‖ h ‖ own identity ‖ peer identity ‖ network ‖ policy epoch`
//! ([`Statement`]): evidence of another session, of the other role, for another peer or of an
//! earlier policy is refused. Evidence follows the handshake, since what is bound to a part of one
//! can be relayed or diverted.
//!
//! # Provided
//!
//! - Several small messages in one frame, for a peer that expects it ([`Established::seal_all`]).
//! - Confidentiality and integrity of messages against everybody between, recorded traffic and a
//!   later quantum computer included; forward secrecy from both ephemeral keys on.
//! - Both sides know who the other is before the first application frame: types allow no other
//!   order. An enclave is of the node that the initiator chose and runs an accepted image; a device
//!   or backend holds the key it names.
//! - Frames in order, each once, none altered ([`Established`]); their sizes only in buckets.
//! - Keys change after 2¹⁶ frames or an hour of one direction; sessions end by themselves.
//!
//! # Not provided
//!
//! - Availability: who carries frames can end a session at any time.
//! - That a device key is registered, that a vault's state is the latest, or that a message was
//!   acted on: the caller's part.
//! - Hiding how many frames there are, when, and in which bucket.
//! - Denial of having talked: evidence is signed.
//! - Proof of identity against whoever has a quantum computer during the session: signatures and
//!   documents are classical. What was recorded stays closed to a later one.
//! - Wiping of Noise's inner state, which is that of `snow`; what this crate holds is wiped.

mod bound;
mod channel;
mod error;
mod established;
mod evidence;
mod identity;
mod initiator;
mod message;
mod noise;
mod prologue;
mod rekey;
mod responder;
mod statement;
mod terms;
mod verifier;

#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "vectors"))]
pub mod vector;

pub use bound::ProvenPeer;
pub use error::{Error, Internal, Misuse, PeerIncompatible, PeerMisbehaved};
pub use established::Established;
pub use evidence::Evidence;
pub use identity::{Identity, Role};
pub use initiator::{Initiator, InitiatorProgress, ProvingInitiator};
pub use prologue::Use;
pub use responder::{ProvingResponder, Responder, ResponderProgress};
pub use statement::{Claim, Statement, Transcript};
pub use terms::{InitiatorTerms, ResponderTerms};
pub use verifier::{KnownEnclave, Verifier};
