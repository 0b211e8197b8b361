//! One-time invitations: made, listed, withdrawn. Only hashes of the two halves are kept.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use vettid_crypto::{InvitationSecret, SecretBytes};
use vettid_wire::invitation::{Halves, stored};

use crate::audit::{self, Action};
use crate::database::column::{integer, number};
use crate::database::{Database, ReadError, WriteError};
use crate::entropy::random;

/// Longest label, bytes: a name for the operator's own list.
const LABEL: usize = 64;

/// Longest life, seconds.
const LONGEST: u64 = 7 * 24 * 3600;

/// Invitations that can be open at once.
const OPEN: i64 = 1_000;

/// One invitation, as the operator sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed {
    /// Number in this node's list.
    pub id: u64,
    /// The operator's own words.
    pub label: String,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds.
    pub expires: u64,
    /// Whether it can be used.
    pub state: State,
}

/// Whether an invitation can be used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Too old.
    Expired,
    /// It can be used.
    Open,
    /// Withdrawn by the operator.
    Revoked,
    /// Somebody enrolled with it.
    Used,
}

/// Why an invitation was not made or withdrawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// The label is too long.
    #[error("the label is longer than 64 bytes")]
    Label,
    /// The lifetime is out of bounds.
    #[error("an invitation lives from 1 second to 7 days")]
    Lifetime,
    /// Nothing to withdraw.
    #[error("there is no open invitation of this number")]
    NotOpen,
    /// The list cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Withdraw some first.
    #[error("1000 invitations are open: revoke some first")]
    TooMany,
    /// Nothing was stored.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Makes an invitation; its secret exists nowhere else afterwards.
pub async fn create(
    database: &Database,
    label: String,
    lifetime: u64,
    now: u64,
) -> Result<(u64, InvitationSecret), InvitationError> {
    if label.len() > LABEL {
        return Err(InvitationError::Label);
    }
    if !(1..=LONGEST).contains(&lifetime) {
        return Err(InvitationError::Lifetime);
    }
    let secret = InvitationSecret::from_bytes(random());
    let halves = Halves::of(&secret);
    let (host, vault) = (stored(&halves.host), stored(&halves.vault));
    let expires = now.saturating_add(lifetime);
    let id = database
        .transact(move |connection| insert(connection, &label, host, vault, now, expires))
        .await?
        .ok_or(InvitationError::TooMany)?;
    Ok((id, secret))
}

/// Every invitation, newest first.
pub async fn list(database: &Database, now: u64) -> Result<Vec<Listed>, InvitationError> {
    let listed = database.read(move |connection| {
        connection
            .prepare(
                "SELECT id, label, created, expires, revoked, used FROM invitation
                 ORDER BY id DESC LIMIT 10000",
            )?
            .query_map([], |row| {
                let expires = number(row, 3)?;
                let (revoked, used): (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
                Ok(Listed {
                    id: number(row, 0)?,
                    label: row.get(1)?,
                    created: number(row, 2)?,
                    expires,
                    state: state(revoked.is_some(), used.is_some(), expires, now),
                })
            })?
            .collect()
    });
    Ok(listed.await?)
}

/// Withdraws an open invitation.
pub async fn revoke(database: &Database, id: u64, now: u64) -> Result<(), InvitationError> {
    let revoked = database.transact(move |connection| {
        let changed = connection.execute(
            "UPDATE invitation SET revoked = ?2
             WHERE id = ?1 AND revoked IS NULL AND used IS NULL AND expires > ?2",
            params![integer(id), integer(now)],
        )?;
        if changed > 0 {
            audit::record_in(connection, now, Action::InvitationRevoked, &id.to_string())?;
        }
        Ok(changed > 0)
    });
    if revoked.await? {
        Ok(())
    } else {
        Err(InvitationError::NotOpen)
    }
}

/// An invitation that somebody presents.
pub(crate) struct Presented {
    pub(crate) id: i64,
    pub(crate) vault_hash: [u8; 32],
    pub(crate) state: State,
}

/// Looks an invitation up by the hash of its host half.
pub(crate) fn present_in(
    connection: &Connection,
    host_hash: &[u8; 32],
    now: u64,
) -> rusqlite::Result<Option<Presented>> {
    connection
        .query_row(
            "SELECT id, vault_hash, expires, revoked, used FROM invitation WHERE http_hash = ?1",
            [host_hash],
            |row| {
                let (revoked, used): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
                let expires = number(row, 2)?;
                Ok(Presented {
                    id: row.get(0)?,
                    vault_hash: row.get(1)?,
                    state: state(revoked.is_some(), used.is_some(), expires, now),
                })
            },
        )
        .optional()
}

fn insert(
    connection: &Connection,
    label: &str,
    host: [u8; 32],
    vault: [u8; 32],
    now: u64,
    expires: u64,
) -> rusqlite::Result<Option<u64>> {
    let open: i64 = connection.query_row(
        "SELECT count(*) FROM invitation
         WHERE revoked IS NULL AND used IS NULL AND expires > ?1",
        [integer(now)],
        |row| row.get(0),
    )?;
    if open >= OPEN {
        return Ok(None);
    }
    connection.execute(
        "INSERT INTO invitation (label, http_hash, vault_hash, created, expires)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![label, host, vault, integer(now), integer(expires)],
    )?;
    let id = connection.last_insert_rowid().unsigned_abs();
    audit::record_in(connection, now, Action::InvitationCreated, &id.to_string())?;
    Ok(Some(id))
}

const fn state(revoked: bool, used: bool, expires: u64, now: u64) -> State {
    match (used, revoked) {
        (true, _) => State::Used,
        (false, true) => State::Revoked,
        (false, false) if expires <= now => State::Expired,
        (false, false) => State::Open,
    }
}
