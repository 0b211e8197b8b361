//! What supervisor and vault process say over the process's one socket.
//!
//! A frame never names a space: the socket it travels on does. So a vault process can ask about its
//! own log, its own chunks and its own evidence only, whatever it sends.

use std::time::Duration;

use vettid_crypto::{SealingKey, SecretBytes};
use vettid_store::HeaderKey;
use vettid_vault::HeaderKeys;
use vettid_wire::Secret;
#[cfg(fuzzing)]
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::bytes::ByteVec;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::{DeliveryId, NetworkId, NodeId, SpaceId, VaultId};
use vettid_wire::limits;
use vettid_wire::link::{Entry, LogPage};
use vettid_wire::operation::release::Offered;
use vettid_wire::peer::Delivered;
use vettid_wire::request::Head;
use vettid_wire::time::UnixMillis;

use crate::delivery::Whereabouts;

/// Most bytes of a frame on a lane: a link frame and what surrounds it.
pub(crate) const LANE_FRAME: usize = limits::LINK_FRAME + 1024;

/// How long a vault process waits in one read of its socket. After that long without anything to do
/// it gives memory back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// First frame to a vault process: all it will ever be told about itself.
#[derive(Clone, Debug, Decode, Encode)]
pub(crate) struct Opening {
    /// Whose vault.
    #[n(0)]
    pub(crate) space: SpaceId,
    /// Whether a vault is there.
    #[n(1)]
    pub(crate) entry: Entry,
    /// What its headers may be sealed under.
    #[n(2)]
    pub(crate) keys: OpeningKeys,
    /// Time of day, ms since 1970.
    #[n(3)]
    pub(crate) now: u64,
    /// Newest record of this boot; nothing older may be served.
    #[n(4)]
    pub(crate) head: Option<Head>,
    /// The network that sessions are bound to.
    #[n(5)]
    pub(crate) network: NetworkId,
    /// Its policy epoch.
    #[n(6)]
    pub(crate) epoch: u64,
    /// What the process signs with the identity of the vault that it claims to be.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) challenge: [u8; 32],
}

/// What the headers of one vault may be sealed under.
#[derive(Clone, Debug, Decode, Encode)]
pub(crate) struct OpeningKeys {
    /// The release that runs, with its own key.
    #[n(0)]
    pub(crate) own: KeyAt,
    /// Earlier releases, with the keys that they share with this one.
    #[n(1)]
    pub(crate) earlier: Vec<KeyAt>,
    /// Later releases, with the keys that this one shares with them.
    #[n(2)]
    pub(crate) later: Vec<KeyAt>,
    /// The release that the owner may approve, with the key that this one shares with it.
    #[n(3)]
    pub(crate) offered: Option<(Offered, KeyAt)>,
}

/// The key of a release.
#[derive(Clone, Debug, Decode, Encode)]
pub(crate) struct KeyAt {
    #[n(0)]
    release: u32,
    #[n(1)]
    key: Secret,
}

impl KeyAt {
    pub(crate) fn new(release: u32, key: &SealingKey) -> Self {
        Self {
            release,
            key: key.expose(|key| Secret::new(key.to_vec())),
        }
    }

    fn key(&self) -> Option<SealingKey> {
        let key = |key: &[u8]| key.try_into().ok().map(SealingKey::from_bytes);
        self.key.expose(key)
    }
}

impl OpeningKeys {
    /// As the vault takes them; none when one of them is no key.
    pub(crate) fn header_keys(&self) -> Option<HeaderKeys> {
        let mut keys = HeaderKeys::of(HeaderKey::new(self.own.release, self.own.key()?));
        for earlier in &self.earlier {
            keys = keys.with_earlier(earlier.release, earlier.key()?);
        }
        for later in &self.later {
            keys = keys.with_later(HeaderKey::new(later.release, later.key()?));
        }
        Some(match &self.offered {
            Some((offered, key)) => keys.offering(*offered, key.key()?),
            None => keys,
        })
    }
}

