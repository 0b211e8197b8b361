//! `connection`: bonds with other owners.

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::id::ConnectionId;
use vettid_sdk::wire::operation::connection as wire;

use crate::ending;
use crate::failure::Failure;
use crate::invitation::{shown, text};
use crate::output::{Output, one_line, table};
use crate::time;

/// What to do with connections.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Connection {
    /// Every connection
    List {
        /// Only those that are so far
        #[arg(long, value_enum)]
        state: Option<State>,
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
    /// Enter the digits that the other owner sees; if they differ, somebody is between you, and the
    /// connection ends
    Verify {
        /// Its id
        id: ConnectionId,
        /// Six digits, in one group or two
        #[arg(value_name = "DIGITS", num_args = 1..=2, required = true)]
        safety_code: Vec<String>,
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

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum State {
    /// The vaults are meeting
    Agreeing,
    /// You have to compare the digits and decide
    Pending,
    /// You have approved, the other owner not yet
    Approved,
    /// You can talk
    Active,
    /// One of you has declined, or it took too long
    Declined,
    /// One of you has ended it
    Revoked,
    /// You take nothing from the other owner
    Blocked,
}

impl From<State> for wire::State {
    fn from(state: State) -> Self {
        match state {
            State::Agreeing => Self::Agreeing,
            State::Pending => Self::Pending,
            State::Approved => Self::Approved,
            State::Active => Self::Active,
            State::Declined => Self::Declined,
            State::Revoked => Self::Revoked,
            State::Blocked => Self::Blocked,
        }
    }
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
        Connection::List {
            state,
            archived,
            tag,
        } => return list(owner, state.map(Into::into), archived, tag).await,
        Connection::Get { id } => owner.call(&wire::Get { id }).await?,
        Connection::Approve { id } => owner.call(&wire::Approve { id }).await?,
        Connection::Verify { id, safety_code } => {
            let safety_code = digits(&safety_code.concat())?;
            owner.call(&wire::Verify { id, safety_code }).await?
        }
        Connection::Update { id, changes } => {
            let current = owner.call(&wire::Get { id }).await?.settings;
            let settings = changes.apply(current);
            owner.call(&wire::Update { id, settings }).await?
        }
        Connection::Decline { id } => return done(owner.call(&wire::Decline { id }).await),
        Connection::Rotate { id } => return done(owner.call(&wire::Rotate { id }).await),
        Connection::Revoke { id } => return done(owner.call(&wire::Revoke { id }).await),
        Connection::Block { id } => return done(owner.call(&wire::Block { id }).await),
        Connection::Unblock { id } => return done(owner.call(&wire::Unblock { id }).await),
    };
    one(&connection)
}

fn done<T>(outcome: Result<T, vettid_sdk::Error>) -> Result<Output, Failure> {
    outcome?;
    Ok(Output::done(""))
}

/// Six digits, however they were grouped. Anything else is no answer of the other owner: it must not
/// end the connection.
fn digits(entered: &str) -> Result<String, Failure> {
    let digits: String = entered
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .collect();
    if digits.len() == 6 && digits.chars().all(|c| c.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err(Failure::usage(
            "enter the six digits that the other owner sees",
        ))
    }
}

/// Digits in two groups, as people read them to each other.
fn grouped(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((first, second)) => format!("{first} {second}"),
        None => code.to_owned(),
    }
}

/// What the other owner is called here: as this owner says, or as the other one shows.
pub(crate) fn name(connection: &wire::Connection) -> Option<String> {
    let alias = connection.settings.alias.clone();
    alias.or_else(|| {
        let fields = &connection.card.fields;
        let own = fields.iter().find(|field| field.name == "name")?;
        text(&own.value).ok()
    })
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

/// Every connection of a state, in the archive or not, with a tag; page by page.
pub(crate) async fn all(
    owner: &Owner,
    state: Option<wire::State>,
    archived: bool,
    tag: Option<String>,
) -> Result<Vec<wire::Connection>, vettid_sdk::Error> {
    let mut connections: Vec<wire::Connection> = Vec::new();
    loop {
        let page = owner
            .call(&wire::List {
                state,
                archived,
                tag: tag.clone(),
                after: connections.last().map(|last| wire::Cursor {
                    active: last.active,
                    id: last.id,
                }),
                limit: None,
            })
            .await?;
        let goes_on = page.more && !page.connections.is_empty();
        connections.extend(page.connections);
        if !goes_on {
            return Ok(connections);
        }
    }
}

async fn list(
    owner: &Owner,
    state: Option<wire::State>,
    archived: bool,
    tag: Option<String>,
) -> Result<Output, Failure> {
    let connections = all(owner, state, archived, tag).await?;
    let rows: Vec<_> = connections.iter().map(row).collect();
    let json: Result<Vec<_>, _> = connections.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "connections": json? })))
}

fn row(connection: &wire::Connection) -> Vec<String> {
    let count = |count, what| match count {
        0 => String::new(),
        count => format!("{count} {what}"),
    };
    vec![
        connection.id.to_string(),
        state(connection.state).into(),
        one_line(&name(connection).unwrap_or_default()),
        count(connection.unread, "new"),
        count(connection.waiting, "not delivered"),
        connection
            .ended
            .map(ending::meaning)
            .unwrap_or_default()
            .into(),
    ]
}

