//! What an operator does with a node: commands, pages, metrics.

use std::net::SocketAddr;

use serde_json::Value;
use vettid_wire::id::SpaceId;

use crate::node::Node;
use crate::raw::{Answer, request};

impl Node {
    /// Link of a new invitation.
    ///
    /// # Panics
    /// When the node refuses.
    #[must_use]
    pub fn invitation(&self) -> String {
        self.invitation_for(&[]).1
    }

    /// Number and link of a new invitation, with more arguments.
    ///
    /// # Panics
    /// When the node refuses.
    #[must_use]
    pub fn invitation_for(&self, more: &[&str]) -> (u64, String) {
        let made = self.expect(&[&["invitation", "create"], more].concat());
        let made = found(&made, "link").expect("a link");
        let id = made["id"].as_u64().expect("a number");
        (id, made["link"].as_str().expect("a link").to_owned())
    }

    /// Suspends, resumes or removes a space.
    pub fn space(&self, verb: &str, space: SpaceId) {
        let space = space.to_string();
        let sure = (verb == "remove").then_some("--yes");
        let command = ["space", verb, &space].into_iter().chain(sure);
        self.expect(&command.collect::<Vec<_>>());
    }

    /// Every space as the operator sees it.
    #[must_use]
    pub fn spaces(&self) -> Value {
        self.expect(&["space", "list"])
    }

    /// Runs a command of the operator that must succeed; what it answers.
    ///
    /// # Panics
    /// When it fails.
    pub fn expect(&self, verb: &[&str]) -> Value {
        match self.ask(verb) {
            Ok(answer) => answer,
            Err(said) => panic!("vettid-node {verb:?}: {said}\n{}", self.end_of_log()),
        }
    }

    /// Runs a command of the operator.
    ///
    /// # Errors
    /// What it said when it failed.
    ///
    /// # Panics
    /// When there is no such program.
    pub fn ask(&self, verb: &[&str]) -> Result<Value, String> {
        let output = self
            .command(verb)
            .arg("--json")
            .output()
            .expect("vettid-node");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(text + &String::from_utf8_lossy(&output.stderr));
        }
        let last = text.lines().last().unwrap_or_default();
        Ok(serde_json::from_str(last).unwrap_or(Value::Null))
    }

    /// A page of the HTTP API; none where nobody answers.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Answer> {
        request::<()>(self.http(), "GET", path, None).ok()
    }

    /// Value of a metric.
    ///
    /// # Panics
    /// When there is none of that name.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        metric(self.metrics(), name)
    }
}

/// Value of a metric of the page that is served at an address.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn metric(at: SocketAddr, name: &str) -> f64 {
    let answer = request::<()>(at, "GET", "/metrics", None).expect("metrics");
    let text = answer.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no metric {name} in\n{text}"))
}

/// The object in `value` that has a member of this name, however deep.
#[must_use]
pub fn found<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) if members.contains_key(name) => Some(value),
        Value::Object(members) => members.values().find_map(|member| found(member, name)),
        Value::Array(entries) => entries.iter().find_map(|entry| found(entry, name)),
        _ => None,
    }
}
