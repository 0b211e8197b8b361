//! `credential`: what proves that the owner is there.

use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::operation::credential::{RotateIdentity, Version};

use crate::failure::Failure;
use crate::key::hex;
use crate::output::Output;
use crate::secrets::Secrets;
use crate::time;

/// What to do with the credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Credential {
    /// Which version is current, and whether it is frozen
    Version,
    /// Freeze everything that needs the credential, because a copy may be in other hands
    ReportLost,
    /// Make a new credential key and identity; lifts a freeze
    RotateIdentity,
}

/// Runs one of them. Secrets: none; PIN; password.
pub(crate) async fn run(
    owner: &Owner,
    command: Credential,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    match command {
        Credential::Version => version(owner).await,
        Credential::ReportLost => {
            owner.report_lost(&secrets.current("PIN")?).await?;
            Ok(Output::done("Credential operations are frozen."))
        }
        Credential::RotateIdentity => {
            let password = secrets.current("Password")?;
            let rotated = owner
                .call_with_owner(&password, &RotateIdentity {}, None)
                .await?;
            let (identity, credential) = (hex(&rotated.identity_key), hex(&rotated.credential_key));
            Ok(Output::new(
                format!("identity key    {identity}\ncredential key  {credential}"),
                json!({ "identity_key": identity, "credential_key": credential }),
            ))
        }
    }
}

async fn version(owner: &Owner) -> Result<Output, Failure> {
    let report = owner.call(&Version {}).await?;
    let frozen = if report.frozen { ", frozen" } else { "" };
    let alarm = report.alarm.map_or_else(String::new, |at| {
        format!("\nA stale copy was presented at {}.", time::text(at))
    });
    Ok(Output::new(
        format!("Credential version {}{frozen}{alarm}", report.version),
        json!({
            "version": report.version,
            "frozen": report.frozen,
            "alarm": report.alarm.map(|at| at.0),
        }),
    ))
}