fn one(connection: &wire::Connection) -> Result<Output, Failure> {
    let mut rows = vec![
        vec!["id".to_owned(), connection.id.to_string()],
        vec![
            "state".into(),
            ending::shown(state(connection.state), connection.ended),
        ],
        vec!["vault".into(), connection.vault.to_string()],
        vec!["node".into(), connection.node.to_string()],
    ];
    if let Some(code) = &connection.safety_code {
        let compared = match (connection.verified, connection.state) {
            (Some(at), _) => format!(" (compared {})", time::text(at)),
            (None, wire::State::Pending | wire::State::Approved | wire::State::Active) => {
                ": compare them with what the other owner sees".into()
            }
            (None, _) => String::new(),
        };
        let digits = format!("{}{compared}", grouped(code));
        rows.push(vec!["digits".into(), digits]);
    }
    if let Some(alias) = &connection.settings.alias {
        rows.push(vec!["alias".into(), alias.clone()]);
    }
    for (name, value) in shown(&connection.card)? {
        rows.push(vec![format!("shows {}", one_line(&name)), one_line(&value)]);
    }
    let settings = &connection.settings;
    if !settings.tags.is_empty() {
        rows.push(vec!["tags".into(), settings.tags.join(", ")]);
    }
    for (name, set) in [
        ("favorite", settings.favorite),
        ("archived", settings.archived),
        ("muted", settings.muted),
        ("read receipts", !settings.no_read_receipts),
    ] {
        let set = if set { "yes" } else { "no" };
        rows.push(vec![name.into(), set.into()]);
    }
    rows.push(vec!["since".into(), time::text(connection.created)]);
    rows.push(vec!["last active".into(), time::text(connection.active)]);
    rows.push(vec!["unread".into(), connection.unread.to_string()]);
    rows.push(vec!["not delivered".into(), connection.waiting.to_string()]);
    if let Some(next) = next_step(connection) {
        rows.push(vec!["next".into(), next]);
    }
    Ok(Output::new(table(&rows), to_json(connection)?))
}

/// What this owner can do to get it going.
fn next_step(connection: &wire::Connection) -> Option<String> {
    let id = &connection.id;
    match connection.state {
        wire::State::Agreeing => Some("wait until both vaults have met".into()),
        wire::State::Pending if connection.safety_code.is_none() => Some(format!(
            "it has no digits to compare any more: `vettid connection decline {id}`, and invite anew"
        )),
        wire::State::Pending if connection.verified.is_none() => Some(format!(
            "compare the digits, then `vettid connection verify {id} DIGITS` and \
             `vettid connection approve {id}`, or `vettid connection decline {id}`"
        )),
        wire::State::Pending => Some(format!("`vettid connection approve {id}`")),
        wire::State::Approved => Some("wait until the other owner approves".into()),
        _ => ending::next_step(connection),
    }
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
        "ended": connection.ended.map(ending::name),
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
    use vettid_sdk::wire::id::{NodeId, VaultId};
    use vettid_sdk::wire::operation::invitation::Card;
    use vettid_sdk::wire::time::UnixMillis;

    #[test]
    fn digits_are_shown_in_groups_and_taken_in_any() {
        assert_eq!(grouped("012345"), "012 345");
        for entered in ["012345", "012 345", "012-345"] {
            assert_eq!(digits(entered).unwrap(), "012345");
        }
        for mistyped in ["", "01234", "0123456", "01234x"] {
            assert_eq!(digits(mistyped).unwrap_err().exit_code(), 2, "{mistyped}");
        }
    }

    /// A connection that has ended, or not.
    fn ended(state: wire::State, how: Option<wire::Ended>) -> wire::Connection {
        wire::Connection {
            id: ConnectionId([1; 16]),
            state,
            vault: VaultId([2; 32]),
            node: NodeId([3; 32]),
            inviter: false,
            card: Card::default(),
            safety_code: None,
            verified: None,
            settings: wire::Settings::default(),
            created: UnixMillis(0),
            active: UnixMillis(0),
            unread: 0,
            waiting: 0,
            ended: how,
        }
    }

    #[test]
    fn connection_that_is_over_says_how_and_what_to_do() {
        use wire::{Ended, State};
        let refused = ended(State::Declined, Some(Ended::InvitationRefused));

        let shown = one(&refused).unwrap();
        assert!(
            shown
                .text
                .contains("declined: the invitation was used or withdrawn"),
            "{}",
            shown.text
        );
        assert!(shown.text.contains("ask the other owner for a new link"));
        assert_eq!(shown.json["ended"], "invitation-refused");
        assert!(shown.text.contains("last active"), "{}", shown.text);
        assert!(table(&[row(&refused)]).ends_with("the invitation was used or withdrawn"));
        // One that does not say how.
        let next = next_step(&ended(State::Declined, None)).unwrap();
        assert!(next.contains("vettid invitation create"), "{next}");
        let next = next_step(&ended(State::Blocked, Some(Ended::Blocked))).unwrap();
        assert!(next.contains("connection unblock 0101"), "{next}");
        let next = next_step(&ended(State::Revoked, Some(Ended::Revoked))).unwrap();
        assert!(next.contains("vettid invitation create"), "{next}");
        assert_eq!(next_step(&ended(State::Active, None)), None);
    }

    #[test]
    fn digits_are_to_be_compared_until_they_were_or_the_connection_is_over() {
        use wire::State;
        for (state, asks) in [
            (State::Pending, true),
            (State::Approved, true),
            (State::Active, true),
            (State::Declined, false),
            (State::Revoked, false),
            (State::Blocked, false),
        ] {
            let mut connection = ended(state, None);
            connection.safety_code = Some("012345".into());
            let asked = one(&connection).unwrap().text;
            assert!(asked.contains("012 345"));
            assert_eq!(asked.contains("compare them"), asks, "{state:?}");

            connection.verified = Some(UnixMillis(0));
            let compared = one(&connection).unwrap().text;
            assert!(compared.contains("012 345 (compared "), "{state:?}");
        }
    }

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
