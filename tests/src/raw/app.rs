//! One device: its keys, and what the node gave it.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use nkeys::KeyPair;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_crypto::{InvitationSecret, SecretBytes};
use vettid_wire::Secret;
use vettid_wire::http::{Credentials, Enroll, Renew, renewal_text};
use vettid_wire::id::{DeviceRoute, NodeId, SpaceId};
use vettid_wire::invitation::{Halves, Invitation};
use vettid_wire::network::{Network, SignedNetwork};
use vettid_wire::subject;

use super::{BusLine, Fault, RawSession, SystemEntropy, http, now};

/// How long a vault may take to answer, unless a scenario says otherwise.
pub const ANSWER: Duration = Duration::from_secs(20);

/// A device that redeemed an invitation.
pub struct RawApp {
    /// Key on the bus.
    pub user: KeyPair,
    /// Key that speaks for it to the vault.
    pub device: SigningKey,
    /// Static key of its sessions.
    pub session_key: X25519Secret,
    /// Node's HTTP API.
    pub http: SocketAddr,
    /// The node's bus.
    pub bus: SocketAddr,
    /// What the node gave it.
    pub jwt: String,
    /// Its vault's space.
    pub space: SpaceId,
    /// Its route.
    pub route: DeviceRoute,
    /// The node whose enclave it wants.
    pub node: NodeId,
    /// Its network, as signed.
    pub network: Network,
    /// Vault's half of the invitation.
    pub token: Secret,
}

impl RawApp {
    /// Redeems an invitation with new keys.
    ///
    /// # Errors
    /// When the node refuses it.
    pub fn redeem(link: &str) -> Result<Self, Fault> {
        Self::redeem_as(link, KeyPair::new_user())
    }

    /// Redeems an invitation with this key on the bus.
    ///
    /// # Errors
    /// When the node refuses it.
    pub fn redeem_as(link: &str, user: KeyPair) -> Result<Self, Fault> {
        let invitation = Invitation::parse(link).map_err(|_| Fault::Malformed("invitation"))?;
        let http = address_of(&invitation.address)?;
        let halves = halves(&invitation)?;
        let token = halves.host.expose(|half| BASE64URL_NOPAD.encode(half));
        let body = Enroll {
            token,
            user: user.public_key(),
        };
        let answer = http::request(http, "POST", "/v1/enroll", Some(&body));
        let given: Credentials = answer.map_err(|_| Fault::Closed)?.read()?;
        let signed = BASE64.decode(given.network.as_bytes());
        let signed = signed.map_err(|_| Fault::Malformed("network file"))?;
        let network = SignedNetwork::verify_as(&signed, invitation.network);
        Ok(Self {
            user,
            device: SigningKey::generate(&mut SystemEntropy),
            session_key: X25519Secret::generate(&mut SystemEntropy),
            http,
            bus: bus_of(&given)?,
            jwt: given.jwt,
            space: given.space.parse().map_err(|_| Fault::Malformed("space"))?,
            route: given
                .device
                .parse()
                .map_err(|_| Fault::Malformed("route"))?,
            node: invitation.node,
            network: network.map_err(|_| Fault::Malformed("network file"))?,
            token: halves.vault.expose(|half| Secret::new(half.to_vec())),
        })
    }

    /// Gets a fresh token for the bus.
    ///
    /// # Errors
    /// When the node refuses.
    pub fn renew(&mut self) -> Result<(), Fault> {
        let (user, time) = (self.user.public_key(), now().0);
        let signature = self.user.sign(&renewal_text(&user, time));
        let signature = signature.map_err(|_| Fault::Malformed("key"))?;
        let body = Renew {
            user,
            time,
            signature: BASE64URL_NOPAD.encode(&signature),
        };
        let answer = http::request(self.http, "POST", "/v1/credentials", Some(&body));
        let given: Credentials = answer.map_err(|_| Fault::Closed)?.read()?;
        self.jwt = given.jwt;
        Ok(())
    }

    /// Connects to the bus and hears its own subject.
    ///
    /// # Errors
    /// When the bus refuses.
    pub fn line(&self) -> Result<BusLine, Fault> {
        let mut line = BusLine::connect(self.bus, &self.jwt, &self.user)?;
        line.subscribe(&subject::for_app(self.space, self.route))?;
        Ok(line)
    }

    /// Opens a session with the vault.
    ///
    /// # Errors
    /// When the bus, the node or the vault refuses.
    pub fn open(&self) -> Result<RawSession, Fault> {
        self.open_within(ANSWER)
    }

    /// Opens a session with less patience.
    ///
    /// # Errors
    /// When the bus, the node or the vault refuses, or does not answer in time.
    pub fn open_within(&self, patience: Duration) -> Result<RawSession, Fault> {
        RawSession::open(self, self.line()?, patience)
    }
}

/// The two halves of an invitation's secret.
///
/// # Errors
/// When it has another length.
fn halves(invitation: &Invitation) -> Result<Halves, Fault> {
    let secret = invitation
        .secret
        .expose(|bytes| <[u8; 32]>::try_from(bytes));
    let secret = secret.map_err(|_| Fault::Malformed("invitation"))?;
    Ok(Halves::of(&InvitationSecret::from_bytes(secret)))
}

fn bus_of(given: &Credentials) -> Result<SocketAddr, Fault> {
    let nats = given.bus.iter().find(|url| url.starts_with("nats://"));
    address_of(nats.ok_or(Fault::Malformed("address of the bus"))?)
}

fn address_of(url: &str) -> Result<SocketAddr, Fault> {
    let (_, address) = url.split_once("://").ok_or(Fault::Malformed("address"))?;
    address
        .trim_end_matches('/')
        .parse()
        .map_err(|_| Fault::Malformed("address"))
}
