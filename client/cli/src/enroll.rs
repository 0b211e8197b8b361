//! `enroll`: from an invitation to an open vault.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use vettid_sdk::transport::Dialer;
use vettid_sdk::{Entry, SystemClock, check};

use crate::failure::Failure;
use crate::home;
use crate::invitation::text;
use crate::link;
use crate::output::Output;
use crate::secrets::Secrets;

/// Set up a vault with an invitation, or go on where that was interrupted.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Enroll {
    /// Invitation, as the node's operator gave it; `-` to be asked for it, as for a secret
    #[arg(value_name = "LINK")]
    link: String,
    /// Name of this device, as you will see it
    #[arg(long, value_name = "NAME", default_value = "command line")]
    device_name: String,
}

/// Sets up a vault. Secrets: the link if it is `-`, PIN, password.
pub(crate) async fn run(
    folder: &Path,
    arguments: Enroll,
    secrets: &mut Secrets,
) -> Result<Output, Failure> {
    let link = match arguments.link.as_str() {
        "-" => text(&secrets.current("Invitation link")?)?,
        link => link.to_owned(),
    };
    let invitation = link::to_a_node(&link)?;
    let keystore = home::keystore(folder)?;
    check::device_name(&arguments.device_name)?;
    let pin = secrets.fresh("PIN (6 to 32 digits)", check::pin)?;
    let password = secrets.fresh("Password (at least 8 characters)", check::password)?;
    let entry = Entry {
        invitation,
        device_name: arguments.device_name,
        pin,
        password,
    };
    let owner = vettid_sdk::enroll(keystore, Dialer, Arc::new(SystemClock), &entry).await?;
    let vault = owner.vault().map(|vault| vault.to_string());
    let (network, node) = (entry.invitation.network, entry.invitation.node);
    let device = owner.device()?;
    let name = vault.clone().unwrap_or_default();
    Ok(Output::new(
        format!("Your vault {name} is set up and open."),
        json!({
            "vault": vault,
            "device": device.to_string(),
            "node": node.to_string(),
            "network": network.to_string(),
        }),
    ))
}
