//! Reactions to messages.

use rusqlite::params;
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::message::Reaction;

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// Reactions to a message as they are shown, this vault's first: some of many.
    pub fn reactions(&self, message: &MessageId) -> Result<Vec<Reaction>, StoreError> {
        let sql =
            "SELECT sender, reaction FROM reactions WHERE message = ?1 ORDER BY sender LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![message.0, limits::REACTIONS], |row| {
            let sender = row.get_ref(0)?.as_blob()?;
            Ok(Reaction {
                from: sender.try_into().ok().map(VaultId),
                reaction: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many there are.
    pub(crate) fn count_reactions(&self, message: &MessageId) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM reactions WHERE message = ?1")?
            .query_row([message.0], |row| column::unsigned32(row, 0))?)
    }
}

impl Change<'_> {
    /// Sets or takes back the reaction of a vault; no vault stands for this one.
    pub fn set_reaction(
        &self,
        message: &MessageId,
        from: Option<&VaultId>,
        reaction: Option<&str>,
    ) -> Result<(), StoreError> {
        let sender = from.map_or(&[][..], |from| &from.0);
        match reaction {
            Some(reaction) => self
                .connection
                .prepare_cached(
                    "INSERT INTO reactions (message, sender, reaction) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET reaction = ?3",
                )?
                .execute(params![message.0, sender, reaction])?,
            None => self
                .connection
                .prepare_cached("DELETE FROM reactions WHERE message = ?1 AND sender = ?2")?
                .execute(params![message.0, sender])?,
        };
        Ok(())
    }

    /// Forgets every reaction to a message.
    pub fn remove_reactions(&self, message: &MessageId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM reactions WHERE message = ?1")?
            .execute([message.0])?;
        Ok(())
    }
}
