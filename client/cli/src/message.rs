//! `message`: what owners say to each other.

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::id::{ConnectionId, GroupId, MessageId};
use vettid_sdk::wire::operation::message as wire;

use crate::failure::Failure;
use crate::invitation::text;
use crate::output::{Output, line, table};
use crate::secrets::Secrets;
use crate::time;

/// A conversation on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::Args)]
pub(crate) struct Conversation {
    /// Connection
    #[arg(value_name = "CONNECTION", required_unless_present = "group")]
    connection: Option<ConnectionId>,
    /// A group instead of a connection
    #[arg(long, conflicts_with = "connection", value_name = "GROUP")]
    group: Option<GroupId>,
}

/// What to do with messages.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Message {
    /// Say something: the text is asked for, like a secret
    Send {
        #[command(flatten)]
        to: Conversation,
        /// Message that it answers
        #[arg(long, value_name = "MESSAGE")]
        reply_to: Option<MessageId>,
        /// Seconds after reading until it disappears on both sides
        #[arg(long, value_name = "SECONDS")]
        disappear_after: Option<u64>,
    },
    /// Messages of a conversation, newest last
    List {
        #[command(flatten)]
        of: Conversation,
        /// Only before this sequence
        #[arg(long, value_name = "SEQUENCE")]
        before: Option<u64>,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// Go on with every conversation: what comes or changes, line by line, until interrupted
        #[arg(long)]
        watch: bool,
    },
    /// Say up to where you have read
    Read {
        #[command(flatten)]
        of: Conversation,
        /// Sequence of the newest message that was read
        #[arg(long, value_name = "SEQUENCE")]
        through: u64,
    },
    /// Messages with these words
    Search {
        /// Words
        text: String,
    },
    /// Replace a text of your own: the new one is asked for
    Edit {
        /// Message
        id: MessageId,
    },
    /// Remove a message
    Remove {
        /// Message
        id: MessageId,
        /// On the other side too; only for your own
        #[arg(long)]
        everywhere: bool,
    },
    /// React to a message, or take that back
    React {
        /// Message
        id: MessageId,
        /// Reaction; none takes it back
        reaction: Option<String>,
    },
}

impl From<Conversation> for wire::Conversation {
    fn from(conversation: Conversation) -> Self {
        match (conversation.group, conversation.connection) {
            (Some(group), _) => Self::Group(group),
            // The grammar requires one of the two.
            (None, connection) => Self::Connection(connection.unwrap_or(ConnectionId([0; 16]))),
        }
    }
}

/// Runs one of them.
pub(crate) async fn run(
    owner: &Owner,
    command: Message,
    secrets: &mut Secrets,
    json: bool,
) -> Result<Output, Failure> {
    match command {
        Message::Send {
            to,
            reply_to,
            disappear_after,
        } => {
            let request = wire::Send {
                conversation: to.into(),
                text: secrets.current("text")?,
                reply_to,
                attachments: Vec::new(),
                disappear_after: disappear_after.map(|seconds| seconds.saturating_mul(1_000)),
            };
            let sent = owner.call(&request).await?;
            let id = sent.id.to_string();
            let json = json!({ "id": id, "sequence": sent.sequence });
            Ok(Output::new(id, json))
        }
        Message::List {
            of,
            before,
            limit,
            watch,
        } => {
            let listed = list(owner, of.into(), before, limit).await?;
            match watch {
                false => Ok(listed),
                true => watched(owner, &listed, json).await,
            }
        }
        Message::Read { of, through } => {
            let conversation = of.into();
            let request = wire::MarkRead {
                conversation,
                through,
            };
            owner.call(&request).await?;
            Ok(Output::done(""))
        }
        Message::Search { text } => search(owner, text).await,
        Message::Edit { id } => {
            let text = secrets.current("text")?;
            owner.call(&wire::Edit { id, text }).await?;
            Ok(Output::done(""))
        }
        Message::Remove { id, everywhere } => {
            owner.call(&wire::Remove { id, everywhere }).await?;
            Ok(Output::done(""))
        }
        Message::React { id, reaction } => {
            owner.call(&wire::React { id, reaction }).await?;
            Ok(Output::done(""))
        }
    }
}

