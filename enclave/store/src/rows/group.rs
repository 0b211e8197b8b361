//! Groups and their members.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::Secret;
use vettid_wire::id::{GroupId, VaultId};
use vettid_wire::operation::group::List;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// A group without its members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Vault that created it; none for this one.
    pub creator: Option<VaultId>,
    /// What its id follows from, with that of this vault; none of another one's group.
    pub seed: Option<[u8; 16]>,
    /// Whether this vault is a member.
    pub member: bool,
    /// Whether its owner was invited and has not decided.
    pub invited: bool,
    /// Seed of this vault's signature key in it; none without keys.
    pub signer: Option<Secret>,
    /// Whether the owner was told of being a member.
    pub told: bool,
    /// Since when a change is missing.
    pub behind: Option<UnixMillis>,
    /// When it was noted last that messages go on further than the keys of this vault reach.
    pub ahead: Option<UnixMillis>,
    /// When this vault caught up last.
    pub caught: Option<UnixMillis>,
    /// When this vault asked to be added last; of its own group, when it renewed its keys for others.
    pub asked: Option<UnixMillis>,
    /// How often it has, without a long pause.
    pub asks: u32,
    /// Whether members have to be put out, or this vault has lost the creator.
    pub due: bool,
    /// When it was created or joined, or this vault was invited.
    pub since: UnixMillis,
    /// When something was sent or received last.
    pub active: UnixMillis,
}

/// A member of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupMember {
    /// Its vault.
    pub vault: VaultId,
    /// Name that the creator gave it.
    pub name: String,
    /// Where it was, as the vault encodes it; none where a connection says so.
    pub home: Option<Vec<u8>>,
    /// Its signature key in the group; none until it is in.
    pub key: Option<[u8; 32]>,
    /// What it can be added with, if that waits.
    pub package: Option<Vec<u8>>,
    /// Digest of what it was added with last.
    pub spent: Option<[u8; 32]>,
    /// When it was added last.
    pub added: Option<UnixMillis>,
}

const COLUMNS: &str =
    "SELECT id, name, creator, member, invited, signer, told, behind, caught, asked,
    asks, due, since, active, ahead, seed FROM groups";
const MEMBERS: &str = "SELECT vault, name, home, key, package, spent, added FROM group_members";

