//! `connection`: bonds with other owners.

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::id::ConnectionId;
use vettid_sdk::wire::operation::connection as wire;

use crate::failure::Failure;
use crate::invitation::shown;
use crate::output::{Output, table};
use crate::time;

/// What to do with connections.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Connection {
    /// Every connection
    List {
        /// Those in the archive instead
        #[arg(long)]
        archived: bool,
        /// Only with this tag
        #[arg(long)]
        tag: Option<String>,
    },
    /// One connection, with the six digits to compare
    Get {
        /// Its id
        id: ConnectionId,
    },
    /// Agree to be connected, after the digits were compared
    Approve {
        /// Its id
        id: ConnectionId,
    },
    /// Refuse to be connected
    Decline {
        /// Its id
        id: ConnectionId,
    },
    /// Enter the digits that the other owner sees
    Verify {
        /// Its id
        id: ConnectionId,
        /// Six digits
        #[arg(value_name = "DIGITS")]
        safety_code: String,
    },
    /// Change what you keep about it; what is not named stays
    Update {
        /// Its id
        id: ConnectionId,
        #[command(flatten)]
        changes: Changes,
    },
    /// Change the keys now
    Rotate {
        /// Its id
        id: ConnectionId,
    },
    /// End it: your keys are destroyed, and the other owner is told
    Revoke {
        /// Its id
        id: ConnectionId,
    },
    /// End it without a word, also for invitations from now on
    Block {
        /// Its id
        id: ConnectionId,
    },
    /// Let the other owner invite you again
    Unblock {
        /// Its id
        id: ConnectionId,
    },
}

/// What an owner keeps about a connection.
#[derive(Clone, Debug, Default, Eq, PartialEq, clap::Args)]
pub(crate) struct Changes {
    /// Name that you give to the other owner; empty for none
    #[arg(long)]
    alias: Option<String>,
    /// Tags, in place of those that it has; once for each, empty for none
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Whether it stands first
    #[arg(long, value_name = "BOOL")]
    favorite: Option<bool>,
    /// Whether it is in the archive
    #[arg(long, value_name = "BOOL")]
    archived: Option<bool>,
    /// Whether its messages are announced
    #[arg(long, value_name = "BOOL")]
    muted: Option<bool>,
    /// Whether the other owner is told what you have read
    #[arg(long, value_name = "BOOL")]
    read_receipts: Option<bool>,
}

/// Runs one of them.
pub(crate) async fn run(owner: &Owner, command: Connection) -> Result<Output, Failure> {
    let connection = match command {
        Connection::List { archived, tag } => return list(owner, archived, tag).await,
        Connection::Get { id } => owner.call(&wire::Get { id }).await?,
        Connection::Approve { id } => owner.call(&wire::Approve { id }).await?,
        Connection::Verify { id, safety_code } => {
            owner.call(&wire::Verify { id, safety_code }).await?
        }
        Connection::Update { id, changes } => {
            let current = owner.call(&wire::Get { id }).await?.settings;
            let settings = changes.apply(current);
            owner.call(&wire::Update { id, settings }).await?
        }
        Connection::Decline { id } => {
            owner.call(&wire::Decline { id }).await?;
            return Ok(Output::done(""));
        }
        Connection::Rotate { id } => {
            owner.call(&wire::Rotate { id }).await?;
            return Ok(Output::done(""));
        }
        Connection::Revoke { id } => {
            owner.call(&wire::Revoke { id }).await?;
            return Ok(Output::done(""));
        }
        Connection::Block { id } => {
            owner.call(&wire::Block { id }).await?;
            return Ok(Output::done(""));
        }
        Connection::Unblock { id } => {
            owner.call(&wire::Unblock { id }).await?;
            return Ok(Output::done(""));
        }
    };
    one(&connection)
}

