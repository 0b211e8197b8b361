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
        let standing = if member.joined { "member" } else { "invited" };
        let name = one_line(&member.name);
        rows.push(vec![standing.into(), format!("{}  {name}", member.vault)]);
    }
    rows
}

/// How this owner stands to a group, where that is not plain membership.
const fn standing(group: &wire::Group) -> &'static str {
    match (group.invited, group.joining, group.member) {
        (true, _, _) => "invited: accept or decline",
        (false, true, _) => "accepted: in as soon as the creator's vault has added you",
        (false, false, true) => "",
        (false, false, false) => "not a member",
    }
}

/// How many are in a group and how many were invited; nothing to whom that is not known yet.
fn count(group: &wire::Group) -> String {
    if group.invited || group.joining {
        return String::new();
    }
    let joined = group.members.iter().filter(|member| member.joined).count();
    let invited = group.members.len().saturating_sub(joined);
    // Everybody but this owner is listed.
    let members = joined.saturating_add(usize::from(group.member));
    match invited {
        0 => format!("{members} members"),
        invited => format!("{members} members, {invited} invited"),
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
        let unread = match group.unread {
            0 => String::new(),
            count => format!("{count} new"),
        };
        vec![
            group.id.to_string(),
            one_line(&group.name),
            count(group),
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
                "joined": member.joined,
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
        "joining": group.joining,
        "since": group.since.0,
        "active": group.active.0,
        "unread": group.unread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::wire::time::UnixMillis;

    /// A group of this owner, with so many who are in and so many who were invited.
    fn group(joined: u8, invited: u8) -> wire::Group {
        let member = |number| wire::Member {
            vault: VaultId([number; 32]),
            connection: None,
            name: format!("n{number}"),
            joined: number < joined,
        };
        wire::Group {
            id: GroupId([1; 16]),
            name: "friends".into(),
            creator: None,
            members: (0..joined.saturating_add(invited)).map(member).collect(),
            member: true,
            since: UnixMillis(0),
            active: UnixMillis(0),
            unread: 0,
            invited: false,
            joining: false,
        }
    }

    fn labels(group: &wire::Group) -> Vec<String> {
        let rows = details(group).into_iter();
        let labels = rows.filter_map(|row| row.into_iter().next());
        labels.skip(6).collect()
    }

    #[test]
    fn members_and_those_who_were_invited_are_told_apart() {
        let group = group(1, 2);

        assert_eq!(count(&group), "2 members, 2 invited");
        assert_eq!(labels(&group), ["member", "invited", "invited"]);
        assert_eq!(to_json(&group)["members"][1]["joined"], false);
    }

    #[test]
    fn whoever_was_invited_is_no_member_and_not_out_either() {
        let invited = wire::Group {
            invited: true,
            member: false,
            ..group(0, 0)
        };
        let accepted = wire::Group {
            invited: false,
            joining: true,
            ..invited.clone()
        };
        let left = wire::Group {
            joining: false,
            ..accepted.clone()
        };

        assert_eq!(standing(&invited), "invited: accept or decline");
        assert!(standing(&accepted).starts_with("accepted"));
        assert_eq!(standing(&left), "not a member");
        assert_eq!([count(&invited), count(&accepted)], ["", ""]);
        assert_eq!(count(&left), "0 members");
    }
}
