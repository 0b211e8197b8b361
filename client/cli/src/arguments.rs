//! The grammar of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::secrets::SecretOptions;
use crate::{
    audit, connection, credential, enroll, feed, group, invitation, item, key, message, release,
    tag,
};

/// Name of the variable that holds the home folder.
pub(crate) const HOME: &str = "VETTID_HOME";

/// Your vault, from the command line.
///
/// Secrets are asked for without echo, or read with --secrets-stdin or --secrets-fd; they are never
/// arguments. Exit codes: 0 done, 1 fault of vettid, 2 usage, 3 refused, 4 node unreachable,
/// 5 node not trusted, 6 local files.
#[derive(Debug, Parser)]
#[command(name = "vettid", version, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Folder that keeps this device
    #[arg(long, global = true, env = HOME, value_name = "DIR", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,
    /// Answer with one JSON value
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) secrets: SecretOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up a vault with an invitation, or go on where that was interrupted
    Enroll(enroll::Enroll),
    /// Open the vault with its PIN
    Unlock,
    /// Close the vault for every device
    Lock,
    /// State of the vault
    Status,
    /// Items: what you keep
    #[command(subcommand)]
    Item(item::Item),
    /// Tags: words that items are found by
    #[command(subcommand)]
    Tag(tag::Tag),
    /// Keys: private keys that you sign with
    #[command(subcommand)]
    Key(key::Key),
    /// Invitations: to be connected with another owner
    #[command(subcommand)]
    Invitation(invitation::Invitation),
    /// Connections: other owners
    #[command(subcommand)]
    Connection(connection::Connection),
    /// Messages: what you say to each other
    #[command(subcommand)]
    Message(message::Message),
    /// Groups: conversations of several owners
    #[command(subcommand)]
    Group(group::Group),
    /// Devices that may speak for you
    #[command(subcommand)]
    Device(Device),
    /// Feed: what happened that you should know
    #[command(subcommand)]
    Feed(feed::Feed),
    /// PIN of the vault
    #[command(subcommand)]
    Pin(Change),
    /// Password of the credential
    #[command(subcommand)]
    Password(Change),
    /// Credential: what proves that you are there
    #[command(subcommand)]
    Credential(credential::Credential),
    /// Release of the enclave that serves the vault, and a later one to move to
    #[command(subcommand)]
    Release(release::Release),
    /// Audit: the chain of what was done
    #[command(subcommand)]
    Audit(audit::Audit),
}

/// What to do with devices.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Device {
    /// Every device
    List,
}

/// What to do with a PIN or password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Subcommand)]
pub(crate) enum Change {
    /// Replace it
    Change,
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
