//! `group`: conversations of several owners.

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::id::{ConnectionId, GroupId, VaultId};
use vettid_sdk::wire::operation::group as wire;

use crate::failure::Failure;
use crate::output::{Output, table};

/// What to do with groups.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Group {
    /// Begin a group with some of your connections
    Create {
        /// Its name
        name: String,
        /// Connection that is invited, once for each
        #[arg(long = "member", value_name = "CONNECTION")]
        members: Vec<ConnectionId>,
    },
    /// Every group
    List,
    /// One group with its members
    Get {
        /// Its id
        id: GroupId,
    },
    /// Invite one more; only in a group that you created
    Add {
        /// Its id
        id: GroupId,
        /// Connection that is invited
        member: ConnectionId,
    },
    /// Remove a member; only in a group that you created
    Remove {
        /// Its id
        id: GroupId,
        /// Vault of the member
        member: VaultId,
    },
    /// Leave
    Leave {
        /// Its id
        id: GroupId,
    },
    /// Give it another name; only in a group that you created
    Rename {
        /// Its id
        id: GroupId,
        /// Its name from now on
        name: String,
    },
}

/// Runs one of them.
pub(crate) async fn run(owner: &Owner, command: Group) -> Result<Output, Failure> {
    let group = match command {
        Group::Create { name, members } => owner.call(&wire::Create { name, members }).await?,
        Group::Get { id } => owner.call(&wire::Get { id }).await?,
        Group::Add { id, member } => owner.call(&wire::Add { id, member }).await?,
        Group::Remove { id, member } => owner.call(&wire::Remove { id, member }).await?,
        Group::Rename { id, name } => owner.call(&wire::Rename { id, name }).await?,
        Group::Leave { id } => {
            owner.call(&wire::Leave { id }).await?;
            return Ok(Output::done(""));
        }
        Group::List => return list(owner).await,
    };
    let mut rows = vec![
        vec!["id".to_owned(), group.id.to_string()],
        vec!["name".into(), group.name.clone()],
    ];
    for member in &group.members {
        rows.push(vec!["member".into(), member.vault.to_string()]);
    }
    Ok(Output::new(table(&rows), to_json(&group)))
}

async fn list(owner: &Owner) -> Result<Output, Failure> {
    let groups = owner.call(&wire::List {}).await?.groups;
    let row = |group: &wire::Group| {
        vec![
            group.id.to_string(),
            group.name.clone(),
            format!("{} members", group.members.len()),
        ]
    };
    let rows: Vec<_> = groups.iter().map(row).collect();
    let json: Vec<_> = groups.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "groups": json })))
}

fn to_json(group: &wire::Group) -> Value {
    let members: Vec<_> = group
        .members
        .iter()
        .map(|member| {
            json!({
                "vault": member.vault.to_string(),
                "connection": member.connection.map(|id| id.to_string()),
                "name": member.name,
            })
        })
        .collect();
    json!({
        "id": group.id.to_string(),
        "name": group.name,
        "creator": group.creator.map(|vault| vault.to_string()),
        "members": members,
        "member": group.member,
        "since": group.since.0,
        "active": group.active.0,
        "unread": group.unread,
    })
}
