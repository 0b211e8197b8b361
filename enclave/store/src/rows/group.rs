//! Groups and their members.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::Secret;
use vettid_wire::id::{GroupId, VaultId};
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
    /// Whether this vault is a member.
    pub member: bool,
    /// Seed of this vault's signature key in it; none without keys.
    pub signer: Option<Secret>,
    /// When it was created or joined.
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
}

const COLUMNS: &str = "SELECT id, name, creator, member, signer, since, active FROM groups";

impl View<'_> {
    /// One group.
    pub fn group(&self, id: &GroupId) -> Result<Option<Group>, StoreError> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([id.0], read).optional()?)
    }

    /// Every group, newest activity first.
    pub fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let sql = format!("{COLUMNS} ORDER BY active DESC, id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups that this vault created and in which somebody waits to be added.
    pub fn groups_with_packages(&self) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT DISTINCT conversation FROM group_members JOIN groups ON id = conversation
                   WHERE package IS NOT NULL AND creator IS NULL AND member IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get(0).map(GroupId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups of others in which something has waited since before a time for a change that has not
    /// come.
    pub fn groups_behind(
        &self,
        before: UnixMillis,
        at_most: u32,
    ) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT id FROM groups WHERE creator IS NOT NULL AND member IS NOT NULL
                   AND EXISTS (SELECT 1 FROM early WHERE conversation = id AND at < ?1) LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![column::time(before), at_most], |row| {
            row.get(0).map(GroupId)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Groups that a vault is a member of.
    pub fn groups_of(&self, vault: &VaultId) -> Result<Vec<GroupId>, StoreError> {
        let sql = "SELECT conversation FROM group_members WHERE vault = ?1 ORDER BY conversation";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([vault.0], |row| row.get(0).map(GroupId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many groups this vault is a member of.
    pub fn count_groups(&self) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(member) FROM groups")?
            .query_row([], |row| column::unsigned32(row, 0))?)
    }

    /// Members of a group but this vault.
    pub fn group_members(&self, id: &GroupId) -> Result<Vec<GroupMember>, StoreError> {
        let sql =
            "SELECT vault, name, home, key, package FROM group_members WHERE conversation = ?1
                   ORDER BY vault";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([id.0], read_member)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One member.
    pub fn group_member(
        &self,
        id: &GroupId,
        vault: &VaultId,
    ) -> Result<Option<GroupMember>, StoreError> {
        let sql = "SELECT vault, name, home, key, package FROM group_members
                   WHERE conversation = ?1 AND vault = ?2";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![id.0, vault.0], read_member)
            .optional()?)
    }
}

impl Change<'_> {
    /// Adds a group or replaces all of it but its members.
    pub fn put_group(&self, group: &Group) -> Result<(), StoreError> {
        let mut put = self.connection.prepare_cached(
            "INSERT INTO groups (id, name, creator, member, signer, since, active)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET name = ?2, creator = ?3, member = ?4, signer = ?5,
               since = ?6, active = ?7",
        )?;
        let mut write = |signer: Option<&[u8]>| {
            put.execute(params![
                group.id.0,
                group.name,
                group.creator.map(|creator| creator.0),
                column::flag(group.member),
                signer,
                column::time(group.since),
                column::time(group.active),
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

    /// Adds a member or replaces it.
    pub fn put_group_member(&self, id: &GroupId, member: &GroupMember) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO group_members (conversation, vault, name, home, key, package)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET name = ?3, home = ?4, key = ?5, package = ?6",
            )?
            .execute(params![
                id.0,
                member.vault.0,
                member.name,
                member.home,
                member.key,
                member.package
            ])?;
        Ok(())
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
        signer: column::read_secret_option(row, 4)?,
        since: column::read_time(row, 5)?,
        active: column::read_time(row, 6)?,
    })
}

fn read_member(row: &Row<'_>) -> rusqlite::Result<GroupMember> {
    Ok(GroupMember {
        vault: VaultId(row.get(0)?),
        name: row.get(1)?,
        home: row.get(2)?,
        key: row.get(3)?,
        package: row.get(4)?,
    })
}
