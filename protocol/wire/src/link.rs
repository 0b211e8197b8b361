//! Frames between host and enclave: a length (4 B, big-endian), then CBOR, at most
//! [`limits::LINK_FRAME`] bytes.
//!
//! Each side treats the other as hostile. The host opens with [`FromHost::Hello`]; the enclave
//! answers [`FromEnclave::Ready`], after what it may have to say of [`sealing`]; everything else is
//! about one space and may be interleaved freely.
//!
//! **Release rule.** A [`FromEnclave::Frame`] names the newest record it depends on (`after`). The
//! host publishes it only when that record is durable; frames of one space keep their order.

pub mod federation;
pub mod handover;
pub mod in_place;
pub mod sealing;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor::{self, Malformed, Wire};
use crate::id::{NodeId, SpaceId};
use crate::limits;

/// What a host says.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum FromHost {
    /// First frame.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Be ready for frames of a space.
    #[n(1)]
    Open {
        /// Which.
        #[n(0)]
        space: SpaceId,
        /// Whether a vault is there.
        #[n(1)]
        entry: Entry,
    },
    /// A device sent an envelope.
    #[n(2)]
    Frame {
        /// Its space.
        #[n(0)]
        space: SpaceId,
        /// The envelope as received.
        #[cbor(n(1), with = "minicbor::bytes")]
        envelope: Vec<u8>,
    },
    /// Every record of the space up to `through` is durable.
    #[n(3)]
    Appended {
        /// Which.
        #[n(0)]
        space: SpaceId,
        /// Newest durable record.
        #[n(1)]
        through: u64,
    },
    /// A record was not stored, and none behind it was.
    #[n(4)]
    AppendRefused {
        /// Which.
        #[n(0)]
        space: SpaceId,
        /// First record that was not stored.
        #[n(1)]
        number: u64,
        /// Why.
        #[n(2)]
        why: AppendRefusal,
    },
    /// Answers [`FromEnclave::ReadLog`].
    #[n(5)]
    LogPage {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// The page; absent when the log cannot be read now.
        #[n(1)]
        page: Option<LogPage>,
    },
    /// Answers [`FromEnclave::GetChunk`]; absent when it is not there.
    #[n(6)]
    Chunk {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// The chunk.
        #[cbor(n(1), with = "minicbor::bytes")]
        bytes: Option<Vec<u8>>,
    },
    /// Answers [`FromEnclave::PutChunk`].
    #[n(7)]
    Stored {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Whether it is durable.
        #[n(1)]
        durable: bool,
    },
    /// Close a space: it was suspended or removed.
    #[n(8)]
    Close {
        /// Which.
        #[n(0)]
        space: SpaceId,
    },
    /// Asks for a sign of life.
    #[n(9)]
    Ping(#[n(0)] u64),
    /// Close everything and end.
    #[n(10)]
    Shutdown,
    /// About other nodes.
    #[n(11)]
    Federation(#[n(0)] federation::ToEnclave),
    /// About the sealing root, before the enclave serves.
    #[n(12)]
    Sealing(#[n(0)] sealing::ToEnclave),
}

/// First frame of a host: what the enclave runs with. Its digest is attested.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Hello {
    /// [`crate::version::LINK`].
    #[n(0)]
    pub version: u16,
    /// Encoding of a [`crate::network::SignedNetwork`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub network: Vec<u8>,
    /// Open vaults at once.
    #[n(2)]
    pub max_open: u32,
    /// A vault without requests for this long is closed, ms.
    #[n(3)]
    pub idle: u64,
    /// Memory that all vault processes may use together, KiB.
    #[n(4)]
    pub memory: u64,
    /// libp2p PeerIds of this host; empty for a node that keeps to itself. Attested.
    #[n(5)]
    pub peers: Vec<ByteVec>,
}

/// What the host knows about a space.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Entry {
    /// No vault yet; an invitation was used for it.
    #[n(0)]
    Fresh {
        /// SHA-256 of the vault's half of the invitation's secret.
        #[cbor(n(0), with = "minicbor::bytes")]
        token_hash: [u8; 32],
    },
    /// A vault with a log.
    #[n(1)]
    Existing,
}

/// Why a record was not stored.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum AppendRefusal {
    /// The number is taken: somebody else writes this log.
    #[n(0)]
    Lost,
    /// No space is left.
    #[n(1)]
    Full,
    /// The storage failed.
    #[n(2)]
    Failed,
}

/// Records of one log, in order.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct LogPage {
    /// Newest record of the log; zero for an empty one.
    #[n(0)]
    pub newest: u64,
    /// Number of the first record below.
    #[n(1)]
    pub first: u64,
    /// Records; none behind the newest.
    #[n(2)]
    pub records: Vec<RecordBytes>,
}

