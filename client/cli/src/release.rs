//! `release`: which release of the enclave the vault is at, and may move to.

use serde_json::{Value, json};
use vettid_sdk::Owner;
use vettid_sdk::wire::operation::release::{Offered, Status, StatusReport};

use crate::failure::Failure;
use crate::key::hex;
use crate::output::{Output, table};
use crate::secrets::Secrets;

/// What to do with releases.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Release {
    /// Which release serves the vault, which one is offered, which one is approved
    Status,
    /// Let the vault move to the release that is offered; it never moves back
    Approve {
        /// Number of the release
        release: u32,
    },
}

/// Runs one of them. Secrets: none; password.
pub(crate) async fn run(
    owner: &Owner,
    command: Release,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    let report = owner.call(&Status {}).await?;
    let release = match command {
        Release::Status => return Ok(Output::new(text(&report), to_json(&report))),
        Release::Approve { release } => release,
    };
    let offered = report.offered.filter(|offered| offered.release == release);
    let Some(offered) = offered else {
        let why = match report.offered {
            Some(offered) => format!("the node offers release {}", offered.release),
            None => "the node offers no later release".to_owned(),
        };
        return Err(Failure::usage(format!(
            "release {release} is not offered: {why}"
        )));
    };
    let password = secrets.current("Password")?;
    owner.approve_release(&password, offered).await?;
    Ok(Output::done(format!(
        "The vault may move to release {release}. It moves when its node runs that release and a PIN \
         is tried there."
    )))
}

fn to_json(report: &StatusReport) -> Value {
    let offered = report.offered.as_ref().map(|offered| {
        let [pcr0, pcr1, pcr2] = registers(offered);
        json!({ "release": offered.release, "pcr0": pcr0, "pcr1": pcr1, "pcr2": pcr2 })
    });
    json!({
        "running": report.running,
        "offered": offered,
        "approved": report.approved,
    })
}

fn text(report: &StatusReport) -> String {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let number = |number: Option<u32>| number.map_or_else(|| "none".into(), |n| n.to_string());
    let offered = report.offered.as_ref();
    let mut rows = vec![
        row("serves", report.running.to_string()),
        row("offered", number(offered.map(|offered| offered.release))),
        row("approved", number(report.approved)),
    ];
    if let Some(offered) = offered {
        let names = ["PCR0", "PCR1", "PCR2"];
        let registers = names.into_iter().zip(registers(offered));
        rows.extend(registers.map(|(name, value)| row(name, value)));
    }
    table(&rows)
}

fn registers(offered: &Offered) -> [String; 3] {
    [&offered.pcr0, &offered.pcr1, &offered.pcr2].map(|register| hex(register))
}
