//! The table of peers: who was admitted or refused, why, since when, until when, and how.
//!
//! What an admitted peer has proven goes to the admin audit, once for each identity, release and
//! measurement: an operator can show later whom this node has talked to.

mod audited;

use data_encoding::HEXLOWER;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use vettid_federation::event::{Path, Standing};
use vettid_federation::key::peer_text;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{Admitted, NotAdmitted};

use crate::database::column::{integer, number};
use crate::database::{Database, Full, ReadError, WriteError};

/// Peers that are remembered. Of more, refused ones go first, since anybody can be refused, then those
/// that are away; of each the longest known.
const PEERS: i64 = 4_096;

/// A peer that is not admitted is forgotten after this many seconds.
const REMEMBERED: u64 = 30 * 24 * 3_600;

const ADMITTED: &str = "INSERT INTO peer VALUES (?1, ?2, 'admitted', '', ?3, ?4, '', ?5, ?6)
    ON CONFLICT (peer) DO UPDATE SET
        since = iif(state = 'admitted' AND node IS excluded.node, since, excluded.since),
        node = excluded.node, state = 'admitted', why = '', expires = excluded.expires,
        release = excluded.release, measurement = excluded.measurement";

/// Release and image stay while they are of the node that is named.
const REFUSED: &str = "INSERT INTO peer VALUES (?1, ?2, 'refused', ?3, ?4, 0, '', 0, x'')
    ON CONFLICT (peer) DO UPDATE SET
        since = excluded.since, node = excluded.node, state = 'refused', why = excluded.why,
        expires = 0, release = iif(node IS excluded.node, release, 0),
        measurement = iif(node IS excluded.node, measurement, x'')";

/// Of a peer that this side has not refused, and that does not let it in.
const KEPT_OUT: &str = "INSERT INTO peer VALUES
        (?1, NULL, 'refused', 'it does not admit this node', ?3, ?2, '', 0, x'')
    ON CONFLICT (peer) DO UPDATE SET expires = excluded.expires WHERE state = 'refused'";

const BOUND: &str = "DELETE FROM peer WHERE peer IN (
    SELECT peer FROM peer WHERE state <> 'admitted' ORDER BY state = 'away', since
    LIMIT max(0, (SELECT count(*) FROM peer) - ?1))";

/// A change of how a peer stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Note {
    peer: Vec<u8>,
    change: Change,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Change {
    Admitted(Admitted),
    Gone,
    KeptOut(u64),
    Path(Path),
    Refused(NodeId, NotAdmitted),
}

/// One peer, as the operator sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed {
    /// PeerId of its host.
    pub peer: String,
    /// Node that it has proven to be, or said to be when it was refused.
    pub node: Option<String>,
    /// How it stands.
    pub state: PeerState,
    /// Why it was refused.
    pub why: String,
    /// Since when, Unix seconds.
    pub since: u64,
    /// Until when it is admitted or kept out, Unix seconds; zero for neither.
    pub expires: u64,
    /// `direct` or `relayed`; empty while it is not connected.
    pub path: String,
    /// Number of the release that it has proven to run.
    pub release: u64,
    /// PCR0 of the image that it has proven, hexadecimal.
    pub image: String,
}

/// How a peer stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerState {
    /// Its enclave and ours have accepted each other.
    Admitted,
    /// It was admitted and is not connected now.
    Away,
    /// It was refused.
    Refused,
}

impl Note {
    pub(super) const fn admitted(peer: Vec<u8>, admitted: Admitted) -> Self {
        let change = Change::Admitted(admitted);
        Self { peer, change }
    }

    pub(super) const fn refused(peer: Vec<u8>, node: NodeId, why: NotAdmitted) -> Self {
        let change = Change::Refused(node, why);
        Self { peer, change }
    }

    /// What the network says of a peer.
    pub(super) const fn changed(peer: Vec<u8>, standing: Standing) -> Self {
        let change = match standing {
            Standing::Admitted { path, .. } | Standing::Connected { path } => Change::Path(path),
            Standing::Gone => Change::Gone,
            Standing::Refused { wait } => Change::KeptOut(wait.as_secs()),
        };
        Self { peer, change }
    }