async fn list(
    owner: &Owner,
    conversation: wire::Conversation,
    before: Option<u64>,
    limit: Option<u32>,
) -> Result<Output, Failure> {
    let request = wire::List {
        conversation,
        from: before.map_or(wire::From::Newest, wire::From::Before),
        limit,
    };
    let mut messages = owner.call(&request).await?.messages;
    messages.sort_by_key(|message| message.sequence);
    page(&messages)
}

async fn search(owner: &Owner, words: String) -> Result<Output, Failure> {
    let request = wire::Search {
        text: words.as_str().into(),
        conversation: None,
        limit: None,
    };
    page(&owner.call(&request).await?.messages)
}

/// Prints what is there, then what comes and changes, until the program is interrupted.
async fn watched(owner: &Owner, listed: &Output, json: bool) -> Result<Output, Failure> {
    line(listed, json)?;
    let mut newest = owner.messages().await?;
    let status = owner.status().await?;
    let mut behind = status.open.map_or(0, |open| open.messages);
    loop {
        let request = wire::Changes {
            behind,
            limit: None,
        };
        let changes = owner.call(&request).await?;
        for message in &changes.messages {
            behind = behind.max(message.change);
            line(
                &Output::new(row(message)?.join("  "), to_json(message)?),
                json,
            )?;
        }
        if !changes.more && newest.changed().await.is_err() {
            return Err(Failure::Interrupted);
        }
    }
}

fn page(messages: &[wire::Message]) -> Result<Output, Failure> {
    let rows: Result<Vec<_>, _> = messages.iter().map(row).collect();
    let json: Result<Vec<_>, _> = messages.iter().map(to_json).collect();
    Ok(Output::new(table(&rows?), json!({ "messages": json? })))
}

fn row(message: &wire::Message) -> Result<Vec<String>, Failure> {
    let from = match &message.from {
        Some(vault) => vault.to_string(),
        None => "you".into(),
    };
    let said = match (&message.text, message.removed) {
        (_, Some(_)) => "(removed)".to_owned(),
        (Some(said), None) => text(said)?,
        (None, None) => String::new(),
    };
    Ok(vec![
        message.sequence.to_string(),
        message.id.to_string(),
        time::text(message.sent),
        from,
        fate(message).into(),
        said,
    ])
}

/// What became of a message.
const fn fate(message: &wire::Message) -> &'static str {
    match (message.failed, message.receipt) {
        (Some(wire::Failed::Expired), _) => "expired",
        (Some(wire::Failed::Refused), _) => "refused",
        (None, Some(wire::Receipt::Waiting)) => "waiting",
        (None, Some(wire::Receipt::Stored)) => "stored",
        (None, Some(wire::Receipt::Delivered)) => "delivered",
        (None, Some(wire::Receipt::Read)) => "read",
        (None, None) => "",
    }
}

fn to_json(message: &wire::Message) -> Result<Value, Failure> {
    let (kind, conversation) = match &message.conversation {
        wire::Conversation::Connection(id) => ("connection", id.to_string()),
        wire::Conversation::Group(id) => ("group", id.to_string()),
    };
    let reactions: Vec<_> = message
        .reactions
        .iter()
        .map(|one| {
            let from = one.from.map(|vault| vault.to_string());
            json!({ "from": from, "reaction": one.reaction })
        })
        .collect();
    Ok(json!({
        "id": message.id.to_string(),
        kind: conversation,
        "sequence": message.sequence,
        "change": message.change,
        "from": message.from.map(|vault| vault.to_string()),
        "sent": message.sent.0,
        "received": message.received.map(|at| at.0),
        "text": message.text.as_ref().map(text).transpose()?,
        "edited": message.edited.map(|at| at.0),
        "removed": message.removed.map(|at| at.0),
        "reply_to": message.reply_to.map(|id| id.to_string()),
        "attachments": message.attachments.len(),
        "reactions": reactions,
        "receipt": Some(fate(message)).filter(|fate| !fate.is_empty()),
        "disappear_after": message.disappear_after,
        "disappears": message.disappears.map(|at| at.0),
        "read": message.read.map(|at| at.0),
    }))
}
