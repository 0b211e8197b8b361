//! What an owner types to meet another one.

use anyhow::{Context, Result};
use serde_json::Value;

use super::setting::is;
use crate::demo::owner::{Owner, text_of};
use crate::demo::wait;

impl Owner {
    /// A link for one other owner, who will see `name`.
    pub(crate) fn invite(&self, name: &str, label: &str) -> Result<String> {
        let field = format!("name={name}");
        let create = ["invitation", "create", "--json", "--field", &field];
        let created = self.call(&[&create[..], &["--label", label]].concat(), &[])?;
        text_of(&created, "link")
    }

    /// Uses another owner's link; the connection.
    pub(crate) fn accept(&self, link: &str, name: &str, alias: &str) -> Result<String> {
        let field = format!("name={name}");
        let accept = ["invitation", "accept", "--json", "--secrets-stdin"];
        let shown = ["--field", &field, "--alias", alias];
        let accepted = self.call(&[accept, shown].concat(), &[link])?;
        text_of(&accepted, "connection")
    }

    /// Waits until the only connection is in a state.
    pub(crate) fn connected(&self, state: &str) -> Result<Value> {
        wait::until(&format!("{}'s connection is {state}", self.name), || {
            let listed = self.call(&["connection", "list", "--json"], &[])?;
            let connection = listed.pointer("/connections/0").cloned();
            Ok(connection.filter(|connection| is(connection, "state", state)))
        })
    }

    /// Does something with a connection.
    pub(crate) fn with_connection(&self, verb: &str, id: &str, more: &[&str]) -> Result<Value> {
        self.call(&[&["connection", verb, id, "--json"], more].concat(), &[])
    }

    /// Says something.
    pub(crate) fn say(&self, connection: &str, text: &str) -> Result<String> {
        let send = ["message", "send", connection, "--json", "--secrets-stdin"];
        text_of(&self.call(&send, &[text])?, "id")
    }

    /// Everything that was said, oldest first.
    pub(crate) fn messages(&self, connection: &str) -> Result<Vec<Value>> {
        let listed = self.call(&["message", "list", connection, "--json"], &[])?;
        let messages = listed.get("messages").and_then(Value::as_array);
        messages.cloned().context("no messages")
    }

    /// Waits until these texts, and no others, are there in this order.
    pub(crate) fn hears(&self, connection: &str, texts: &[&str]) -> Result<()> {
        wait::until(&format!("{} has what was said", self.name), || {
            let messages = self.messages(connection)?;
            let found = messages.iter().map(|message| message.get("text")?.as_str());
            Ok(found.eq(texts.iter().copied().map(Some)).then_some(()))
        })
    }

    /// Waits until a message of this owner's has come as far as `receipt`.
    pub(crate) fn receipt(&self, connection: &str, id: &str, receipt: &str) -> Result<()> {
        wait::until(&format!("{} is told: {receipt}", self.name), || {
            let messages = self.messages(connection)?;
            let mut own = messages.iter().filter(|message| is(message, "id", id));
            Ok(own
                .any(|message| is(message, "receipt", receipt))
                .then_some(()))
        })
    }

    /// Says that everything was read.
    pub(crate) fn read_all(&self, connection: &str) -> Result<()> {
        let messages = self.messages(connection)?;
        let last = messages.last().and_then(|message| message.get("sequence"));
        let through = last.context("nothing was said")?.to_string();
        let read = [
            "message",
            "read",
            connection,
            "--json",
            "--through",
            &through,
        ];
        self.call(&read, &[]).map(drop)
    }

    /// Closes the vault.
    pub(crate) fn lock(&self) -> Result<()> {
        self.call(&["lock", "--json"], &[]).map(drop)
    }
}
