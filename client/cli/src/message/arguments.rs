//! The grammar of `message`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, value_parser};
use vettid_sdk::wire::id::{ConnectionId, GroupId, MessageId};
use vettid_sdk::wire::limits;
use vettid_sdk::wire::operation::message as wire;

/// Longest time before a message disappears, seconds.
const DISAPPEAR: u64 = limits::DISAPPEAR / 1_000;

/// A conversation on the command line.
#[derive(Args, Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Conversation {
    /// Connection
    #[arg(value_name = "CONNECTION", required_unless_present = "group")]
    connection: Option<ConnectionId>,
    /// A group instead of a connection
    #[arg(long, conflicts_with = "connection", value_name = "GROUP")]
    group: Option<GroupId>,
}

/// What to do with messages.
#[derive(Clone, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Message {
    /// Say something: the text is asked for, or is standard input
    Send(Send),
    /// Messages of a conversation, newest last
    List(List),
    /// One message with all that is known of it
    Get {
        /// Its id
        id: MessageId,
    },
    /// Say up to where you have read; the other owner is told, unless you have turned that off
    Read {
        #[command(flatten)]
        of: Conversation,
        /// Sequence of the newest message that was read; without it, all of them
        #[arg(long, value_name = "SEQUENCE")]
        through: Option<u64>,
    },
    /// Messages with these words
    Search(Search),
    /// Replace a text of your own: the new one is asked for, or is standard input
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
    /// Empty a conversation, for you alone: the other owners keep what they have
    Clear {
        #[command(flatten)]
        of: Conversation,
        /// Only what was said before this message
        #[arg(long, value_name = "MESSAGE")]
        before: Option<MessageId>,
        /// You know that nothing brings it back
        #[arg(long)]
        yes: bool,
    },
    /// React to a message, or take that back
    React {
        /// Message
        id: MessageId,
        /// Reaction; none takes it back
        reaction: Option<String>,
    },
    /// Files of a message
    #[command(subcommand)]
    Attachment(Attachment),
}

/// What is said, and how.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(super) to: Conversation,
    /// Files that go with it; interrupted, the same command goes on where it was
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(super) attach: Vec<PathBuf>,
    /// Message that it answers
    #[arg(long, value_name = "MESSAGE")]
    pub(super) reply_to: Option<MessageId>,
    /// Seconds until it disappears on both sides, counted from when the other owner reads it; at most
    /// 31536000, a year
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=DISAPPEAR))]
    pub(super) disappear_after: Option<u64>,
}

/// Which messages.
#[derive(Args, Clone, Copy, Debug, Eq, PartialEq)]
#[command(group = ArgGroup::new("one").args(["connection", "group"]))]
pub(crate) struct List {
    /// Connection; with --watch it may be left out, for all conversations
    #[arg(value_name = "CONNECTION", required_unless_present_any = ["group", "watch"])]
    connection: Option<ConnectionId>,
    /// A group instead of a connection
    #[arg(long, conflicts_with = "connection", value_name = "GROUP")]
    group: Option<GroupId>,
    /// The newest before this sequence
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "after")]
    before: Option<u64>,
    /// The oldest behind this sequence; with --watch everything behind it
    #[arg(long, value_name = "SEQUENCE", requires = "one")]
    after: Option<u64>,
    /// At most this many; with --watch of the newest only
    #[arg(long, value_name = "N", requires = "one")]
    pub(super) limit: Option<u32>,
    /// Go on with what comes or changes, a line for each, until interrupted; other commands with
    /// this home folder have to wait
    #[arg(long, conflicts_with = "before")]
    pub(super) watch: bool,
}

/// What is looked for, and where.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Search {
    /// Words; each matches from its beginning, all must match
    pub(super) text: String,
    /// Only in this connection
    #[arg(long, value_name = "CONNECTION")]
    connection: Option<ConnectionId>,
    /// Only in this group
    #[arg(long, conflicts_with = "connection", value_name = "GROUP")]
    group: Option<GroupId>,
    /// At most this many
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u32>,
    /// Go on behind this message, the last that was found before
    #[arg(long, value_name = "MESSAGE")]
    pub(super) after: Option<MessageId>,
}

/// What to do with files of a message.
#[derive(Clone, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Attachment {
    /// Every file of a message, with its number
    List {
        /// Message
        id: MessageId,
    },
    /// Fetch a file; interrupted, the same command goes on where it was
    Save {
        /// Message
        id: MessageId,
        /// Number of the file, from 1
        #[arg(value_name = "N")]
        number: usize,
        /// File to write, or folder to write it in under its own name; without it, this folder
        #[arg(long, value_name = "PATH")]
        to: Option<PathBuf>,
    },
}

impl Conversation {
    /// On the wire; none only for what the grammar does not let through.
    pub(super) fn wire(self) -> Option<wire::Conversation> {
        named(self.connection, self.group)
    }
}

impl List {
    pub(super) fn conversation(self) -> Option<wire::Conversation> {
        named(self.connection, self.group)
    }

    pub(super) fn from(self) -> wire::From {
        match (self.before, self.after) {
            (Some(before), _) => wire::From::Before(before),
            (None, Some(after)) => wire::From::Behind(after),
            (None, None) => wire::From::Newest,
        }
    }
}

impl Search {
    pub(super) fn conversation(&self) -> Option<wire::Conversation> {
        named(self.connection, self.group)
    }
}

fn named(connection: Option<ConnectionId>, group: Option<GroupId>) -> Option<wire::Conversation> {
    let connection = connection.map(wire::Conversation::Connection);
    connection.or_else(|| group.map(wire::Conversation::Group))
}
