//! Invitations from one owner to another: a link, or the same as a QR code.
//!
//! `vettid:connect?d=<data>`; `data` is a bech32m string (`connect1…`) over deterministic CBOR. The
//! link commits to the key that the inviting vault will show, and says where that vault is, so
//! that the accepting vault needs no directory.

use minicbor::{Decode, Encode};

use crate::Secret;
use crate::home::HomeNode;
use crate::id::{NetworkId, VaultId};
use crate::secret_text;
use crate::time::UnixMillis;

/// An invitation to connect, as its link carries it. Usable once.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ConnectInvitation {
    /// Network of the inviting vault's node.
    #[n(0)]
    pub network: NetworkId,
    /// The inviting vault.
    #[n(1)]
    pub vault: VaultId,
    /// Where it is: one node, with at most [`ADDRESSES`] addresses.
    #[n(2)]
    pub home: HomeNode,
    /// Secret that names the invitation to its vault, 32 bytes.
    #[n(3)]
    pub token: Secret,
    /// Digest of the key that the inviting vault will show.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub commitment: [u8; 32],
    /// Not usable after this.
    #[n(5)]
    pub expires: UnixMillis,
    /// How it is handed over.
    #[n(6)]
    pub class: Class,
}

/// How an invitation is handed over.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Class {
    /// From screen to camera: lives ten minutes.
    #[n(0)]
    InPerson,
    /// By message or mail: lives up to seven days.
    #[n(1)]
    Remote,
}

/// Text is no invitation to connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an invitation to connect, or mistyped")]
pub struct NotAnInvitation;

impl ConnectInvitation {
    /// The link that opens the app.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{SCHEME}{}", secret_text::encode(PREFIX, self))
    }

    /// Reads the link, or the bare data.
    pub fn parse(text: &str) -> Result<Self, NotAnInvitation> {
        let text = text.trim();
        let data = text.strip_prefix(SCHEME).unwrap_or(text);
        let invitation: Self = secret_text::decode(PREFIX, data).ok_or(NotAnInvitation)?;
        let home = &invitation.home;
        let fits = home.is_bounded() && home.addresses.len() <= ADDRESSES;
        if fits && invitation.token.len() == 32 {
            Ok(invitation)
        } else {
            Err(NotAnInvitation)
        }
    }
}

/// Addresses in a link.
pub const ADDRESSES: usize = 3;
/// Bytes of all addresses in a link together, so that it stays within a QR code.
pub const ADDRESS_BYTES: usize = 240;
const SCHEME: &str = "vettid:connect?d=";
const PREFIX: &str = "connect";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{NetworkKind, NodeId};

    fn invitation() -> ConnectInvitation {
        ConnectInvitation {
            network: NetworkId {
                kind: NetworkKind::Emulated,
                anchors: [2; 32],
            },
            vault: VaultId([1; 32]),
            home: HomeNode {
                node: NodeId([3; 32]),
                peers: vec![vec![4; 38].into()],
                addresses: vec!["/x".repeat(ADDRESS_BYTES / 6); ADDRESSES],
            },
            token: Secret::new(vec![5; 32]),
            commitment: [6; 32],
            expires: UnixMillis(1_800_000_000_000),
            class: Class::Remote,
        }
    }

    #[test]
    fn longest_link_comes_back() {
        let link = invitation().link();

        assert!(link.starts_with("vettid:connect?d=connect1"));
        assert_eq!(ConnectInvitation::parse(&link), Ok(invitation()));
        assert_eq!(
            ConnectInvitation::parse(&format!(" {link}\n")),
            Ok(invitation())
        );
    }

    #[test]
    fn mistyped_cut_or_foreign_text_is_refused() {
        let link = invitation().link();
        let mut mistyped = link.clone();
        let last = mistyped.pop().expect("not empty");
        mistyped.push(if last == 'q' { 'p' } else { 'q' });

        for text in [
            &mistyped,
            &link[..60],
            "",
            "vettid:connect?d=",
            &"q".repeat(5000),
        ] {
            assert_eq!(
                ConnectInvitation::parse(text),
                Err(NotAnInvitation),
                "{text}"
            );
        }
    }

    #[test]
    fn token_of_another_length_or_too_many_addresses_are_refused() {
        let short = ConnectInvitation {
            token: Secret::new(vec![5; 31]),
            ..invitation()
        };
        let mut many = invitation();
        many.home.addresses = vec!["/x".into(); ADDRESSES + 1];

        for bad in [short, many] {
            assert_eq!(ConnectInvitation::parse(&bad.link()), Err(NotAnInvitation));
        }
    }

    #[test]
    fn token_is_not_printed() {
        assert!(format!("{:?}", invitation()).contains("Secret(..)"));
    }
}
