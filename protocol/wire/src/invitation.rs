//! Invitations to a node: a link, or the same as a QR code.
//!
//! `vettid:invite?d=<data>` and `https://<node>/#<data>`: the secret part is in the fragment, which
//! browsers do not send. `data` is a bech32m string (`invite1…`) over deterministic CBOR.

use minicbor::{Decode, Encode};
use vettid_crypto::{InvitationSecret, Label, SecretBytes, derive, digest};

use crate::Secret;
use crate::id::{NetworkId, NodeId};
use crate::secret_text;
use crate::time::UnixMillis;

/// An invitation, as its link carries it. Whoever holds it can enroll once.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Invitation {
    /// Address of the node's HTTP API, `http://` or `https://`.
    #[n(0)]
    pub address: String,
    /// Network that the node belongs to.
    #[n(1)]
    pub network: NetworkId,
    /// Secret, 32 bytes.
    #[n(2)]
    pub secret: Secret,
    /// Identity that the node must attest.
    #[n(3)]
    pub node: NodeId,
    /// Not usable after this.
    #[n(4)]
    pub expires: UnixMillis,
}

/// Text is no invitation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an invitation, or mistyped")]
pub struct NotAnInvitation;

/// What the two halves of an invitation's secret prove, and to whom.
pub struct Halves {
    /// Sent to the node's HTTP API.
    pub host: InvitationSecret,
    /// Sent to the vault inside the session.
    pub vault: InvitationSecret,
}

impl Halves {
    /// Splits an invitation's secret. Neither half tells the other.
    #[must_use]
    pub fn of(secret: &InvitationSecret) -> Self {
        Self {
            host: derive::key(secret, Label::InvitationHost, &[]),
            vault: derive::key(secret, Label::InvitationVault, &[]),
        }
    }
}

/// What a host stores of a half.
#[must_use]
pub fn stored(half: &InvitationSecret) -> [u8; 32] {
    half.expose(|bytes| digest::sha256(bytes))
}

impl Invitation {
    /// The link that opens the app.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{SCHEME}{}", self.text())
    }

    /// The link for a browser.
    #[must_use]
    pub fn web_link(&self) -> String {
        format!("{}/#{}", self.address.trim_end_matches('/'), self.text())
    }

    /// Reads either link, or the bare data. Longer addresses than [`ADDRESS`] do not fit a link.
    pub fn parse(text: &str) -> Result<Self, NotAnInvitation> {
        let text = text.trim();
        let after_fragment = text.rsplit_once('#').map_or(text, |(_, data)| data);
        let data = after_fragment
            .strip_prefix(SCHEME)
            .unwrap_or(after_fragment);
        let invitation: Self = secret_text::decode(PREFIX, data).ok_or(NotAnInvitation)?;
        if invitation.secret.len() == 32 {
            Ok(invitation)
        } else {
            Err(NotAnInvitation)
        }
    }

    fn text(&self) -> String {
        secret_text::encode(PREFIX, self)
    }
}

const SCHEME: &str = "vettid:invite?d=";
const PREFIX: &str = "invite";
/// Bytes of the longest address that fits a link.
pub const ADDRESS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NetworkKind;

    fn invitation() -> Invitation {
        Invitation {
            address: "http://127.0.0.1:8080".into(),
            network: NetworkId {
                kind: NetworkKind::Emulated,
                anchors: [2; 32],
            },
            secret: Secret::new(vec![7; 32]),
            node: NodeId([3; 32]),
            expires: UnixMillis(1_800_000_000_000),
        }
    }

    #[test]
    fn every_form_of_the_link_comes_back() {
        let invitation = invitation();
        for text in [
            invitation.link(),
            invitation.web_link(),
            format!(" {}\n", invitation.link()),
        ] {
            assert_eq!(Invitation::parse(&text), Ok(invitation.clone()));
        }
    }

    #[test]
    fn longest_address_fits() {
        let address = format!("https://{}", "a".repeat(ADDRESS - 8));
        let invitation = Invitation {
            address,
            ..invitation()
        };

        assert_eq!(Invitation::parse(&invitation.link()), Ok(invitation));
    }

    #[test]
    fn mistyped_cut_or_foreign_text_is_refused() {
        let link = invitation().link();
        let mut mistyped = link.clone();
        let last = mistyped.pop().expect("not empty");
        mistyped.push(if last == 'q' { 'p' } else { 'q' });

        for text in [
            mistyped.as_str(),
            &link[..40],
            "",
            "vettid:invite?d=",
            "https://example.org/",
            &"q".repeat(5000),
        ] {
            assert_eq!(Invitation::parse(text), Err(NotAnInvitation), "{text}");
        }
    }

    #[test]
    fn secret_of_another_length_is_refused() {
        let short = Invitation {
            secret: Secret::new(vec![7; 31]),
            ..invitation()
        };

        assert_eq!(Invitation::parse(&short.link()), Err(NotAnInvitation));
    }

    #[test]
    fn halves_differ_from_each_other_and_from_the_secret() {
        let secret = InvitationSecret::from_bytes([1; 32]);
        let halves = Halves::of(&secret);

        assert_ne!(stored(&halves.host), stored(&halves.vault));
        assert_ne!(stored(&halves.host), stored(&secret));
    }

    #[test]
    fn secret_is_not_printed() {
        assert!(format!("{:?}", invitation()).contains("Secret(..)"));
    }
}
