//! `enroll`: from an invitation to an open vault.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use vettid_sdk::transport::Dialer;
use vettid_sdk::wire::connect::ConnectInvitation;
use vettid_sdk::wire::invitation::Invitation;
use vettid_sdk::{Entry, SystemClock, check};

use crate::failure::Failure;
use crate::home;
use crate::invitation::text;
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

/// The invitation of a link, which may be of another kind.
fn invitation(link: &str) -> Result<Invitation, Failure> {
    Invitation::parse(link).map_err(|_| {
        let why = match ConnectInvitation::parse(link) {
            Ok(_) => {
                "this invites to connect with an owner: a vault that is set up accepts it, by \
                 `vettid invitation accept`"
            }
            Err(_) => "this is no invitation, or it is mistyped",
        };
        Failure::Usage("not-an-invitation", why.into())
    })
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
    let invitation = invitation(&link)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::wire::Secret;
    use vettid_sdk::wire::connect::Class;
    use vettid_sdk::wire::home::HomeNode;
    use vettid_sdk::wire::id::{NetworkId, NetworkKind, NodeId, VaultId};
    use vettid_sdk::wire::time::UnixMillis;

    #[test]
    fn link_that_invites_to_connect_is_told_apart() {
        let to_connect = ConnectInvitation {
            network: NetworkId {
                kind: NetworkKind::Emulated,
                anchors: [2; 32],
            },
            vault: VaultId([1; 32]),
            home: HomeNode {
                node: NodeId([3; 32]),
                peers: vec![vec![4; 38].into()],
                addresses: vec!["/ip4/192.0.2.1/tcp/4440".into()],
            },
            token: Secret::new(vec![5; 32]),
            commitment: [6; 32],
            expires: UnixMillis(0),
            class: Class::Remote,
        };
        for (link, wanted) in [
            (to_connect.link(), "vettid invitation accept"),
            ("vettid:invite?d=invite1xyz".to_owned(), "mistyped"),
        ] {
            let refused = invitation(&link).unwrap_err();
            assert_eq!(refused.exit_code(), 2);
            assert!(refused.message().contains(wanted), "{link}");
        }
    }
}