impl View<'_> {
    /// One group.
    pub fn group(&self, id: &GroupId) -> Result<Option<Group>, StoreError> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([id.0], read).optional()?)
    }

    /// Every group that this vault has a part in, in no order that means anything.
    pub fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE member IS NOT NULL OR invited IS NOT NULL OR signer IS NOT NULL
             ORDER BY id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A page of all groups, newest activity first, and whether more follow.
    pub fn group_page(&self, list: &List) -> Result<(Vec<Group>, bool), StoreError> {
        let (shown, fetched) = column::page(list.limit);
        let sql = format!(
            "{COLUMNS} WHERE ?1 IS NULL OR (active, id) < (?1, ?2)
             ORDER BY active DESC, id DESC LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let active = list.after.map(|after| column::time(after.active));
        let id = list.after.map(|after| after.id.0);
        let rows = statement.query_map(params![active, id, fetched], read)?;
        let mut found: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = found.len() > shown;
        found.truncate(shown);
        Ok((found, more))
    }

    /// Groups that this vault created and in which somebody waits to be added who was not added
    /// since a time.
    pub fn groups_with_packages(&self, since: UnixMillis) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT DISTINCT conversation FROM group_members JOIN groups ON id = conversation
                   WHERE package IS NOT NULL AND (added IS NULL OR added < ?1) AND gone IS NULL
                   AND creator IS NULL AND member IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([column::time(since)], |row| row.get(0).map(GroupId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups in which members have to be put out, or whose creator this vault has lost.
    pub fn groups_due(&self) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT id FROM groups WHERE due IS NOT NULL ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get(0).map(GroupId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Vaults that are still to be put out of a group.
    pub fn group_members_gone(&self, id: &GroupId) -> Result<Vec<VaultId>, StoreError> {
        let sql = "SELECT vault FROM group_members WHERE conversation = ?1 AND gone IS NOT NULL
                   ORDER BY vault";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([id.0], |row| row.get(0).map(VaultId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups that this vault has nothing to do with any more: they ended before one time, or it was
    /// invited before another one and its owner has not decided.
    pub fn groups_dead(
        &self,
        ended: UnixMillis,
        invited: UnixMillis,
    ) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT id FROM groups
                   WHERE member IS NULL AND signer IS NULL AND due IS NULL
                   AND since < CASE WHEN invited IS NULL THEN ?1 ELSE ?2 END ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![column::time(ended), column::time(invited)];
        let rows = statement.query_map(values, |row| row.get(0).map(GroupId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups of others in which a change has been missing since before a time, or that this vault has
    /// asked before then to be added to and was not; those where it has not asked for longest first.
    pub fn groups_behind(&self, before: UnixMillis) -> Result<Vec<Group>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE creator IS NOT NULL AND signer IS NOT NULL
             AND (behind < ?1 OR member IS NULL AND asked < ?1) ORDER BY coalesce(asked, 0), id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([column::time(before)], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups of this vault in which messages go on further than its keys reach, and it has not renewed
    /// them since; or in which a change has been missing since before a time, and it has not renewed them
    /// since before another.
    pub fn groups_ahead(
        &self,
        (behind, renewed): (UnixMillis, UnixMillis),
        at_most: u32,
    ) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT id FROM groups WHERE creator IS NULL AND member IS NOT NULL
                   AND (ahead > coalesce(asked, 0) OR behind < ?1 AND coalesce(asked, 0) < ?2)
                   ORDER BY coalesce(ahead, behind), id LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![column::time(behind), column::time(renewed), at_most];
        let rows = statement.query_map(values, |row| row.get(0).map(GroupId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many groups this vault is a member of, was invited into, or has asked to be added to.
    pub fn count_groups(&self) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM groups
                 WHERE member IS NOT NULL OR invited IS NOT NULL OR signer IS NOT NULL",
            )?
            .query_row([], |row| column::unsigned32(row, 0))?)
    }

    /// How many groups of a vault this owner has not decided on, or since a time was invited into
    /// and is no member of.
    pub fn count_invited(&self, creator: &VaultId, since: UnixMillis) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM groups WHERE creator = ?1 AND member IS NULL
                   AND (invited IS NOT NULL OR signer IS NULL AND since >= ?2)";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![creator.0, column::time(since)], |row| {
                column::unsigned32(row, 0)
            })?)
    }

    /// Members of a group but this vault.
    pub fn group_members(&self, id: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        let sql = format!("{MEMBERS} WHERE conversation = ?1 AND gone IS NULL ORDER BY vault");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([id.0], read_member)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many members a group has but this vault.
    pub fn count_group_members(&self, id: &GroupId) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM group_members WHERE conversation = ?1 AND gone IS NULL";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([id.0], |row| column::unsigned32(row, 0))?)
    }

    /// Where a vault was that is a member of some groups, as the vault encodes it, by each of them; none
    /// by one that does not say.
    pub fn homes_of_member(&self, vault: &VaultId) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let sql = "SELECT DISTINCT home FROM group_members WHERE vault = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([vault.0], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One member.
    pub fn group_member(
        &self,
        id: &GroupId,
        vault: &VaultId,
    ) -> Result<Option<GroupMember>, StoreError> {
        let sql = format!("{MEMBERS} WHERE conversation = ?1 AND vault = ?2 AND gone IS NULL");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row(params![id.0, vault.0], read_member)
            .optional()?)
    }
}

impl Change<'_> {
    /// Adds a group or replaces all of it but its members.
    pub fn put_group(&self, group: &Group) -> Result<(), StoreError> {
        let mut put = self.connection.prepare_cached(
            "INSERT INTO groups (id, name, creator, member, invited, signer, told, behind, asked,
               asks, due, since, active, caught, ahead,
               seed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
               ?16)
             ON CONFLICT DO UPDATE SET name = ?2, creator = ?3, member = ?4, invited = ?5,
               signer = ?6, told = ?7, behind = ?8, asked = ?9, asks = ?10, due = ?11, since = ?12,
               active = ?13, caught = ?14, ahead = ?15, seed = ?16",
        )?;
        let mut write = |signer: Option<&[u8]>| {
            put.execute(params![
                group.id.0,
                group.name,
                group.creator.map(|creator| creator.0),
                column::flag(group.member),
                column::flag(group.invited),
                signer,
                column::flag(group.told),
                group.behind.map(column::time),
                group.asked.map(column::time),
                group.asks,
                column::flag(group.due),
                column::time(group.since),
                column::time(group.active),
                group.caught.map(column::time),
                group.ahead.map(column::time),
                group.seed,
            ])
        };
        match &group.signer {
            Some(signer) => signer.expose(|signer| write(Some(signer)))?,
            None => write(None)?,
        };
        Ok(())
    }

    /// Says that something was sent or received.
    pub fn touch_group(&self, id: &GroupId, at: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE groups SET active = ?2 WHERE id = ?1")?
            .execute(params![id.0, column::time(at)])?;
        Ok(())
    }

    /// Says that something is to be done in a group.
    pub fn set_group_due(&self, id: &GroupId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE groups SET due = 1 WHERE id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// Forgets a group and its members.
    pub fn remove_group(&self, id: &GroupId) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM group_members WHERE conversation = ?1",
            "DELETE FROM groups WHERE id = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([id.0])?;
        }
        Ok(())
    }

    /// Adds a member or replaces it.
    pub fn put_group_member(&self, id: &GroupId, member: &GroupMember) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO group_members (conversation, vault, name, home, key, package, added,
                   spent)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET name = ?3, home = ?4, key = ?5, package = ?6,
                   added = ?7, spent = ?8, gone = NULL",
            )?
            .execute(params![
                id.0,
                member.vault.0,
                member.name,
                member.home,
                member.key,
                member.package,
                member.added.map(column::time),
                member.spent,
            ])?;
        Ok(())
    }

    /// Says that a member is to be put out. Says whether it was in.
    pub fn mark_gone(&self, id: &GroupId, vault: &VaultId) -> Result<bool, StoreError> {
        let marked = self
            .connection
            .prepare_cached(
                "UPDATE group_members SET gone = 1, key = NULL, package = NULL
                 WHERE conversation = ?1 AND vault = ?2 AND gone IS NULL",
            )?
            .execute(params![id.0, vault.0])?;
        Ok(marked > 0)
    }

    /// Takes a member out. Says whether it was in.
    pub fn remove_group_member(&self, id: &GroupId, vault: &VaultId) -> Result<bool, StoreError> {
        let removed = self
            .connection
            .prepare_cached("DELETE FROM group_members WHERE conversation = ?1 AND vault = ?2")?
            .execute(params![id.0, vault.0])?;
        Ok(removed > 0)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Group> {
    Ok(Group {
        id: GroupId(row.get(0)?),
        name: row.get(1)?,
        creator: row.get::<_, Option<_>>(2)?.map(VaultId),
        member: column::read_flag(row, 3)?,
        invited: column::read_flag(row, 4)?,
        signer: column::read_secret_option(row, 5)?,
        told: column::read_flag(row, 6)?,
        behind: column::read_time_option(row, 7)?,
        caught: column::read_time_option(row, 8)?,
        asked: column::read_time_option(row, 9)?,
        asks: column::unsigned32(row, 10)?,
        due: column::read_flag(row, 11)?,
        since: column::read_time(row, 12)?,
        active: column::read_time(row, 13)?,
        ahead: column::read_time_option(row, 14)?,
        seed: row.get(15)?,
    })
}

fn read_member(row: &Row<'_>) -> rusqlite::Result<GroupMember> {
    Ok(GroupMember {
        vault: VaultId(row.get(0)?),
        name: row.get(1)?,
        home: row.get(2)?,
        key: row.get(3)?,
        package: row.get(4)?,
        spent: row.get(5)?,
        added: column::read_time_option(row, 6)?,
    })
}
