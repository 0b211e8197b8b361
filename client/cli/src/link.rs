//! The two kinds of links: one invites to a node, the other to connect with an owner.

use vettid_sdk::wire::connect::ConnectInvitation;
use vettid_sdk::wire::invitation::Invitation;

use crate::failure::Failure;

/// What a link to a node says.
pub(crate) fn to_a_node(text: &str) -> Result<Invitation, Failure> {
    Invitation::parse(text).map_err(|error| {
        refused(match ConnectInvitation::parse(text) {
            Ok(_) => {
                "this invites to connect with an owner: a vault that is set up accepts it, by \
                 `vettid invitation accept`"
                    .to_owned()
            }
            Err(_) => error.to_string(),
        })
    })
}

/// What a link to connect says.
pub(crate) fn to_connect(text: &str) -> Result<ConnectInvitation, Failure> {
    ConnectInvitation::parse(text).map_err(|error| {
        refused(match Invitation::parse(text) {
            Ok(_) => {
                "this invites to a node: a vault is set up with it, by `vettid enroll`".to_owned()
            }
            Err(_) => error.to_string(),
        })
    })
}

/// The link itself is a secret, and is not shown.
fn refused(why: String) -> Failure {
    Failure::Usage("not-an-invitation", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::wire::Secret;
    use vettid_sdk::wire::connect::Class;
    use vettid_sdk::wire::home::HomeNode;
    use vettid_sdk::wire::id::{NetworkId, NetworkKind, NodeId, VaultId};
    use vettid_sdk::wire::time::UnixMillis;

    const NETWORK: NetworkId = NetworkId {
        kind: NetworkKind::Emulated,
        anchors: [2; 32],
    };

    #[test]
    fn links_of_the_other_kind_are_told_apart_from_mistyped_ones() {
        let node = Invitation {
            address: "http://127.0.0.1:8440".into(),
            network: NETWORK,
            secret: Secret::new(vec![7; 32]),
            node: NodeId([1; 32]),
            expires: UnixMillis(0),
        };
        let connect = ConnectInvitation {
            network: NETWORK,
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
        assert_eq!(to_a_node(&node.link()).unwrap(), node);
        assert_eq!(to_connect(&connect.link()).unwrap(), connect);
        for (refused, wanted) in [
            (
                to_a_node(&connect.link()).unwrap_err(),
                "vettid invitation accept",
            ),
            (to_connect(&node.link()).unwrap_err(), "vettid enroll"),
            (
                to_a_node("vettid:invite?d=invite1xyz").unwrap_err(),
                "mistyped",
            ),
            (
                to_connect("vettid:connect?d=connect1xyz").unwrap_err(),
                "mistyped",
            ),
        ] {
            assert_eq!(refused.exit_code(), 2);
            assert_eq!(refused.to_json()["error"]["code"], "not-an-invitation");
            assert!(refused.message().contains(wanted), "{}", refused.message());
        }
    }
}
