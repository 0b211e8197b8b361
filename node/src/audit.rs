//! What the operator did: an append-only table, each row hashed over its predecessor.
//!
//! The chain shows that a row was altered or removed; it cannot show that the whole tail was, which
//! an operator who wants that notes the newest hash elsewhere.

use rusqlite::{Connection, OptionalExtension, params};
use vettid_crypto::digest::sha256;

use crate::database::column::integer;
use crate::database::{Database, Inspection, ReadError};

/// Actions that are recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// An invitation was made.
    InvitationCreated,
    /// An invitation was withdrawn.
    InvitationRevoked,
    /// Another network was joined, or a newer file of the same one taken.
    NetworkJoined,
    /// The enclave admitted a peer with an identity, measurement or release not seen of it before.
    PeerAdmitted,
    /// The enclave of a release has said what earlier ones seal to.
    ReleasePrepared,
    /// A space was removed with everything in it.
    SpaceRemoved,
    /// A suspended space was let in again.
    SpaceResumed,
    /// A space was locked out.
    SpaceSuspended,
}

/// The chain is not whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The row of this number does not follow from the one before.
    #[error("row {0} of the admin audit was altered or one before it removed")]
    Broken(u64),
    /// The table cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InvitationCreated => "invitation.create",
            Self::InvitationRevoked => "invitation.revoke",
            Self::NetworkJoined => "network.join",
            Self::PeerAdmitted => "peer.admit",
            Self::ReleasePrepared => "release.prepare",
            Self::SpaceRemoved => "space.remove",
            Self::SpaceResumed => "space.resume",
            Self::SpaceSuspended => "space.suspend",
        }
    }
}

/// Adds a row. Part of the change it tells of.
pub(crate) fn record_in(
    connection: &Connection,
    at: u64,
    action: Action,
    subject: &str,
) -> rusqlite::Result<()> {
    let newest: Option<(i64, [u8; 32])> = connection
        .query_row(
            "SELECT number, hash FROM admin_audit ORDER BY number DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (number, previous) = newest.map_or((1, [0; 32]), |(number, hash)| {
        (number.saturating_add(1), hash)
    });
    let at = integer(at);
    let hash = hash(number, at, action.as_str(), subject, &previous);
    connection
        .execute(
            "INSERT INTO admin_audit VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![number, at, action.as_str(), subject, previous, hash],
        )
        .map(drop)
}

/// Checks the whole chain; the number of rows.
pub async fn verify(database: &Database) -> Result<u64, AuditError> {
    let verified = database.read(|connection| Ok(verify_in(connection)));
    verified.await?.map_err(AuditError::from)
}

/// Checks the whole chain of a database that is only looked at; the number of rows.
pub(crate) fn verify_inspected(inspection: &Inspection) -> Result<u64, AuditError> {
    if inspection.schema == 0 {
        return Ok(0);
    }
    verify_in(&inspection.connection).map_err(AuditError::from)
}

enum Checked {
    Broken(u64),
    Sqlite,
}

impl From<Checked> for AuditError {
    fn from(error: Checked) -> Self {
        match error {
            Checked::Broken(number) => Self::Broken(number),
            Checked::Sqlite => Self::Read(ReadError::Failed),
        }
    }
}

impl From<rusqlite::Error> for Checked {
    fn from(_: rusqlite::Error) -> Self {
        Self::Sqlite
    }
}

fn verify_in(connection: &Connection) -> Result<u64, Checked> {
    let mut statement = connection.prepare(
        "SELECT number, at, action, subject, previous, hash FROM admin_audit ORDER BY number",
    )?;
    let mut rows = statement.query([])?;
    let (mut count, mut newest) = (0_u64, [0; 32]);
    while let Some(row) = rows.next()? {
        let (number, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (action, subject): (String, String) = (row.get(2)?, row.get(3)?);
        let (previous, found): ([u8; 32], [u8; 32]) = (row.get(4)?, row.get(5)?);
        count = count.saturating_add(1);
        let follows = u64::try_from(number) == Ok(count)
            && previous == newest
            && found == hash(number, at, &action, &subject, &previous);
        if !follows {
            return Err(Checked::Broken(count));
        }
        newest = found;
    }
    Ok(count)
}

fn hash(number: i64, at: i64, action: &str, subject: &str, previous: &[u8; 32]) -> [u8; 32] {
    let mut bytes = b"vettid/1/admin-audit".to_vec();
    bytes.extend_from_slice(previous);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&at.to_be_bytes());
    for text in [action, subject] {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Options;

    async fn audited(folder: &tempfile::TempDir) -> Database {
        let path = folder.path().join("node.db");
        let database = Database::open(&path, Options::default()).expect("opened");
        for subject in ["1", "2", "3"] {
            database
                .transact(move |c| record_in(c, 7, Action::InvitationCreated, subject))
                .await
                .expect("recorded");
        }
        database
    }

    #[tokio::test]
    async fn untouched_chain_verifies() {
        let folder = tempfile::tempdir().expect("folder");
        let database = audited(&folder).await;
        assert_eq!(verify(&database).await, Ok(3));
    }

    #[tokio::test]
    async fn altered_and_removed_rows_are_found() {
        for tamper in [
            "UPDATE admin_audit SET subject = '9' WHERE number = 2",
            "DELETE FROM admin_audit WHERE number = 2",
        ] {
            let folder = tempfile::tempdir().expect("folder");
            let database = audited(&folder).await;
            let connection = Connection::open(folder.path().join("node.db")).expect("opened");
            connection
                .execute_batch(&format!(
                    "DROP TRIGGER admin_audit_is_not_changed;
                     DROP TRIGGER admin_audit_is_not_removed; {tamper};"
                ))
                .expect("tampered");

            assert_eq!(verify(&database).await, Err(AuditError::Broken(2)));
        }
    }
}
