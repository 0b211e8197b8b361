//! What the enclave asks of log and object store, answered beside the frames.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::link::{FromEnclave, FromHost, LogPage, RecordBytes};

use crate::object_store::{ObjectName, ObjectStore, Put};
use crate::vault_log::{From, VaultLog};

/// Questions that are answered at once.
pub(super) const AT_ONCE: usize = 512;

/// Questions that wait: eight of each vault of a large node.
const WAITING: usize = 65_536;

/// Bytes of chunks that wait.
const WAITING_BYTES: usize = 512 * 1024 * 1024;

/// Something that takes a while.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Question {
    /// Read a page of a log.
    ReadLog {
        request: u64,
        space: SpaceId,
        from: From,
    },
    /// Store a chunk of a snapshot.
    PutChunk {
        request: u64,
        chunk: Chunk,
        bytes: Bytes,
    },
    /// Read a chunk of a snapshot.
    GetChunk { request: u64, chunk: Chunk },
    /// Remove what a checkpoint made superfluous.
    Cut {
        space: SpaceId,
        below: u64,
        snapshot: Option<u64>,
    },
}

/// Names one chunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Chunk {
    space: SpaceId,
    snapshot: u64,
    index: u32,
}

/// Where questions are answered.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) log: Arc<dyn VaultLog>,
    pub(super) objects: Arc<dyn ObjectStore>,
}

/// Questions that are being answered, and those that wait for their turn. A slow store makes them
/// wait; it ends nothing, since the vaults of an enclave together may ask more than is answered at
/// once.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: usize,
    waiting: VecDeque<Question>,
    waiting_bytes: usize,
}

/// More wait than an enclave can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMany;

impl Turns {
    /// A new question, given back if it is its turn.
    pub(super) fn ask(&mut self, question: Question) -> Result<Option<Question>, TooMany> {
        if self.taken < AT_ONCE {
            self.taken = self.taken.saturating_add(1);
            return Ok(Some(question));
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(question.size());
        if self.waiting.len() >= WAITING || self.waiting_bytes > WAITING_BYTES {
            return Err(TooMany);
        }
        self.waiting.push_back(question);
        Ok(None)
    }

    /// One was answered; the next one.
    pub(super) fn answered(&mut self) -> Option<Question> {
        let next = self.waiting.pop_front();
        match &next {
            Some(question) => {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(question.size());
            }
            None => self.taken = self.taken.saturating_sub(1),
        }
        next
    }
}

impl Question {
    fn size(&self) -> usize {
        match self {
            Self::PutChunk { bytes, .. } => bytes.len(),
            Self::ReadLog { .. } | Self::GetChunk { .. } | Self::Cut { .. } => 0,
        }
    }

    /// The question in a frame, if it is one.
    pub(super) fn of(frame: FromEnclave) -> Option<Self> {
        match frame {
            FromEnclave::ReadLog {
                request,
                space,
                from,
            } => Some(Self::ReadLog {
                request,
                space,
                from: match from {
                    0 => From::Checkpoint,
                    number => From::Number(number),
                },
            }),
            FromEnclave::PutChunk {
                request,
                space,
                snapshot,
                index,
                bytes,
            } => {
                let chunk = Chunk {
                    space,
                    snapshot,
                    index,
                };
                Some(Self::PutChunk {
                    request,
                    chunk,
                    bytes: Bytes::from(bytes),
                })
            }
            FromEnclave::GetChunk {
                request,
                space,
                snapshot,
                index,
            } => {
                let chunk = Chunk {
                    space,
                    snapshot,
                    index,
                };
                Some(Self::GetChunk { request, chunk })
            }
            FromEnclave::Cut {
                space,
                below,
                snapshot,
            } => Some(Self::Cut {
                space,
                below,
                snapshot,
            }),
            _ => None,
        }
    }