    fn write(&self, connection: &Connection, now: u64) -> rusqlite::Result<()> {
        let peer = &self.peer;
        let update = |statement: &str, value: &dyn rusqlite::ToSql| {
            let mut statement = connection.prepare_cached(statement)?;
            statement.execute(params![peer, value]).map(drop)
        };
        match &self.change {
            Change::Admitted(admitted) => write_admitted(connection, peer, admitted, now),
            Change::Refused(node, why) => {
                connection.prepare_cached(REFUSED)?.execute(params![
                    peer,
                    node.0,
                    reason(*why),
                    integer(now)
                ])?;
                connection.prepare_cached(BOUND)?.execute([PEERS]).map(drop)
            }
            Change::Path(path) => update(
                "UPDATE peer SET path = ?2 WHERE peer = ?1",
                &path_text(*path),
            ),
            Change::Gone => update(
                "UPDATE peer SET path = '', expires = iif(state = 'refused', expires, 0),
                     since = iif(state = 'admitted', ?2, since),
                     state = iif(state = 'admitted', 'away', state) WHERE peer = ?1",
                &integer(now),
            ),
            Change::KeptOut(seconds) => {
                connection.prepare_cached(KEPT_OUT)?.execute(params![
                    peer,
                    integer(now.saturating_add(*seconds)),
                    integer(now)
                ])?;
                connection.prepare_cached(BOUND)?.execute([PEERS]).map(drop)
            }
        }
    }
}

impl PeerState {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Away => "away",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "admitted" => Self::Admitted,
            "refused" => Self::Refused,
            // The schema allows no other.
            _ => Self::Away,
        }
    }
}

/// The peers that a node remembers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct PeerRows {
    database: Database,
}

impl PeerRows {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Every remembered peer: admitted ones first, then the newest.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, ReadError> {
        self.database
            .read(|connection| {
                connection
                    .prepare(
                        "SELECT peer, node, state, why, since, expires, path, release, measurement
                         FROM peer ORDER BY state, since DESC, peer",
                    )?
                    .query_map([], listed)?
                    .collect()
            })
            .await
    }

    /// Writes down how a peer stands, in the order of the calls.
    pub(super) fn note(&self, note: Note, now: u64) -> Result<(), Full> {
        let write = move |connection: &Connection| note.write(connection, now);
        self.database.queue(0, write, |_| {})
    }

    /// After a start nobody is connected.
    pub(super) async fn begin(&self, now: u64) -> Result<(), WriteError> {
        self.database
            .transact(move |connection| {
                connection.execute(
                    "UPDATE peer SET state = 'away', path = '', expires = 0, since = ?1
                     WHERE state = 'admitted'",
                    [integer(now)],
                )?;
                connection
                    .execute("UPDATE peer SET path = ''", [])
                    .map(drop)
            })
            .await
    }

    /// Forgets peers that were not admitted for long.
    pub(super) async fn sweep(&self, now: u64) -> Result<usize, WriteError> {
        let before = integer(now.saturating_sub(REMEMBERED));
        self.database
            .transact(move |connection| {
                connection.execute(
                    "DELETE FROM peer WHERE state <> 'admitted' AND since < ?1",
                    [before],
                )
            })
            .await
    }
}

fn write_admitted(
    connection: &Connection,
    peer: &[u8],
    admitted: &Admitted,
    now: u64,
) -> rusqlite::Result<()> {
    audited::audit_in(connection, admitted, now)?;
    connection.prepare_cached(ADMITTED)?.execute(params![
        peer,
        admitted.node.0,
        integer(now),
        integer(admitted.expires.seconds()),
        admitted.release,
        admitted.measurement,
    ])?;
    connection.prepare_cached(BOUND)?.execute([PEERS]).map(drop)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let peer: Vec<u8> = row.get(0)?;
    let node: Option<[u8; 32]> = row.get(1)?;
    let measurement: Vec<u8> = row.get(8)?;
    Ok(Listed {
        peer: peer_text(&peer),
        node: node.map(|node| NodeId(node).to_string()),
        state: PeerState::parse(&row.get::<_, String>(2)?),
        why: row.get(3)?,
        since: number(row, 4)?,
        expires: number(row, 5)?,
        path: row.get(6)?,
        release: number(row, 7)?,
        image: HEXLOWER.encode(measurement.get(..48).unwrap_or_default()),
    })
}

const fn path_text(path: Path) -> &'static str {
    match path {
        Path::Direct => "direct",
        Path::Relayed => "relayed",
    }
}

const fn reason(why: NotAdmitted) -> &'static str {
    match why {
        NotAdmitted::Evidence => "its evidence does not verify, or it broke the protocol",
        NotAdmitted::Measurement => "its image is not accepted by the network file",
        NotAdmitted::Network => "it is of another network, version or policy",
        NotAdmitted::Identity => "it is not the node, or not the host, that was wanted",
        NotAdmitted::Slow => "it took too long",
        NotAdmitted::Replaced => "a newer session took its place",
        NotAdmitted::TooMany => "as many peers are admitted as may be",
        NotAdmitted::Unready => "this node's enclave has no evidence to show yet",
    }
}

#[cfg(test)]
mod tests;
