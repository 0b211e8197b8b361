//! What the admin audit tells of admitted peers: each identity, release and measurement once.
//!
//! The audit is append-only, and peers decide how often they come: what it tells of already is kept
//! apart from how a peer stands, and only so much is added in a day. What there was no room for is
//! told when the peer is admitted on another day.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use rusqlite::{Connection, params};
use vettid_wire::link::federation::Admitted;

use crate::audit::{self, Action};
use crate::database::column::integer;

/// Rows of one node in a day: one runs two releases around an upgrade, and its operator may try a
/// few images.
const OF_NODE: i64 = 8;

/// Rows of all nodes in a day: as many as have a session at once, who are all new on the first day.
/// About 600 KB.
const OF_ALL: i64 = 1_024;

/// Combinations that are remembered; of more, the oldest are forgotten, and told again when they
/// come back. More than are added in a day, so that a day's rows can be counted.
const REMEMBERED: i64 = 16_384;

const DAY: u64 = 24 * 3_600;

const KNOWN: &str =
    "SELECT 1 FROM audited_peer WHERE node = ?1 AND release = ?2 AND measurement = ?3";

const BOUND: &str = "DELETE FROM audited_peer WHERE (node, release, measurement) IN (
    SELECT node, release, measurement FROM audited_peer ORDER BY at
    LIMIT max(0, (SELECT count(*) FROM audited_peer) - ?1))";

/// Has the audit tell of an admitted peer, unless it does already or a day's rows are written.
pub(super) fn audit_in(
    connection: &Connection,
    admitted: &Admitted,
    now: u64,
) -> rusqlite::Result<()> {
    let Admitted {
        node,
        release,
        measurement,
        ..
    } = admitted;
    let known = connection
        .prepare_cached(KNOWN)?
        .exists(params![node.0, release, measurement])?;
    if known || !has_room(connection, admitted, now)? {
        return Ok(());
    }
    audit::record_in(connection, now, Action::PeerAdmitted, &proven(admitted))?;
    connection
        .prepare_cached("INSERT INTO audited_peer VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![node.0, release, measurement, integer(now)])?;
    connection
        .prepare_cached(BOUND)?
        .execute([REMEMBERED])
        .map(drop)
}

fn has_room(connection: &Connection, admitted: &Admitted, now: u64) -> rusqlite::Result<bool> {
    let after = integer(now.saturating_sub(DAY));
    let (all, of_node): (i64, i64) = connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE node = ?2) FROM audited_peer WHERE at > ?1",
        )?
        .query_row(params![after, admitted.node.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(all < OF_ALL && of_node < OF_NODE)
}

/// What the audit keeps: identity, release and measurement.
fn proven(admitted: &Admitted) -> String {
    let mut text = format!("{} release {}", admitted.node, admitted.release);
    for (number, pcr) in admitted.measurement.chunks_exact(48).enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, " pcr{number} {}", HEXLOWER.encode(pcr));
    }
    text
}

#[cfg(test)]
mod tests {
    use vettid_wire::id::NodeId;
    use vettid_wire::time::UnixMillis;

    use super::*;
    use crate::database::{Database, Options};

    async fn database() -> (Database, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("node.db");
        let database = Database::open(&path, Options::default()).expect("opened");
        (database, folder)
    }

    async fn admit(database: &Database, node: u64, releases: std::ops::Range<u32>, now: u64) {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&node.to_be_bytes());
        let admit = move |connection: &Connection| {
            releases.clone().try_for_each(|release| {
                let admitted = Admitted {
                    node: NodeId(id),
                    release,
                    measurement: [0xab; 144],
                    expires: UnixMillis(90_000),
                };
                audit_in(connection, &admitted, now)
            })
        };
        database.transact(admit).await.expect("written");
    }

    async fn count(database: &Database, table: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        let counted =
            database.read(move |connection| connection.query_row(&query, [], |row| row.get(0)));
        counted.await.expect("read")
    }

    #[tokio::test]
    async fn rows_of_one_node_are_bounded_in_a_day_and_the_rest_follows_on_another() {
        let (database, _folder) = database().await;

        admit(&database, 1, 0..20, 100_000).await;
        admit(&database, 2, 0..1, 100_000).await;
        assert_eq!(count(&database, "admin_audit").await, OF_NODE + 1);

        admit(&database, 1, 0..20, 100_000 + DAY).await;
        assert_eq!(count(&database, "admin_audit").await, 2 * OF_NODE + 1);
    }

    #[tokio::test]
    async fn rows_of_all_nodes_are_bounded_in_a_day() {
        let (database, _folder) = database().await;

        for node in 0..200 {
            admit(&database, node, 0..8, 100_000).await;
        }

        assert_eq!(count(&database, "admin_audit").await, OF_ALL);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded_and_the_oldest_is_forgotten() {
        let (database, _folder) = database().await;
        admit(&database, 1, 0..1, 100_000).await;
        database
            .transact(|connection| {
                connection.execute(
                    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                     INSERT INTO audited_peer SELECT randomblob(32), 1, x'00', 100000 + i FROM n",
                    [REMEMBERED],
                )
            })
            .await
            .expect("filled");

        admit(&database, 2, 0..1, 1_000_000).await;

        assert_eq!(count(&database, "audited_peer").await, REMEMBERED);
        let first = "audited_peer WHERE at <= 100001";
        assert_eq!(count(&database, first).await, 0);
    }
}
