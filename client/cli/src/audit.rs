//! `audit`: the chain of what was done.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::keystore::KeystoreError;
use vettid_sdk::wire::identity::Rotation;
use vettid_sdk::wire::operation::audit::{AuditHead, Event, Export, Query, Verify};

use crate::failure::Failure;
use crate::key::hex;
use crate::output::{Output, table};
use crate::secrets::Secrets;
use crate::time;

/// What to do with the chain.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Audit {
    /// Events, oldest first
    Query {
        /// Only behind this sequence
        #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
        after: u64,
        /// Only this operation
        #[arg(long, value_name = "NOUN.VERB")]
        operation: Option<String>,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Check the whole chain, inside the vault and once more here
    Verify,
    /// The whole chain with its signed head, checked
    Export {
        /// New file to write; without it, standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// Runs one of them. Secrets: PIN to export.
pub(crate) async fn run(
    owner: &Owner,
    command: Audit,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    match command {
        Audit::Query {
            after,
            operation,
            limit,
        } => query(owner, after, operation, limit).await,
        Audit::Verify => verify(owner).await,
        Audit::Export { to } => export(owner, to, secrets).await,
    }
}

async fn query(
    owner: &Owner,
    after: u64,
    operation: Option<String>,
    limit: Option<usize>,
) -> Result<Output, Failure> {
    let events = fetch(owner, after, operation, limit.unwrap_or(usize::MAX)).await?;
    let rows: Vec<_> = events.iter().map(row).collect();
    Ok(Output::new(table(&rows), json!({ "events": all(&events) })))
}

async fn fetch(
    owner: &Owner,
    mut after: u64,
    operation: Option<String>,
    most: usize,
) -> Result<Vec<Event>, Failure> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let request = Query {
            after,
            operation: operation.clone(),
            limit: None,
        };
        let page = owner.call(&request).await?;
        let next = page.events.last().map(|event| event.body.sequence);
        events.extend(page.events);
        match next {
            Some(next) if page.more && next > after && events.len() < most => after = next,
            _ => break,
        }
    }
    events.truncate(most);
    Ok(events)
}

async fn verify(owner: &Owner) -> Result<Output, Failure> {
    let verdict = owner.call(&Verify {}).await?;
    if let Some(sequence) = verdict.broken_at {
        let why = format!("event {sequence} does not follow from the one before it");
        return Err(Failure::BrokenAudit(why));
    }
    // The chain may have grown since the head was signed.
    let most = usize::try_from(verdict.head.sequence).unwrap_or(usize::MAX);
    let events = fetch(owner, 0, None, most).await?;
    check(owner, &events, &verdict.head)?;
    Ok(Output::new(
        format!(
            "{} events, one unbroken chain, checked by the vault and here.",
            verdict.events
        ),
        json!({
            "valid": true,
            "events": verdict.events,
            "checked_here": events.len(),
            "head": head(&verdict.head),
        }),
    ))
}

async fn export(
    owner: &Owner,
    to: Option<PathBuf>,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    let pin = secrets.current("PIN")?;
    let mut events: Vec<Event> = Vec::new();
    let signed = loop {
        let after = events.last().map_or(0, |event| event.body.sequence);
        let request = Export { after };
        let page = match after {
            0 => owner.call_with_pin(&pin, &request).await?,
            _ => owner.call(&request).await?,
        };
        let is_last = !page.more || page.events.is_empty();
        events.extend(page.events);
        if is_last {
            break page.head;
        }
    };
    check(owner, &events, &signed)?;
    let vault = owner.vault().map(|vault| vault.to_string());
    let exported = json!({ "vault": vault, "events": all(&events), "head": head(&signed) });
    let Some(path) = to else {
        return Ok(Output::new(exported.to_string(), exported));
    };
    save(&path, &exported.to_string())?;
    Ok(Output::new(
        format!("{} events are in {}.", events.len(), path.display()),
        json!({ "events": events.len(), "file": path.display().to_string() }),
    ))
}

/// Writes an export where nothing is yet.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    vettid_sdk::write_new(path, text.as_bytes()).map_err(|error| {
        let shown = path.display();
        let message = match error.kind() {
            ErrorKind::AlreadyExists => format!("{shown} is there already: choose another name"),
            _ => format!("{shown} cannot be written: {error}"),
        };
        Failure::System("export-file", message)
    })
}

fn check(owner: &Owner, events: &[Event], head: &AuditHead) -> Result<(), Failure> {
    let vault = owner.vault().ok_or(KeystoreError::Unfinished)?;
    vettid_sdk::audit::check(vault, events, head)
        .map_err(|why| Failure::BrokenAudit(why.to_string()))
}

fn row(event: &Event) -> Vec<String> {
    let body = &event.body;
    let done = if body.done { "done" } else { "refused" };
    let device = body.device.map(|device| device.to_string());
    let subject = body.subject.as_deref().map(hex).unwrap_or_default();
    vec![
        body.sequence.to_string(),
        time::text(body.at),
        body.operation.clone(),
        done.into(),
        device.unwrap_or_default(),
        subject,
    ]
}

fn all(events: &[Event]) -> Vec<Value> {
    events
        .iter()
        .map(|event| {
            let body = &event.body;
            json!({
                "sequence": body.sequence,
                "at": body.at.0,
                "operation": body.operation,
                "device": body.device.map(|device| device.to_string()),
                "subject": body.subject.as_deref().map(hex),
                "done": body.done,
                "hash": hex(&event.hash),
            })
        })
        .collect()
}

fn head(head: &AuditHead) -> Value {
    json!({
        "sequence": head.sequence,
        "hash": hex(&head.hash),
        "at": head.at.0,
        "identity_key": hex(&head.identity.newest()),
        "succession": succession(head),
        "signature": hex(&head.signature),
    })
}

/// What leads from the vault's id to the key that signed: the first key, and each that followed.
fn succession(head: &AuditHead) -> Value {
    let statement = |rotation: &Rotation| {
        json!({
            "number": rotation.number,
            "from": hex(&rotation.from),
            "to": hex(&rotation.to),
            "at": rotation.at.0,
            "by_from": hex(&rotation.by_from),
            "by_to": hex(&rotation.by_to),
        })
    };
    let rotations: Vec<_> = head.identity.rotations.iter().map(statement).collect();
    json!({ "first": hex(&head.identity.first), "rotations": rotations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn export_takes_the_place_of_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.json");
        save(&path, "first").unwrap();

        let refused = save(&path, "second").unwrap_err();

        assert_eq!(refused.exit_code(), 6);
        assert!(refused.message().contains("choose another name"));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
    }
}
