//! What the enclave asks of log and object store, answered beside the frames.

use std::sync::Arc;

use bytes::Bytes;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::link::{FromEnclave, FromHost, LogPage, RecordBytes};

use crate::object_store::{ObjectName, ObjectStore, Put};
use crate::vault_log::{From, VaultLog};

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

impl Question {
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
