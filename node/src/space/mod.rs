//! Spaces: the routing ids behind which vaults lie on this node, and the devices that reach them.

mod enroll;
#[cfg(test)]
pub(crate) mod fixture;
mod sweep;

pub use enroll::{EnrollRefusal, Enrolled, RenewRefusal};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use vettid_wire::id::SpaceId;
use vettid_wire::link::Entry;

use crate::audit::{self, Action};
use crate::bus::revocation::revoke_in;
use crate::database::column::number;
use crate::database::{Database, ReadError, WriteError};
use crate::vault_log::VaultLog;

/// What the node knows about its spaces. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    database: Database,
}

/// One space, as the operator sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed {
    /// Routing id.
    pub space: String,
    /// Whether it can be used.
    pub state: SpaceState,
    /// Unix seconds.
    pub created: u64,
    /// Label of the invitation that made it.
    pub label: String,
    /// Devices that may reach it.
    pub devices: u64,
    /// Newest record of its log.
    pub newest: u64,
}

/// Whether a space can be used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpaceState {
    /// In use.
    Active,
    /// Enrollment is not finished.
    Pending,
    /// Locked out by the operator.
    Suspended,
}

/// Why a space was not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// The database cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No such space, or not in a state for this.
    #[error("there is no {0} space of this id")]
    Unsuitable(&'static str),
    /// Nothing was stored.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Directory {
    /// The directory in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// How the enclave must open `space`, and its newest record; none if it must not be opened.
    pub async fn entry(&self, space: SpaceId, log: &dyn VaultLog) -> Option<(Entry, u64)> {
        let found = self.database.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT vault_hash FROM space WHERE id = ?1 AND state <> 'suspended'",
                )?
                .query_row([space.0], |row| row.get::<_, [u8; 32]>(0))
                .optional()
        });
        let token_hash = found.await.ok()??;
        let newest = log.newest(space).await.ok()?;
        let entry = if newest == 0 {
            Entry::Fresh { token_hash }
        } else {
            Entry::Existing
        };
        Some((entry, newest))
    }

    /// Notes that the vault of `space` has its first durable record: enrollment is finished.
    pub async fn begun(&self, space: SpaceId) {
        let noted = self.database.transact(move |connection| {
            connection.execute(
                "UPDATE space SET state = 'active' WHERE id = ?1 AND state = 'pending'",
                [space.0],
            )
        });
        if let Err(error) = noted.await {
            // The sweep sees the record and catches up.
            tracing::warn!(%error, "a finished enrollment is not noted yet");
        }
    }

    /// Every space, oldest first.
    pub async fn list(&self) -> Result<Vec<Listed>, SpaceError> {
        Ok(self.database.read(list_in).await?)
    }

    /// Locks a space out: its devices' credentials are void.
    pub async fn suspend(&self, space: SpaceId, now: u64) -> Result<(), SpaceError> {
        self.turn(space, SpaceState::Active, SpaceState::Suspended, now)
            .await
    }

    /// Lets a suspended space in again; devices renew their credentials.
    pub async fn resume(&self, space: SpaceId, now: u64) -> Result<(), SpaceError> {
        self.turn(space, SpaceState::Suspended, SpaceState::Active, now)
            .await
    }

    /// Removes a space, its devices and its log; its objects are removed by the sweep.
    pub async fn remove(&self, space: SpaceId, now: u64) -> Result<(), SpaceError> {
        let removed = self.database.transact(move |connection| {
            let there = exists(connection, space)?;
            if there {
                remove_in(connection, space, now)?;
                audit::record_in(connection, now, Action::SpaceRemoved, &space.to_string())?;
            }
            Ok(there)
        });
        if removed.await? {
            Ok(())
        } else {
            Err(SpaceError::Unsuitable("known"))
        }
    }

    async fn turn(
        &self,
        space: SpaceId,
        from: SpaceState,
        to: SpaceState,
        now: u64,
    ) -> Result<(), SpaceError> {
        let turned = self.database.transact(move |connection| {
            let changed = connection.execute(
                "UPDATE space SET state = ?3 WHERE id = ?1 AND state = ?2",
                params![space.0, from.as_str(), to.as_str()],
            )?;
            if changed > 0 {
                let action = match to {
                    SpaceState::Suspended => {
                        revoke_devices(connection, space, now)?;
                        Action::SpaceSuspended
                    }
                    SpaceState::Active | SpaceState::Pending => Action::SpaceResumed,
                };
                audit::record_in(connection, now, action, &space.to_string())?;
            }
            Ok(changed > 0)
        });
        if turned.await? {
            Ok(())
        } else {
            Err(SpaceError::Unsuitable(from.as_str()))
        }
    }
}