impl Changes {
    fn apply(self, current: wire::Settings) -> wire::Settings {
        let tags = match self.tags {
            tags if tags.is_empty() => current.tags,
            tags => tags.into_iter().filter(|tag| !tag.is_empty()).collect(),
        };
        wire::Settings {
            alias: match self.alias {
                Some(alias) => Some(alias).filter(|alias| !alias.is_empty()),
                None => current.alias,
            },
            tags,
            favorite: self.favorite.unwrap_or(current.favorite),
            archived: self.archived.unwrap_or(current.archived),
            muted: self.muted.unwrap_or(current.muted),
            no_read_receipts: self
                .read_receipts
                .map_or(current.no_read_receipts, |wanted| !wanted),
        }
    }
}

async fn list(owner: &Owner, archived: bool, tag: Option<String>) -> Result<Output, Failure> {
    let mut connections: Vec<wire::Connection> = Vec::new();
    loop {
        let page = owner
            .call(&wire::List {
                state: None,
                archived,
                tag: tag.clone(),
                after: connections.last().map(|last| last.id),
                limit: None,
            })
            .await?;
        let goes_on = page.more && !page.connections.is_empty();
        connections.extend(page.connections);
        if !goes_on {
            break;
        }
    }
    let rows: Vec<_> = connections.iter().map(row).collect();
    let json: Result<Vec<_>, _> = connections.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "connections": json? })))
}

fn row(connection: &wire::Connection) -> Vec<String> {
    let unread = match connection.unread {
        0 => String::new(),
        count => format!("{count} new"),
    };
    vec![
        connection.id.to_string(),
        state(connection.state).into(),
        connection.settings.alias.clone().unwrap_or_default(),
        unread,
    ]
}

fn one(connection: &wire::Connection) -> Result<Output, Failure> {
    let mut rows = vec![
        vec!["id".to_owned(), connection.id.to_string()],
        vec!["state".into(), state(connection.state).into()],
        vec!["vault".into(), connection.vault.to_string()],
        vec!["node".into(), connection.node.to_string()],
    ];
    if let Some(code) = &connection.safety_code {
        let compared = match connection.verified {
            Some(at) => format!("{code} (compared {})", time::text(at)),
            None => format!("{code}: compare it with what the other owner sees"),
        };
        rows.push(vec!["digits".into(), compared]);
    }
    if let Some(alias) = &connection.settings.alias {
        rows.push(vec!["alias".into(), alias.clone()]);
    }
    for (name, value) in shown(&connection.card)? {
        rows.push(vec![format!("shows {name}"), value]);
    }
    Ok(Output::new(table(&rows), to_json(connection)?))
}

fn to_json(connection: &wire::Connection) -> Result<Value, Failure> {
    let settings = &connection.settings;
    let card: serde_json::Map<_, _> = shown(&connection.card)?
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    Ok(json!({
        "id": connection.id.to_string(),
        "state": state(connection.state),
        "vault": connection.vault.to_string(),
        "node": connection.node.to_string(),
        "inviter": connection.inviter,
        "card": card,
        "safety_code": connection.safety_code,
        "verified": connection.verified.map(|at| at.0),
        "alias": settings.alias,
        "tags": settings.tags,
        "favorite": settings.favorite,
        "archived": settings.archived,
        "muted": settings.muted,
        "read_receipts": !settings.no_read_receipts,
        "created": connection.created.0,
        "active": connection.active.0,
        "unread": connection.unread,
        "waiting": connection.waiting,
    }))
}

const fn state(state: wire::State) -> &'static str {
    match state {
        wire::State::Agreeing => "agreeing",
        wire::State::Pending => "pending",
        wire::State::Approved => "approved",
        wire::State::Active => "active",
        wire::State::Declined => "declined",
        wire::State::Revoked => "revoked",
        wire::State::Blocked => "blocked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_and_empty_takes_away() {
        let current = wire::Settings {
            alias: Some("Ada".into()),
            tags: vec!["work".into()],
            muted: true,
            ..wire::Settings::default()
        };

        assert_eq!(Changes::default().apply(current.clone()), current);
        let changes = Changes {
            alias: Some(String::new()),
            tags: vec![String::new()],
            muted: Some(false),
            read_receipts: Some(false),
            ..Changes::default()
        };
        let changed = changes.apply(current);
        assert_eq!((changed.alias, changed.tags), (None, vec![]));
        assert!(!changed.muted && changed.no_read_receipts);
    }
}