/// One record, opaque to the host.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct RecordBytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// What an enclave says. Numbers do not overlap with [`FromHost`], so that nothing can be reflected.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum FromEnclave {
    /// Answers [`FromHost::Hello`].
    #[n(32)]
    Ready(#[n(0)] Ready),
    /// A space is ready for frames.
    #[n(33)]
    Opened {
        /// Which.
        #[n(0)]
        space: SpaceId,
    },
    /// An envelope for a device, to be released after record `after` is durable.
    #[n(34)]
    Frame {
        /// Its space.
        #[n(0)]
        space: SpaceId,
        /// Newest record it depends on; zero for none.
        #[n(1)]
        after: u64,
        /// The envelope; its header names the device.
        #[cbor(n(2), with = "minicbor::bytes")]
        envelope: Vec<u8>,
    },
    /// Store a record, if its number is the next one.
    #[n(35)]
    Append {
        /// Which log.
        #[n(0)]
        space: SpaceId,
        /// Number of the record.
        #[n(1)]
        number: u64,
        /// Whether a log may begin with it.
        #[n(2)]
        checkpoint: bool,
        /// The record.
        #[cbor(n(3), with = "minicbor::bytes")]
        record: Vec<u8>,
    },
    /// Read a page of a log.
    #[n(36)]
    ReadLog {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Which log.
        #[n(1)]
        space: SpaceId,
        /// First record; zero for the newest checkpoint.
        #[n(2)]
        from: u64,
    },
    /// Store a chunk of a snapshot.
    #[n(37)]
    PutChunk {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Which space.
        #[n(1)]
        space: SpaceId,
        /// Snapshot: number of the last record it contains.
        #[n(2)]
        snapshot: u64,
        /// Index of the chunk.
        #[n(3)]
        index: u32,
        /// The chunk.
        #[cbor(n(4), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// Read a chunk of a snapshot.
    #[n(38)]
    GetChunk {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Which space.
        #[n(1)]
        space: SpaceId,
        /// Snapshot.
        #[n(2)]
        snapshot: u64,
        /// Index of the chunk.
        #[n(3)]
        index: u32,
    },
    /// Records below `below` and snapshots of a number below `snapshot` are no longer needed. One of
    /// a higher number may be under way already.
    #[n(39)]
    Cut {
        /// Which space.
        #[n(0)]
        space: SpaceId,
        /// First record that is kept: a durable checkpoint.
        #[n(1)]
        below: u64,
        /// Snapshot that is kept, if there is one.
        #[n(2)]
        snapshot: Option<u64>,
    },
    /// Enrollment is finished: the first record is on its way.
    #[n(40)]
    Enrolled {
        /// Which space.
        #[n(0)]
        space: SpaceId,
    },
    /// A space was closed; frames for it need a new [`FromHost::Open`].
    #[n(41)]
    Closed {
        /// Which.
        #[n(0)]
        space: SpaceId,
        /// Why.
        #[n(1)]
        why: Closed,
    },
    /// Answers [`FromHost::Ping`].
    #[n(42)]
    Pong(#[n(0)] Pong),
    /// Something the operator should know.
    #[n(43)]
    Log(#[n(0)] LogLine),
    /// About other nodes.
    #[n(44)]
    Federation(#[n(0)] federation::FromEnclave),
    /// About the sealing root, before the enclave serves.
    #[n(45)]
    Sealing(#[n(0)] sealing::FromEnclave),
}

/// An enclave that serves.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Ready {
    /// [`crate::version::LINK`].
    #[n(0)]
    pub version: u16,
    /// Identity of the node.
    #[n(1)]
    pub node: NodeId,
    /// Number of the release that runs.
    #[n(2)]
    pub release: u32,
    /// PCR0, PCR1, PCR2, 48 bytes each.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub measurement: [u8; 144],
}

/// Why a space was closed.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Closed {
    /// The host asked.
    #[n(0)]
    Asked,
    /// Its process ended unexpectedly.
    #[n(1)]
    Crashed,
    /// Enrollment took too long.
    #[n(2)]
    EnrollmentExpired,
    /// No request for a while.
    #[n(3)]
    Idle,
    /// A record was not stored.
    #[n(4)]
    AppendRefused,
    /// The owner locked it.
    #[n(5)]
    Locked,
    /// Memory was needed.
    #[n(6)]
    Pressure,
    /// As many vaults are open as may be.
    #[n(7)]
    TooMany,
    /// It could not be opened: its log is unusable.
    #[n(8)]
    Damaged,
}

/// Sign of life.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Pong {
    /// Number of the ping.
    #[n(0)]
    pub ping: u64,
    /// Open vaults.
    #[n(1)]
    pub open: u32,
    /// Memory of all vault processes, KiB.
    #[n(2)]
    pub memory: u64,
    /// Sessions that are established.
    #[n(3)]
    pub sessions: u32,
    /// Private memory of the supervisor, KiB in whole MiB: more would tell of what it keeps. None where it
    /// cannot be read.
    #[n(4)]
    pub supervisor: Option<u64>,
}

/// A line for the operator's log: nothing in it names an owner.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct LogLine {
    /// Severity.
    #[n(0)]
    pub level: Level,
    /// What happened, from a fixed list.
    #[n(1)]
    pub event: String,
    /// A number that goes with it.
    #[n(2)]
    pub count: Option<u64>,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Level {
    /// A bug of ours.
    #[n(0)]
    Error,
    /// A peer's fault or lost capacity.
    #[n(1)]
    Warn,
    /// A change of life.
    #[n(2)]
    Info,
}

/// Why bytes on the link are no frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadFrame {
    /// Longer than [`limits::LINK_FRAME`], or empty.
    #[error("frame length {0} is out of bounds")]
    Length(u32),
    /// Not a frame of this direction.
    #[error("frame is malformed")]
    Malformed(#[from] Malformed),
}

/// Bytes of the length in front of a frame.
pub const PREFIX: usize = 4;

/// Appends a frame with its length to `out`. A frame over the limit is a bug of its sender, who
/// must have split it; nothing is appended then and the answer is false.
#[must_use]
pub fn write(frame: &impl Wire, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    cbor::encode_into(frame, out);
    let length = out.len() - start - PREFIX;
    let fits = length <= limits::LINK_FRAME;
    match (
        fits,
        u32::try_from(length),
        out.get_mut(start..start + PREFIX),
    ) {
        (true, Ok(length), Some(prefix)) => prefix.copy_from_slice(&length.to_be_bytes()),
        _ => out.truncate(start),
    }
    fits
}

/// Length of the frame that `buffer` begins with, prefix included, once the prefix is there.
pub fn frame_length(buffer: &[u8]) -> Result<Option<usize>, BadFrame> {
    let Some(prefix) = buffer.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*prefix);
    match usize::try_from(length) {
        Ok(size) if (1..=limits::LINK_FRAME).contains(&size) => Ok(Some(size + PREFIX)),
        _ => Err(BadFrame::Length(length)),
    }
}

/// Takes the first complete frame of `buffer`: the frame, and how many bytes it took.
pub fn read<T: Wire>(buffer: &[u8]) -> Result<Option<(T, usize)>, BadFrame> {
    let Some(length) = frame_length(buffer)? else {
        return Ok(None);
    };
    let Some(body) = buffer.get(PREFIX..length) else {
        return Ok(None);
    };
    Ok(Some((cbor::decode_exact(body)?, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> FromHost {
        FromHost::Frame {
            space: SpaceId([1; 16]),
            envelope: vec![9; 100],
        }
    }

    #[test]
    fn frames_come_back_from_a_stream() {
        let mut stream = Vec::new();
        assert!(write(&frame(), &mut stream));
        assert!(write(&FromHost::Ping(7), &mut stream));

        let (first, used) = read::<FromHost>(&stream)
            .expect("well-formed")
            .expect("complete");
        let (second, rest) = read::<FromHost>(&stream[used..])
            .expect("well-formed")
            .expect("complete");

        assert_eq!((first, second), (frame(), FromHost::Ping(7)));
        assert_eq!(used + rest, stream.len());
    }

    #[test]
    fn incomplete_frame_waits() {
        let mut stream = Vec::new();
        assert!(write(&frame(), &mut stream));
        for length in 0..stream.len() {
            assert_eq!(read::<FromHost>(&stream[..length]), Ok(None));
        }
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_at_once() {
        assert_eq!(
            frame_length(&u32::MAX.to_be_bytes()),
            Err(BadFrame::Length(u32::MAX))
        );
        assert_eq!(frame_length(&[0; 4]), Err(BadFrame::Length(0)));
    }

    #[test]
    fn frame_of_the_other_direction_is_refused() {
        let mut stream = Vec::new();
        assert!(write(
            &FromEnclave::Pong(Pong {
                ping: 1,
                open: 0,
                memory: 0,
                sessions: 0,
                supervisor: None
            }),
            &mut stream
        ));

        assert_eq!(
            read::<FromHost>(&stream),
            Err(BadFrame::Malformed(Malformed::Structure))
        );
    }

    #[test]
    fn frame_over_the_limit_is_not_written() {
        let mut stream = vec![5];
        let large = FromHost::Frame {
            space: SpaceId([1; 16]),
            envelope: vec![0; limits::LINK_FRAME],
        };

        assert!(!write(&large, &mut stream));
        assert_eq!(stream, [5]);
    }
}
