//! Invitations to connect.

use rusqlite::{OptionalExtension, Row, params};
use vettid_crypto::sealed_box::BoxSecret;
use vettid_wire::cbor;
use vettid_wire::id::{ConnectionId, InvitationId};
use vettid_wire::operation::invitation::{Card, Invitation, State};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// An invitation with what answers whoever uses it.
#[derive(Debug)]
pub struct Offered {
    /// The invitation.
    pub invitation: Invitation,
    /// Digest of its token.
    pub token: [u8; 32],
    /// Secret half of the key that its link commits to; none once it cannot be used.
    pub secret: Option<BoxSecret>,
    /// What whoever uses it will be shown.
    pub card: Card,
}

const COLUMNS: &str = "SELECT id, class, label, created, expires, state, connection, token, secret,
    card FROM invitations";

impl View<'_> {
    /// Every invitation that is kept, newest first.
    pub fn invitations(&self) -> Result<Vec<Invitation>, StoreError> {
        let sql = format!("{COLUMNS} ORDER BY created DESC, id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok(read(row)?.invitation))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One invitation.
    pub fn invitation(&self, id: &InvitationId) -> Result<Option<Offered>, StoreError> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([id.0], read).optional()?)
    }

    /// The invitation of a token, by the token's digest.
    pub fn invitation_of(&self, token: &[u8; 32]) -> Result<Option<Offered>, StoreError> {
        let sql = format!("{COLUMNS} WHERE token = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([token], read).optional()?)
    }

    /// How many invitations can be used now.
    pub fn count_open_invitations(&self, now: UnixMillis) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM invitations WHERE state = ?1 AND expires > ?2";
        Ok(self.connection.prepare_cached(sql)?.query_row(
            params![column::number_of(&State::Open), column::time(now)],
            |row| column::unsigned32(row, 0),
        )?)
    }
}

impl Change<'_> {
    /// Adds an invitation. Fails if the id is taken.
    pub fn insert_invitation(&self, offered: &Offered) -> Result<(), StoreError> {
        let invitation = &offered.invitation;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO invitations (id, class, label, created, expires, state, token, secret, card)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let secret = offered
            .secret
            .as_ref()
            .map(|secret| secret.expose(|seed| seed.to_vec()));
        insert.execute(params![
            invitation.id.0,
            column::number_of(&invitation.class),
            invitation.label,
            column::time(invitation.created),
            column::time(invitation.expires),
            column::number_of(&invitation.state),
            offered.token,
            secret,
            cbor::encode(&offered.card),
        ])?;
        Ok(())
    }

    /// Ends an invitation and destroys its secret.
    pub fn end_invitation(
        &self,
        id: &InvitationId,
        state: State,
        connection: Option<&ConnectionId>,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE invitations SET state = ?2, connection = ?3, secret = NULL WHERE id = ?1",
            )?
            .execute(params![
                id.0,
                column::number_of(&state),
                connection.map(|id| id.0)
            ])?;
        Ok(())
    }

    /// Ends those that nobody used in time, and forgets those that expired before `forget`.
    pub fn expire_invitations(
        &self,
        now: UnixMillis,
        forget: UnixMillis,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE invitations SET state = ?2, secret = NULL WHERE state = ?1 AND expires <= ?3",
            )?
            .execute(params![
                column::number_of(&State::Open),
                column::number_of(&State::Expired),
                column::time(now)
            ])?;
        self.connection
            .prepare_cached("DELETE FROM invitations WHERE state <> ?1 AND expires <= ?2")?
            .execute(params![
                column::number_of(&State::Open),
                column::time(forget)
            ])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Offered> {
    let secret = match column::is_null(row, 8)? {
        true => None,
        false => Some(column::read_key(row, 8, BoxSecret::from_bytes)?),
    };
    Ok(Offered {
        invitation: Invitation {
            id: InvitationId(row.get(0)?),
            class: column::read_number_of(row, 1)?,
            label: row.get(2)?,
            created: column::read_time(row, 3)?,
            expires: column::read_time(row, 4)?,
            state: column::read_number_of(row, 5)?,
            connection: row.get::<_, Option<_>>(6)?.map(ConnectionId),
        },
        token: row.get(7)?,
        secret,
        card: column::read_wire(row, 9)?,
    })
}