/// Where this node is.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) struct Place {
    /// Its network.
    #[n(0)]
    pub(crate) network: NetworkId,
    /// Identity of this enclave.
    #[n(1)]
    pub(crate) node: NodeId,
    /// PeerIds of its hosts.
    #[n(2)]
    pub(crate) peers: Vec<ByteVec>,
    /// Multiaddrs, best first.
    #[n(3)]
    pub(crate) addresses: Vec<String>,
}

/// Evidence that a session needs.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) struct EvidenceQuestion {
    /// Comes back with the answer.
    #[n(0)]
    pub(crate) ticket: u32,
    /// Final hash of the handshake.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) transcript: [u8; 32],
    /// Identity of the peer: its device key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) peer: [u8; 32],
    /// The peer's challenge.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) nonce: [u8; 32],
    /// Hash of a document that the peer has appraised already.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) known: Option<[u8; 32]>,
}

/// Evidence of this enclave for one session.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub(crate) struct EvidenceAnswer {
    /// Document; none where the peer knows a current one.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) document: Option<Vec<u8>>,
    /// What the document commits to.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) bundle: Vec<u8>,
    /// Signature of the binding key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) signature: [u8; 64],
}

/// Supervisor to vault process.
#[derive(Debug, Decode, Encode)]
pub(crate) enum Down<'a> {
    /// First frame.
    #[n(0)]
    Open(#[n(0)] Box<Opening>),
    /// An envelope of a device.
    #[n(1)]
    Frame(#[cbor(b(0), with = "minicbor::bytes")] &'a [u8]),
    /// Every record up to this one is durable.
    #[n(2)]
    Appended(#[n(0)] u64),
    /// A record was not stored: the process ends.
    #[n(3)]
    AppendRefused,
    /// Answers [`Up::ReadLog`].
    #[n(4)]
    LogPage(#[n(0)] Option<LogPage>),
    /// Answers [`Up::GetChunk`].
    #[n(5)]
    Chunk {
        #[n(0)]
        snapshot: u64,
        #[n(1)]
        index: u32,
        #[cbor(b(2), with = "minicbor::bytes")]
        bytes: Option<&'a [u8]>,
    },
    /// Answers [`Up::PutChunk`].
    #[n(6)]
    Stored(#[n(0)] bool),
    /// Answers [`Up::Attest`]; none when no evidence can be made now.
    #[n(7)]
    Evidence {
        #[n(0)]
        ticket: u32,
        #[n(1)]
        answer: Option<EvidenceAnswer>,
    },
    /// Answers [`Up::AskKdf`]: go on.
    #[n(8)]
    KdfGranted,
    /// Close: finish what is under way and end.
    #[n(9)]
    Close,
    /// Where this node is now.
    #[n(10)]
    Place(#[n(0)] Place),
    /// From another vault.
    #[n(11)]
    Inbound {
        #[n(0)]
        ticket: u64,
        #[n(1)]
        delivery: DeliveryId,
        #[cbor(b(2), with = "minicbor::bytes")]
        body: &'a [u8],
    },
    /// What became of something that this vault sent; owes an answer if the ticket is not zero.
    #[n(12)]
    Settled {
        #[n(0)]
        ticket: u64,
        #[n(1)]
        delivery: DeliveryId,
        #[n(2)]
        outcome: Delivered,
    },
    /// The network's policy is in another epoch: sessions of earlier ones end.
    #[n(13)]
    Epoch(#[n(0)] u64),
    /// Not everything that this vault has sent was stored: hand on again what waits.
    #[n(14)]
    HandOn,
}

/// Decodes bytes as either end does what the other sent.
#[cfg(fuzzing)]
pub fn decode_both(bytes: &[u8]) {
    let _ = cbor::decode_exact::<Up<'_>>(bytes);
    let _ = cbor::decode_exact::<Down<'_>>(bytes);
}

/// Vault process to supervisor.
#[derive(Debug, Decode, Encode)]
pub(crate) enum Up<'a> {
    /// Frames are welcome.
    #[n(0)]
    Opened,
    /// An envelope for a device, to be released after record `after` is durable.
    #[n(1)]
    Frame {
        #[n(0)]
        after: u64,
        #[cbor(b(1), with = "minicbor::bytes")]
        envelope: &'a [u8],
    },
    /// Store a record.
    #[n(2)]
    Append {
        #[n(0)]
        head: Head,
        #[n(1)]
        checkpoint: bool,
        #[cbor(b(2), with = "minicbor::bytes")]
        record: &'a [u8],
    },
    /// Read the log from this record; zero for the newest checkpoint.
    #[n(3)]
    ReadLog(#[n(0)] u64),
    /// Store a chunk of a snapshot.
    #[n(4)]
    PutChunk {
        #[n(0)]
        snapshot: u64,
        #[n(1)]
        index: u32,
        #[cbor(b(2), with = "minicbor::bytes")]
        bytes: &'a [u8],
    },
    /// Read a chunk of a snapshot.
    #[n(5)]
    GetChunk {
        #[n(0)]
        snapshot: u64,
        #[n(1)]
        index: u32,
    },
    /// Records below `below` and snapshots of a number below `snapshot` are no longer needed.
    #[n(6)]
    Cut {
        #[n(0)]
        below: u64,
        #[n(1)]
        snapshot: Option<u64>,
    },
    /// A session needs evidence.
    #[n(7)]
    Attest(#[n(0)] EvidenceQuestion),
    /// A PIN or password is to be hashed.
    #[n(8)]
    AskKdf,
    /// It has been.
    #[n(9)]
    KdfDone,
    /// Enrollment is finished.
    #[n(10)]
    Enrolled,
    /// Sessions that are established now.
    #[n(11)]
    Sessions(#[n(0)] u32),
    /// Something for another vault, once record `after` is durable.
    #[n(12)]
    Outbound {
        #[n(0)]
        after: u64,
        #[n(1)]
        delivery: DeliveryId,
        #[n(2)]
        to: VaultId,
        #[n(3)]
        home: Whereabouts,
        #[n(4)]
        expires: UnixMillis,
        #[cbor(b(5), with = "minicbor::bytes")]
        body: &'a [u8],
    },
    /// The vault's home record, and proof that this process holds its identity.
    #[n(13)]
    Home {
        #[n(0)]
        after: u64,
        #[cbor(b(1), with = "minicbor::bytes")]
        record: &'a [u8],
        #[cbor(n(2), with = "minicbor::bytes")]
        proof: [u8; 64],
    },
    /// What became of what a ticket was for, once record `after` is durable.
    #[n(14)]
    Received {
        #[n(0)]
        ticket: u64,
        #[n(1)]
        after: u64,
        #[n(2)]
        outcome: Delivered,
    },
    /// There was no room for what a ticket is for: the vault has not heard of it.
    #[n(15)]
    TurnedAway(#[n(0)] u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::cbor;

    #[test]
    fn frames_of_both_directions_come_back() {
        let up = cbor::encode(&Up::Frame {
            after: 7,
            envelope: b"bytes",
        });
        let down = cbor::encode(&Down::Chunk {
            snapshot: 7,
            index: 1,
            bytes: Some(b"chunk"),
        });

        assert!(matches!(
            cbor::decode_exact(&up),
            Ok(Up::Frame {
                after: 7,
                envelope: b"bytes"
            })
        ));
        assert!(matches!(
            cbor::decode_exact(&down),
            Ok(Down::Chunk {
                snapshot: 7,
                index: 1,
                bytes: Some(b"chunk")
            })
        ));
    }

    #[test]
    fn a_frame_with_bytes_behind_it_or_cut_short_is_refused() {
        let mut bytes = cbor::encode(&Up::ReadLog(5));
        bytes.push(0);
        assert!(cbor::decode_exact::<Up<'_>>(&bytes).is_err());
        bytes.truncate(bytes.len() - 2);
        assert!(cbor::decode_exact::<Up<'_>>(&bytes).is_err());
    }

    #[test]
    fn an_unknown_frame_is_refused() {
        assert!(cbor::decode_exact::<Up<'_>>(&[0x82, 0x18, 99, 0x80]).is_err());
    }
}
