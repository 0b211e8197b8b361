//! Messages that were removed, and leave nothing after a while.

use rusqlite::params;
use vettid_wire::id::MessageId;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError};

impl Change<'_> {
    /// Forgets messages that were removed before a time, `at_most` so many, and gives their weight back.
    /// Returns how many those were.
    ///
    /// The last of a conversation and the one that has changed last stay: places and changes are counted
    /// on from them.
    pub fn forget_removed(&self, before: UnixMillis, at_most: u32) -> Result<usize, StoreError> {
        let sql = "SELECT id FROM messages AS m WHERE removed < ?1
                   AND change < (SELECT max(change) FROM messages)
                   AND sequence < (SELECT max(sequence) FROM messages AS n
                                   WHERE n.conversation = m.conversation)
                   ORDER BY removed LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![column::time(before), at_most], |row| {
            row.get(0).map(MessageId)
        })?;
        let ids: Vec<_> = rows.collect::<Result<_, _>>()?;
        for id in &ids {
            self.weigh_gone(id)?;
            self.remove_reactions(id)?;
            self.remove_receipts(id)?;
            self.connection
                .prepare_cached("DELETE FROM messages WHERE id = ?1")?
                .execute([id.0])?;
        }
        Ok(ids.len())
    }
}
