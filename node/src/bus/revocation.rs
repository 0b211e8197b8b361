//! Revoking users of the bus: durable in `node.db`, then told to the running server.
//!
//! The account token lists who is revoked. Pushed to the server it drops live connections at once;
//! written to the server's file it holds after a restart. If the push fails, the server is started
//! anew, so that revocation never depends on its good will.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Request;
use bytes::Bytes;
use rusqlite::{Connection, params};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use vettid_wire::limits;
use vettid_wire::time::SECOND;

use super::connection::{BusError, connect};
use super::credentials::{CLAIMS_UPDATE, Credentials, SYSTEM_INBOX};
use super::server::BusServer;
use super::token::SignError;
use crate::clock::unix_seconds;
use crate::database::column::{integer, number};
use crate::database::{Database, ReadError};

/// Time the server has to take an update; then it is started anew, which cuts everybody off.
const PUSH: Duration = Duration::from_secs(20);

/// Keeps the server's account in step with the database.
pub struct Revocations {
    database: Database,
    credentials: Arc<Credentials>,
    server: Arc<BusServer>,
    /// One publication at a time, so that an older list never follows a newer one.
    turn: Mutex<()>,
}

/// Why the list of revoked users could not be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The server's file could not be written.
    #[error("the bus configuration cannot be written: {0}")]
    File(#[from] std::io::Error),
    /// The list could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The token could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Revocations {
    /// For the running `server`.
    #[must_use]
    pub fn new(database: Database, credentials: Arc<Credentials>, server: Arc<BusServer>) -> Self {
        Self {
            database,
            credentials,
            server,
            turn: Mutex::new(()),
        }
    }

    /// Tells the server who is revoked, as the database has it.
    pub async fn publish(&self) -> Result<(), PublishError> {
        let _turn = self.turn.lock().await;
        let connections = self.server.listeners().max_connections;
        let token = account_token(&self.database, &self.credentials, connections).await?;
        self.server.write_file(&token)?;
        let pushed = timeout(PUSH, self.push(token)).await;
        if !matches!(pushed, Ok(Ok(()))) {
            tracing::warn!("the bus did not take the account update and is started anew");
            self.server.restart();
        }
        Ok(())
    }

    async fn push(&self, token: String) -> Result<(), BusError> {
        let user = self.credentials.system_user(unix_seconds());
        let user = user.map_err(|_| BusError::Unreachable)?;
        let (quiet, _) = watch::channel(false);
        let client = connect(self.server.listeners(), user, SYSTEM_INBOX, true, quiet).await?;
        // All of it has a bound already, and the client's own would be shorter.
        let update = Request::new().payload(Bytes::from(token)).timeout(None);
        let answer = client.send_request(CLAIMS_UPDATE, update).await;
        let answer = answer.map_err(|_| BusError::Unreachable)?;
        // Dropping the client ends the connection.
        let taken = serde_json::from_slice::<serde_json::Value>(&answer.payload)
            .is_ok_and(|answer| answer.get("error").is_none());
        if taken {
            Ok(())
        } else {
            Err(BusError::UpdateRefused)
        }
    }
}

/// The account token with everybody who is revoked now.
pub async fn account_token(
    database: &Database,
    credentials: &Credentials,
    connections: u32,
) -> Result<String, PublishError> {
    let revoked = database.read(revoked_in).await?;
    Ok(credentials.account_token(unix_seconds(), connections, &revoked)?)
}

/// Records that tokens of `user_key` issued until `at` are void. Part of a larger change.
pub(crate) fn revoke_in(connection: &Connection, user_key: &str, at: u64) -> rusqlite::Result<()> {
    // Older rows are useless: every token they void has expired.
    let expired = at.saturating_sub(2 * limits::BUS_CREDENTIAL / SECOND);
    connection.execute("DELETE FROM revocation WHERE at < ?1", [integer(expired)])?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO revocation (user_key, at) VALUES (?1, ?2)")?
        .execute(params![user_key, integer(at)])
        .map(drop)
}

/// Until when tokens of `user_key` are void; none if it was never revoked.
pub(crate) fn revoked_until(
    connection: &Connection,
    user_key: &str,
) -> rusqlite::Result<Option<u64>> {
    let mut statement =
        connection.prepare_cached("SELECT at FROM revocation WHERE user_key = ?1")?;
    let mut rows = statement.query([user_key])?;
    rows.next()?.map(|row| number(row, 0)).transpose()
}

fn revoked_in(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    connection
        .prepare("SELECT user_key, at FROM revocation")?
        .query_map([], |row| Ok((row.get(0)?, number(row, 1)?)))?
        .collect()
}