    /// The answer; a cut has none.
    pub(super) async fn answer(self, stores: &Stores) -> Option<FromHost> {
        Some(match self {
            Self::ReadLog {
                request,
                space,
                from,
            } => FromHost::LogPage {
                request,
                page: read(stores, space, from).await,
            },
            Self::PutChunk {
                request,
                chunk,
                bytes,
            } => FromHost::Stored {
                request,
                durable: put(stores, chunk, bytes).await,
            },
            Self::GetChunk { request, chunk } => FromHost::Chunk {
                request,
                bytes: get(stores, chunk).await,
            },
            Self::Cut {
                space,
                below,
                snapshot,
            } => {
                cut(stores, space, below, snapshot).await;
                return None;
            }
        })
    }
}

impl Chunk {
    fn name(self) -> Option<ObjectName> {
        let Self {
            space,
            snapshot,
            index,
        } = self;
        ObjectName::parse(&format!("spaces/{space}/{snapshot:020}/{index:06}")).ok()
    }
}

/// Folder of everything that belongs to `space`.
pub(crate) fn folder_of(space: SpaceId) -> Option<ObjectName> {
    ObjectName::parse(&format!("spaces/{space}")).ok()
}

async fn read(stores: &Stores, space: SpaceId, from: From) -> Option<LogPage> {
    let page = stores.log.read(space, from, limits::LOG_PAGE).await.ok()?;
    Some(LogPage {
        newest: page.newest,
        first: page.records.first().map_or(0, |record| record.number),
        records: page
            .records
            .into_iter()
            .map(|r| RecordBytes(r.bytes.into()))
            .collect(),
    })
}

/// Stores a chunk once. One that is there with other content stays: a checkpoint may refer to it,
/// and the enclave's next snapshot has another number.
async fn put(stores: &Stores, chunk: Chunk, bytes: Bytes) -> bool {
    let Some(name) = chunk.name() else {
        return false;
    };
    match stores
        .objects
        .put_if_absent(name.clone(), bytes.clone())
        .await
    {
        Ok(Put::Stored) => true,
        Ok(Put::AlreadyThere) => stores.objects.get(name, None).await == Ok(Some(bytes)),
        Err(_) => false,
    }
}

async fn get(stores: &Stores, chunk: Chunk) -> Option<Vec<u8>> {
    stores
        .objects
        .get(chunk.name()?, None)
        .await
        .ok()
        .flatten()
        .map(Vec::from)
}

/// Cuts the log, then removes older snapshots; an interrupted removal is caught up by the next.
async fn cut(stores: &Stores, space: SpaceId, below: u64, snapshot: Option<u64>) {
    if stores.log.cut_below(space, below).await.is_err() {
        return;
    }
    let Some(folder) = folder_of(space) else {
        return;
    };
    let Ok(names) = stores.objects.list(folder).await else {
        return;
    };
    let keep = snapshot.unwrap_or(below);
    for name in names {
        let number = name
            .as_str()
            .split('/')
            .nth(2)
            .and_then(|text| text.parse::<u64>().ok());
        if number.is_some_and(|number| number < keep) && stores.objects.delete(name).await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: u64) -> Question {
        let chunk = Chunk {
            space: SpaceId([1; 16]),
            snapshot: 1,
            index: 0,
        };
        Question::GetChunk { request, chunk }
    }

    #[test]
    fn questions_beyond_those_at_once_wait_and_come_in_order() {
        let mut turns = Turns::default();
        let count = AT_ONCE as u64;
        for request in 0..count {
            assert_eq!(turns.ask(read(request)), Ok(Some(read(request))));
        }
        for request in count..3 * count {
            assert_eq!(turns.ask(read(request)), Ok(None));
        }

        for request in count..3 * count {
            assert_eq!(turns.answered(), Some(read(request)));
        }
        for _ in 0..count {
            assert_eq!(turns.answered(), None);
        }
        assert_eq!(turns.ask(read(1)), Ok(Some(read(1))));
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_bytes() {
        let mut turns = Turns::default();
        let asked = (0..).take_while(|request| turns.ask(read(*request)).is_ok());
        assert_eq!(asked.count(), AT_ONCE + WAITING);

        let mut turns = Turns::default();
        let store = |request| {
            let Question::GetChunk { chunk, .. } = read(request) else {
                panic!("a chunk");
            };
            let bytes = Bytes::from_static(&[0; 1024 * 1024]);
            Question::PutChunk {
                request,
                chunk,
                bytes,
            }
        };
        let asked = (0..).take_while(|request| turns.ask(store(*request)).is_ok());
        assert_eq!(asked.count(), AT_ONCE + 512);
    }
}
