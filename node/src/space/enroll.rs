//! Using an invitation, and renewing a device's credentials afterwards.

use rusqlite::{Connection, OptionalExtension, params};
use vettid_wire::id::{DeviceRoute, SpaceId};
use vettid_wire::limits;
use vettid_wire::time::SECOND;

use super::{Directory, SpaceState};
use crate::bus::revocation::revoked_until;
use crate::database::WriteError;
use crate::database::column::integer;
use crate::entropy::OsEntropy;
use crate::invitation::{State, present_in};

/// A device that may use the bus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Enrolled {
    /// Its space.
    pub space: SpaceId,
    /// Its route.
    pub device: DeviceRoute,
    /// Tokens must be issued at this time or later, Unix seconds.
    pub not_before: u64,
}

/// Why an invitation was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollRefusal {
    /// Too old.
    #[error("the invitation has expired: ask the operator for a new one")]
    Expired,
    /// The key belongs to another device already.
    #[error("this device key is in use: make a new one")]
    KeyInUse,
    /// Withdrawn.
    #[error("the invitation was withdrawn: ask the operator for a new one")]
    Revoked,
    /// Not of this node, or mistyped.
    #[error("the invitation is not of this node, or mistyped")]
    Unknown,
    /// Used before, by another device or too long ago.
    #[error("the invitation was used: ask the operator for a new one")]
    Used,
}

/// Why credentials are not renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RenewRefusal {
    /// The operator locked the space out.
    #[error("the space is suspended: ask the operator")]
    Suspended,
    /// No device of this node has this key.
    #[error("this device is not known here: its space was removed or it was revoked")]
    Unknown,
}

impl Directory {
    /// Uses the invitation whose host half hashes to `host_hash` for the device `user_key`.
    ///
    /// The token is burnt in the transaction that makes the space. The same device may ask again
    /// until its enrollment expires and gets the same answer.
    pub async fn enroll(
        &self,
        host_hash: [u8; 32],
        user_key: String,
        now: u64,
    ) -> Result<Result<Enrolled, EnrollRefusal>, WriteError> {
        let fresh = Enrolled {
            space: SpaceId::random(&mut OsEntropy),
            device: DeviceRoute::random(&mut OsEntropy),
            not_before: now,
        };
        self.database
            .transact(move |connection| enroll_in(connection, &host_hash, &user_key, fresh, now))
            .await
    }

    /// Finds the device whose credentials are to be renewed.
    pub async fn renew(
        &self,
        user_key: String,
        now: u64,
    ) -> Result<Result<Enrolled, RenewRefusal>, crate::database::ReadError> {
        self.database
            .read(move |connection| renew_in(connection, &user_key, now))
            .await
    }
}

fn enroll_in(
    connection: &Connection,
    host_hash: &[u8; 32],
    user_key: &str,
    fresh: Enrolled,
    now: u64,
) -> rusqlite::Result<Result<Enrolled, EnrollRefusal>> {
    let Some(presented) = present_in(connection, host_hash, now)? else {
        return Ok(Err(EnrollRefusal::Unknown));
    };
    match presented.state {
        State::Expired => return Ok(Err(EnrollRefusal::Expired)),
        State::Revoked => return Ok(Err(EnrollRefusal::Revoked)),
        State::Used => {
            let same = pending_for(connection, presented.id, user_key, now)?;
            return Ok(same.ok_or(EnrollRefusal::Used));
        }
        State::Open => {}
    }
    let known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM device WHERE user_key = ?1)
             OR EXISTS (SELECT 1 FROM revocation WHERE user_key = ?1)",
        [user_key],
        |row| row.get(0),
    )?;
    if known {
        return Ok(Err(EnrollRefusal::KeyInUse));
    }
    let at = integer(now);
    connection.execute(
        "UPDATE invitation SET used = ?2 WHERE id = ?1",
        [presented.id, at],
    )?;
    connection.execute(
        "INSERT INTO space (id, state, invitation, vault_hash, created)
         VALUES (?1, 'pending', ?2, ?3, ?4)",
        params![fresh.space.0, presented.id, presented.vault_hash, at],
    )?;
    connection.execute(
        "INSERT INTO device (route, space, user_key, added) VALUES (?1, ?2, ?3, ?4)",
        params![fresh.device.0, fresh.space.0, user_key, at],
    )?;
    Ok(Ok(fresh))
}

/// What the same device was told when it used this invitation, while enrollment is not over.
fn pending_for(
    connection: &Connection,
    invitation: i64,
    user_key: &str,
    now: u64,
) -> rusqlite::Result<Option<Enrolled>> {
    let since = now.saturating_sub(limits::ENROLLMENT / SECOND);
    connection
        .query_row(
            "SELECT s.id, d.route FROM space s JOIN device d ON d.space = s.id
             WHERE s.invitation = ?1 AND d.user_key = ?2 AND s.state = 'pending'
               AND s.created > ?3",
            params![invitation, user_key, integer(since)],
            |row| {
                let (space, device) = (SpaceId(row.get(0)?), DeviceRoute(row.get(1)?));
                Ok(Enrolled {
                    space,
                    device,
                    not_before: now,
                })
            },
        )
        .optional()
}

fn renew_in(
    connection: &Connection,
    user_key: &str,
    now: u64,
) -> rusqlite::Result<Result<Enrolled, RenewRefusal>> {
    let found = connection
        .prepare_cached(
            "SELECT s.id, d.route, s.state FROM device d JOIN space s ON s.id = d.space
             WHERE d.user_key = ?1",
        )?
        .query_row([user_key], |row| {
            let state: String = row.get(2)?;
            Ok((
                SpaceId(row.get(0)?),
                DeviceRoute(row.get(1)?),
                SpaceState::parse(&state),
            ))
        })
        .optional()?;
    Ok(match found {
        None => Err(RenewRefusal::Unknown),
        Some((_, _, SpaceState::Suspended)) => Err(RenewRefusal::Suspended),
        Some((space, device, SpaceState::Active | SpaceState::Pending)) => {
            // A token issued in the second of the revocation, or before, would be void.
            let void = revoked_until(connection, user_key)?.map_or(0, |at| at.saturating_add(1));
            Ok(Enrolled {
                space,
                device,
                not_before: now.max(void),
            })
        }
    })
}
