//! Home records of this node's vaults: kept so that they are in the network again after a start.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vettid_wire::id::SpaceId;
use vettid_wire::time::UnixMillis;

use super::joined::Joined;
use crate::database::column::{count, integer, number};
use crate::database::{Database, Full, ReadError, WriteError};

/// A record to be put into the network; sealed, signed by its vault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Published {
    pub(crate) location: [u8; 32],
    pub(crate) expires: UnixMillis,
    pub(crate) record: Vec<u8>,
}

/// The records of a node, one a space. Cheap to clone.
#[derive(Clone)]
pub(crate) struct HomeRows {
    database: Database,
}

/// The records as the operator's commands change them: a space that is locked out or gone is found no
/// more. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Homes {
    rows: HomeRows,
    network: Joined,
}

impl Homes {
    /// Of the node with this database, and the network it is in.
    pub(crate) fn new(database: Database, network: Joined) -> Self {
        let rows = HomeRows::new(database);
        Self { rows, network }
    }

    /// The record of a space.
    pub(crate) async fn of(&self, space: SpaceId) -> Result<Option<Published>, ReadError> {
        self.rows.of(space).await
    }

    /// Puts a record into the network.
    pub(crate) async fn announce(&self, home: Published) {
        if let Some(network) = self.network.now() {
            let Published {
                location,
                expires,
                record,
            } = home;
            // A network that has ended has no records.
            let _ = network.put_record(location, record, expires).await;
        }
    }

    /// Puts a record into the network no more; copies at other nodes expire.
    pub(crate) async fn withdraw(&self, home: Published) {
        if let Some(network) = self.network.now() {
            let _ = network.drop_record(home.location).await;
        }
    }
}

impl HomeRows {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps a record in place of the space's earlier one.
    pub(super) fn keep(&self, space: SpaceId, home: Published) -> Result<(), Full> {
        let keep = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO home (space, location, expires, record)
                     SELECT id, ?2, ?3, ?4 FROM space WHERE id = ?1",
                )?
                .execute(params![
                    space.0,
                    home.location,
                    integer(home.expires.0),
                    home.record
                ])
                .map(drop)
        };
        self.database.queue(0, keep, |_| {})
    }

    async fn of(&self, space: SpaceId) -> Result<Option<Published>, ReadError> {
        self.database
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT location, expires, record FROM home WHERE space = ?1")?
                    .query_row([space.0], published)
                    .optional()
            })
            .await
    }

    /// Every record of a space that may be used, unless it has expired; at most `limit`.
    pub(super) async fn all(
        &self,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<Published>, ReadError> {
        let limit = count(limit);
        self.database
            .read(move |connection| {
                connection
                    .prepare(
                        "SELECT h.location, h.expires, h.record FROM home h
                         JOIN space s ON s.id = h.space
                         WHERE s.state = 'active' AND h.expires > ?1 LIMIT ?2",
                    )?
                    .query_map(params![integer(now.0), limit], published)?
                    .collect()
            })
            .await
    }

    /// Removes what has expired.
    pub(super) async fn sweep(&self, now: UnixMillis) -> Result<usize, WriteError> {
        self.database
            .transact(move |connection| {
                connection.execute("DELETE FROM home WHERE expires <= ?1", [integer(now.0)])
            })
            .await
    }
}

fn published(row: &Row<'_>) -> rusqlite::Result<Published> {
    Ok(Published {
        location: row.get(0)?,
        expires: UnixMillis(number(row, 1)?),
        record: row.get(2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Options;
    use crate::space::fixture::space;

    const NOW: UnixMillis = UnixMillis(1_000);

    #[tokio::test]
    async fn newest_record_of_each_space_is_kept_until_it_expires() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("node.db");
        let database = Database::open(&path, Options::default()).expect("opened");
        let (first, second) = (space(&database, 1).await, space(&database, 2).await);
        let homes = HomeRows::new(database);
        let home = |content: u8, expires: u64| Published {
            location: [content; 32],
            expires: UnixMillis(expires),
            record: vec![content; 10],
        };
        homes.keep(first, home(1, 2_000)).expect("queued");
        homes.keep(first, home(2, 3_000)).expect("queued");
        homes.keep(second, home(3, 1_000)).expect("queued");
        homes
            .keep(SpaceId([9; 16]), home(4, 9_000))
            .expect("queued");

        assert_eq!(homes.sweep(NOW).await, Ok(1));
        assert_eq!(homes.all(NOW, 10).await, Ok(vec![home(2, 3_000)]));
        assert_eq!(homes.all(UnixMillis(3_000), 10).await, Ok(vec![]));
        assert_eq!(homes.of(first).await, Ok(Some(home(2, 3_000))));
        assert_eq!(homes.of(second).await, Ok(None));
    }
}
