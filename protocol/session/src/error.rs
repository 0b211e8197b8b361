//! Why a session ended or was not opened, by who can act on it.

use vettid_attestation::AppraisalError;
use vettid_wire::batch::BadBatch;
use vettid_wire::fragment::BadFragment;
use vettid_wire::id::NodeId;

/// Why a session ended or was not opened. Safe to log. The peer is told nothing: to it, the session
/// is just gone.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// A fault of this code.
    #[error(transparent)]
    Internal(#[from] Internal),
    /// The caller must do something else, most often open another session.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// Peer follows the protocol, but not the same one or not in an accepted image.
    #[error(transparent)]
    PeerIncompatible(#[from] PeerIncompatible),
    /// Peer, or whoever is between, broke the protocol.
    #[error(transparent)]
    PeerMisbehaved(#[from] PeerMisbehaved),
}

/// A fault of this code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Internal {
    /// A KEM key or ciphertext of this side has not the size of its kind.
    #[error("ML-KEM gave another size")]
    KemSize,
    /// A frame of this side would be larger than frames are.
    #[error("frame is too large")]
    FrameSize,
    /// The Noise state was used out of its order, or cannot be made.
    #[error("noise state is out of order")]
    Noise,
}

/// What the caller did, or must do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The document that was named as known is not remembered any more: start again without it.
    #[error("known document is not remembered")]
    DocumentForgotten,
    /// The session ended with an error before.
    #[error("session has ended")]
    Ended,
    /// Own evidence does not fit its frame.
    #[error("own evidence is {size} bytes; limit is {limit}")]
    EvidenceTooLarge {
        /// Largest evidence, bytes of its encoding.
        limit: usize,
        /// Size of this one.
        size: usize,
    },
    /// The session has reached the end of its life.
    #[error("session has expired")]
    Expired,
    /// A message is larger than the peer takes.
    #[error("message is {size} bytes; limit is {limit}")]
    MessageTooLarge {
        /// Largest message in this direction, bytes.
        limit: usize,
        /// Size of this one.
        size: usize,
    },
    /// The peer is an enclave, and nothing was given to appraise it with.
    #[error("no verifier for an enclave's evidence")]
    NoVerifier,
    /// The verifier's policy is of another epoch than the session.
    #[error("policy changed while the session was opened")]
    PolicyChanged,
    /// Own evidence came after the deadline of the handshake.
    #[error("own evidence came too late")]
    TooLate,
    /// Own evidence is not of the own identity.
    #[error("own evidence is of another identity")]
    WrongEvidence,
}

/// How the peer differs from what this side accepts.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerIncompatible {
    /// Authentic evidence of an enclave that the policy does not accept.
    #[error("enclave is not accepted: {0}")]
    NotAccepted(AppraisalError),
    /// The peer is in another epoch of the network's policy.
    #[error("peer is in policy epoch {theirs}, this side in {ours}")]
    PolicyEpoch {
        /// This side's epoch.
        ours: u64,
        /// The peer's.
        theirs: u64,
    },
    /// The peer speaks another version.
    #[error("peer speaks session version {theirs}")]
    Version {
        /// The peer's version.
        theirs: u8,
    },
}

/// What the peer did, or somebody between.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// An application frame before both sides' evidence.
    #[error("application frame before evidence")]
    ApplicationTooEarly,
    /// Several messages in one frame that are none.
    #[error(transparent)]
    Batch(#[from] BadBatch),
    /// Several messages in one frame of a session that has none.
    #[error("several messages share a frame")]
    BatchUnexpected,
    /// No document, though none was named as known.
    #[error("evidence has no document")]
    DocumentMissing,
    /// Evidence that does not verify.
    #[error("evidence does not verify: {0}")]
    Evidence(AppraisalError),
    /// Evidence in an open session.
    #[error("evidence was sent twice")]
    EvidenceTwice,
    /// A piece of a message that does not continue it, or a message over the limit.
    #[error(transparent)]
    Fragment(#[from] BadFragment),
    /// A transport frame does not open.
    #[error("frame was altered")]
    FrameAltered,
    /// A later frame than the next one.
    #[error("frame {expected} was lost; {received} came")]
    FrameLost {
        /// Number of the next frame.
        expected: u64,
        /// Number of this one.
        received: u64,
    },
    /// An earlier frame than the next one.
    #[error("frame {received} came again; {expected} is next")]
    FrameRepeated {
        /// Number of the next frame.
        expected: u64,
        /// Number of this one.
        received: u64,
    },
    /// A frame cannot have this size here.
    #[error("frame of {0} bytes is cut short or too large")]
    FrameSize(usize),
    /// A handshake message does not open: altered, or meant for another network, use or identity,
    /// or made with another ML-KEM secret.
    #[error("handshake message does not open")]
    Handshake,
    /// An X25519 key of low order, which would give a key that anybody knows.
    #[error("key exchange gave a known secret")]
    LowOrderPoint,
    /// Opened, but not what must be there.
    #[error("content is malformed")]
    Malformed,
    /// Accepted evidence of another node than the expected one.
    #[error("evidence is of another node, {0}")]
    OtherNode(NodeId),
    /// Not padded the one way it can be.
    #[error("frame is not padded to its bucket")]
    Padding,
    /// The signature does not bind the evidence to this session, this role and these identities.
    #[error("evidence is not bound to this session")]
    Signature,
    /// The handshake was not complete in time.
    #[error("handshake took too long")]
    TooSlow,
    /// Evidence of a device where an enclave must answer, or the other way round.
    #[error("evidence is of the wrong kind")]
    WrongEvidence,
}
