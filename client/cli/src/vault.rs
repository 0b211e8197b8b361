//! `unlock`, `lock`, `status`.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::operation::vault::{OpenStatus, StatusReport};

use crate::failure::Failure;
use crate::output::{Output, table};
use crate::secrets::Secrets;
use crate::time;

/// Opens the vault. Secrets: PIN.
pub(crate) async fn unlock(owner: &Owner, secrets: &mut Secrets) -> Result<Output, Failure> {
    let unlocked = owner.unlock(&secrets.current("PIN")?).await?;
    let mut text = "The vault is open.".to_owned();
    if unlocked.failed_attempts > 0 {
        text.push_str(&format!(
            "\nWrong PINs were entered since the last right one: {}.",
            unlocked.failed_attempts
        ));
    }
    Ok(Output::new(
        text,
        json!({
            "vault": unlocked.vault.to_string(),
            "transaction_keys_left": unlocked.transaction_keys_left,
            "feed": unlocked.feed,
            "failed_attempts": unlocked.failed_attempts,
        }),
    ))
}

/// Closes the vault.
pub(crate) async fn lock(owner: &Owner) -> Result<Output, Failure> {
    owner.lock().await?;
    Ok(Output::done("The vault is closed."))
}

/// State of the vault.
pub(crate) async fn status(owner: &Owner) -> Result<Output, Failure> {
    let report = owner.status().await?;
    Ok(Output::new(text(&report), to_json(&report)))
}

fn to_json(report: &StatusReport) -> serde_json::Value {
    json!({
        "locked": report.locked,
        "failed_attempts": report.failed_attempts,
        "wait_until": report.wait_until.map(|at| at.0),
        "open": report.open.as_ref().map(|open| json!({
            "vault": open.vault.to_string(),
            "items": open.items,
            "bytes": open.bytes,
            "credential_version": open.credential_version,
            "credential_frozen": open.credential_frozen,
            "transaction_keys_left": open.transaction_keys_left,
            "feed": open.feed,
            "devices": open.devices,
        })),
    })
}

fn text(report: &StatusReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let state = if report.locked { "locked" } else { "open" };
    let mut rows = vec![
        row("state", state.into()),
        row("wrong PINs", report.failed_attempts.to_string()),
    ];
    if let Some(at) = report.wait_until {
        rows.push(row("next PIN at", time::text(at)));
    }
    if let Some(open) = &report.open {
        rows.extend(open_rows(open).map(|(name, value)| row(name, value)));
    }
    table(&rows)
}

fn open_rows(open: &OpenStatus) -> [(&'static str, String); 7] {
    let frozen = if open.credential_frozen {
        ", FROZEN"
    } else {
        ""
    };
    [
        ("vault", open.vault.to_string()),
        ("items", open.items.to_string()),
        ("size", format!("{} bytes", open.bytes)),
        (
            "credential",
            format!("version {}{frozen}", open.credential_version),
        ),
        ("one-time keys", open.transaction_keys_left.to_string()),
        ("newest feed entry", open.feed.to_string()),
        ("devices", open.devices.to_string()),
    ]
}
