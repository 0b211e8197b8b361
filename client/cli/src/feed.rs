//! `feed`: what happened that the owner should know.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::operation::feed::{Entry, Kind, List, Read};

use crate::failure::Failure;
use crate::message::conversation;
use crate::output::{Output, table};
use crate::time;

/// What to do with the feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Feed {
    /// Entries, oldest first
    List {
        /// Only behind this sequence
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
        /// Only what was not read
        #[arg(long)]
        unread: bool,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Mark entries as read, up to a sequence
    Read {
        /// Newest entry that was read
        #[arg(value_name = "SEQUENCE")]
        through: u64,
    },
}

/// Runs one of them.
pub(crate) async fn run(owner: &Owner, command: Feed) -> Result<Output, Failure> {
    match command {
        Feed::List {
            after,
            unread,
            limit,
        } => list(owner, after, unread, limit).await,
        Feed::Read { through } => {
            owner.call(&Read { through }).await?;
            Ok(Output::done(""))
        }
    }
}

async fn list(
    owner: &Owner,
    mut after: u64,
    unread: bool,
    limit: Option<usize>,
) -> Result<Output, Failure> {
    let most = limit.unwrap_or(usize::MAX);
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let page = owner
            .call(&List {
                after,
                limit: None,
                unread,
            })
            .await?;
        let next = page.entries.last().map(|entry| entry.sequence);
        entries.extend(page.entries);
        match next {
            Some(next) if page.more && next > after && entries.len() < most => after = next,
            _ => break,
        }
    }
    entries.truncate(most);
    let rows: Vec<_> = entries.iter().map(row).collect();
    let json: Vec<_> = entries.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "entries": json })))
}

fn row(entry: &Entry) -> Vec<String> {
    let unread = if entry.read.is_none() { "new" } else { "" };
    let words = meaning(entry.kind);
    vec![
        entry.sequence.to_string(),
        time::text(entry.at),
        unread.into(),
        words.into(),
        entry
            .conversation
            .map(|of| conversation(&of))
            .map(|(kind, id)| format!("{kind} {id}"))
            .unwrap_or_default(),
    ]
}

fn to_json(entry: &Entry) -> serde_json::Value {
    let about = entry.conversation.map(|of| conversation(&of));
    let of_kind = |wanted: &str| {
        about
            .as_ref()
            .filter(|(kind, _)| *kind == wanted)
            .map(|(_, id)| id)
    };
    json!({
        "connection": of_kind("connection"),
        "group": of_kind("group"),
        "sequence": entry.sequence,
        "at": entry.at.0,
        "kind": name(entry.kind),
        "device": entry.device.map(|device| device.to_string()),
        "read": entry.read.map(|at| at.0),
    })
}

/// What scripts know it by.
const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::CloneAlarm => "clone-alarm",
        Kind::ConnectionActive => "connection-active",
        Kind::CodesDiffered => "codes-differed",
        Kind::ConnectionDeclined => "connection-declined",
        Kind::ConnectionHealed => "connection-healed",
        Kind::ConnectionLate => "connection-late",
        Kind::ConnectionPending => "connection-pending",
        Kind::ConnectionRevoked => "connection-revoked",
        Kind::CredentialLost => "credential-lost",
        Kind::DeviceAdded => "device-added",
        Kind::DigitsLost => "digits-lost",
        Kind::GroupHealed => "group-healed",
        Kind::GroupInvited => "group-invited",
        Kind::GroupJoined => "group-joined",
        Kind::GroupLeft => "group-left",
        Kind::GroupNotAdded => "group-not-added",
        Kind::IdentityRotated => "identity-rotated",
        Kind::InvitationRefused => "invitation-refused",
        Kind::MessageFailed => "message-failed",
        Kind::PasswordChanged => "password-changed",
        Kind::PasswordFailed => "password-failed",
        Kind::PinChanged => "pin-changed",
        Kind::PinFailed => "pin-failed",
        Kind::ReleaseApproved => "release-approved",
        Kind::ReleaseMoved => "release-moved",
        Kind::VaultCreated => "vault-created",
    }
}

/// What it means.
const fn meaning(kind: Kind) -> &'static str {
    match kind {
        Kind::CloneAlarm => "a stale copy of the credential was presented: operations are frozen",
        Kind::ConnectionActive => "a connection is active",
        Kind::CodesDiffered => {
            "the digits were not alike: the connection was ended; invite anew, over another way"
        }
        Kind::ConnectionDeclined => "the other owner does not want to be connected",
        Kind::ConnectionHealed => "a connection had lost its keys and was made anew",
        Kind::ConnectionLate => {
            "a connection was not approved by both in time: ask for a new invitation"
        }
        Kind::ConnectionPending => {
            "another owner wants to be connected: compare the digits, then approve or decline"
        }
        Kind::ConnectionRevoked => "the other owner has ended a connection",
        Kind::CredentialLost => "the credential was reported lost",
        Kind::DeviceAdded => "a device was registered",
        Kind::DigitsLost => {
            "a connection lost its digits before both approved it and was ended: invite anew"
        }
        Kind::GroupHealed => {
            "you were added to a group anew: what was said meanwhile may be missing"
        }
        Kind::GroupInvited => "another owner invites you into a group: accept or decline",
        Kind::GroupJoined => "you were taken into a group",
        Kind::GroupLeft => "you are no longer a member of a group",
        Kind::GroupNotAdded => {
            "somebody could not be added to a group: there is no room for what that takes"
        }
        Kind::IdentityRotated => "identity and credential key were rotated",
        Kind::InvitationRefused => {
            "an invitation was used by somebody else or taken back: ask for a new one"
        }
        Kind::MessageFailed => {
            "a message could not be delivered, or the other side does not take it"
        }
        Kind::PasswordChanged => "the password was changed",
        Kind::PasswordFailed => "somebody tried wrong passwords",
        Kind::PinChanged => "the PIN was changed",
        Kind::PinFailed => "somebody tried wrong PINs",
        Kind::ReleaseApproved => "the vault may move to a later release",
        Kind::ReleaseMoved => "the vault has moved to this release",
        Kind::VaultCreated => "the vault was set up",
    }
}