impl SpaceState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Suspended => "suspended",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "suspended" => Self::Suspended,
            // The schema allows no other.
            _ => Self::Pending,
        }
    }
}

fn list_in(connection: &Connection) -> rusqlite::Result<Vec<Listed>> {
    connection
        .prepare(
            "SELECT s.id, s.state, s.created, i.label,
                    (SELECT count(*) FROM device d WHERE d.space = s.id),
                    (SELECT coalesce(max(number), 0) FROM record r WHERE r.space = s.id)
             FROM space s JOIN invitation i ON i.id = s.invitation ORDER BY s.created, s.id",
        )?
        .query_map([], |row| {
            Ok(Listed {
                space: SpaceId(row.get(0)?).to_string(),
                state: SpaceState::parse(&row.get::<_, String>(1)?),
                created: number(row, 2)?,
                label: row.get(3)?,
                devices: number(row, 4)?,
                newest: number(row, 5)?,
            })
        })?
        .collect()
}

fn exists(connection: &Connection, space: SpaceId) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM space WHERE id = ?1)",
        [space.0],
        |row| row.get(0),
    )
}

/// Removes a space with all traces; its objects are noted for the sweep.
fn remove_in(connection: &Connection, space: SpaceId, now: u64) -> rusqlite::Result<()> {
    revoke_devices(connection, space, now)?;
    connection.execute("DELETE FROM device WHERE space = ?1", [space.0])?;
    connection.execute("DELETE FROM space WHERE id = ?1", [space.0])?;
    connection.execute("DELETE FROM record WHERE space = ?1", [space.0])?;
    connection.execute(
        "INSERT OR IGNORE INTO object_removal (space) VALUES (?1)",
        [space.0],
    )?;
    Ok(())
}

fn revoke_devices(connection: &Connection, space: SpaceId, now: u64) -> rusqlite::Result<()> {
    let users: Vec<String> = connection
        .prepare("SELECT user_key FROM device WHERE space = ?1")?
        .query_map([space.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    users
        .iter()
        .try_for_each(|user| revoke_in(connection, user, now))
}

/// Counts by state, for metrics: pending, active, suspended.
pub(crate) async fn counts(database: &Database) -> Result<[i64; 3], ReadError> {
    database
        .read(|connection| {
            let count = |state: SpaceState| {
                connection.query_row(
                    "SELECT count(*) FROM space WHERE state = ?1",
                    [state.as_str()],
                    |row| row.get(0),
                )
            };
            Ok([
                count(SpaceState::Pending)?,
                count(SpaceState::Active)?,
                count(SpaceState::Suspended)?,
            ])
        })
        .await
}

/// A fact about the node itself, such as its enclave's identity.
pub(crate) async fn fact(
    database: &Database,
    name: &'static str,
) -> Result<Option<Vec<u8>>, ReadError> {
    database
        .read(move |connection| {
            connection
                .query_row("SELECT value FROM fact WHERE name = ?1", [name], |row| {
                    row.get(0)
                })
                .optional()
        })
        .await
}

/// Notes a fact; true if it is new or differs from what was noted.
pub(crate) async fn note_fact(
    database: &Database,
    name: &'static str,
    value: Vec<u8>,
) -> Result<bool, WriteError> {
    let note = "INSERT INTO fact VALUES (?1, ?2) ON CONFLICT (name)
                DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
    database
        .transact(move |connection| {
            connection
                .execute(note, params![name, value])
                .map(|changed| changed > 0)
        })
        .await
}

#[cfg(test)]
mod tests;
