//! `group`: conversations of several owners.

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::id::{ConnectionId, GroupId, VaultId};
use vettid_sdk::wire::operation::group as wire;

use crate::failure::Failure;
use crate::output::{Output, one_line, table};
use crate::time;

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
    /// Agree to be in a group that you were invited into
    Accept {
        /// Its id
        id: GroupId,
    },
    /// Stay out of a group that you were invited into
    Decline {
        /// Its id
        id: GroupId,
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
        Group::Accept { id } => owner.call(&wire::Accept { id }).await?,
        Group::Decline { id } => {
            owner.call(&wire::Decline { id }).await?;
            return Ok(Output::done(""));
        }
        Group::Remove { id, member } => owner.call(&wire::Remove { id, member }).await?,
        Group::Rename { id, name } => owner.call(&wire::Rename { id, name }).await?,
        Group::Leave { id } => {
            owner.call(&wire::Leave { id }).await?;
            return Ok(Output::done(""));
        }
        Group::List => return list(owner).await,
    };
    Ok(Output::new(table(&details(&group)), to_json(&group)))
}

fn details(group: &wire::Group) -> Vec<Vec<String>> {
    let creator = group.creator.map(|vault| vault.to_string());
    let mut rows = vec![
        vec!["id".to_owned(), group.id.to_string()],
        vec!["name".into(), one_line(&group.name)],
        vec!["creator".into(), creator.unwrap_or_else(|| "you".into())],
        vec!["since".into(), time::text(group.since)],
        vec!["last active".into(), time::text(group.active)],
        vec!["unread".into(), group.unread.to_string()],
    ];
    if !standing(group).is_empty() {
        rows.push(vec!["you".into(), standing(group).into()]);
    }
    for member in &group.members {
        let name = one_line(&member.name);
        rows.push(vec!["member".into(), format!("{}  {name}", member.vault)]);
    }
    rows
}

/// How this owner stands to a group, where that is not plain membership.
const fn standing(group: &wire::Group) -> &'static str {
    match (group.invited, group.member) {
        (true, _) => "invited",
        (false, true) => "",
        (false, false) => "not a member",
    }
}

/// Every group, page by page.
async fn all(owner: &Owner) -> Result<Vec<wire::Group>, Failure> {
    let mut groups: Vec<wire::Group> = Vec::new();
    loop {
        let request = wire::List {
            after: groups.last().map(|group| wire::Cursor {
                active: group.active,
                id: group.id,
            }),
            limit: None,
        };
        let page = owner.call(&request).await?;
        let more = page.more && !page.groups.is_empty();
        groups.extend(page.groups);
        if !more {
            return Ok(groups);
        }
    }
}

async fn list(owner: &Owner) -> Result<Output, Failure> {
    let groups = all(owner).await?;
    let row = |group: &wire::Group| {
        // Everybody but this owner is listed.
        let members = group
            .members
            .len()
            .saturating_add(usize::from(group.member));
        let unread = match group.unread {
            0 => String::new(),
            count => format!("{count} new"),
        };
        vec![
            group.id.to_string(),
            one_line(&group.name),
            format!("{members} members"),
            standing(group).into(),
            unread,
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
        "invited": group.invited,
        "since": group.since.0,
        "active": group.active.0,
        "unread": group.unread,
    })
}
