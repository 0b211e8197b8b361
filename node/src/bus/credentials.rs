//! Keys of the bus and what they sign: the chain operator, account, user.
//!
//! ```text
//! operator ─signs─▶ system account ─signs─▶ system user      pushes account updates
//!          ─signs─▶ OwnerSpace account ─names─▶ signing key ─signs─▶ node user, device users
//! ```
//!
//! Seeds live in the node folder, mode 0600. The node's own users exist in memory only and are made
//! anew at every start.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use nkeys::{KeyPair, KeyPairType};
use serde_json::{Map, Value, json};
use vettid_wire::id::{DeviceRoute, SpaceId};
use vettid_wire::time::SECOND;
use vettid_wire::{limits, subject};

use super::token::{Claims, SignError};
use crate::entropy::random;
use crate::folder::{read_private, write_private};

/// Subscriptions of one device: its own subject and an inbox, with room for a reconnect.
const DEVICE_SUBSCRIPTIONS: i64 = 8;

/// Claims that account updates are pushed to.
pub const CLAIMS_UPDATE: &str = "$SYS.REQ.CLAIMS.UPDATE";

/// Inbox of the system user.
pub const SYSTEM_INBOX: &str = "_INBOX_system";

/// What is wrong with the keys in the folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A file is missing, unreadable or open to others.
    #[error("bus key file {file}: {cause}")]
    File {
        /// Name below the folder.
        file: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// A file holds something else.
    #[error("bus key file {0} does not hold a seed of its kind")]
    NotASeed(&'static str),
    /// A key cannot sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Every key of the bus that outlives a start.
pub struct Credentials {
    operator: KeyPair,
    system: KeyPair,
    account: KeyPair,
    signing: KeyPair,
    operator_token: String,
    system_token: String,
}

/// A user of the bus: its key, and the token that says what it may do.
pub struct User {
    /// Signs the server's challenge.
    pub key: KeyPair,
    /// Presented to the server.
    pub token: String,
}

impl Credentials {
    /// Makes new keys and writes them below `folder`, which must exist.
    pub fn create(folder: &Path, now: u64) -> Result<Self, CredentialsError> {
        let operator = generate(KeyPairType::Operator);
        let system = generate(KeyPairType::Account);
        let operator_token = operator_token(&operator, &system, now)?;
        let system_token = system_token(&operator, &system, now)?;
        let account = generate(KeyPairType::Account);
        let signing = generate(KeyPairType::Account);
        for (file, key) in SEEDS
            .into_iter()
            .zip([&operator, &system, &account, &signing])
        {
            write(folder, file.0, &key.seed().map_err(|_| SignError)?)?;
        }
        write(folder, OPERATOR_TOKEN, &operator_token)?;
        write(folder, SYSTEM_TOKEN, &system_token)?;
        Ok(Self {
            operator,
            system,
            account,
            signing,
            operator_token,
            system_token,
        })
    }

    /// Reads the keys that [`Self::create`] wrote.
    pub fn load(folder: &Path) -> Result<Self, CredentialsError> {
        let [operator, system, account, signing] = SEEDS.map(|file| seed(folder, file));
        Ok(Self {
            operator: operator?,
            system: system?,
            account: account?,
            signing: signing?,
            // The server ignores a reload whose operator token differs in a byte.
            operator_token: read(folder, OPERATOR_TOKEN)?,
            system_token: read(folder, SYSTEM_TOKEN)?,
        })
    }

    /// Public keys of system and OwnerSpace account.
    pub(super) fn accounts(&self) -> (String, String) {
        (self.system.public_key(), self.account.public_key())
    }

    /// The stored tokens of operator and system account.
    pub(super) fn tokens(&self) -> (&str, &str) {
        (&self.operator_token, &self.system_token)
    }

    /// Token of the OwnerSpace account: its limits and the users revoked in it.
    pub fn account_token(
        &self,
        now: u64,
        connections: u32,
        revoked: &BTreeMap<String, u64>,
    ) -> Result<String, SignError> {
        let nothing = json!({ "deny": [">"] });
        let claims = json!({
            "limits": {
                "subs": -1, "data": -1, "payload": limits::ENVELOPE,
                "imports": 0, "exports": 0, "wildcards": false,
                "conn": connections, "leaf": 0,
            },
            "signing_keys": [self.signing.public_key()],
            "default_permissions": { "pub": nothing, "sub": nothing },
            "revocations": revoked,
        });
        self.sign(
            &self.operator,
            &self.account.public_key(),
            "OwnerSpace",
            now,
            None,
            "account",
            claims,
        )
    }

    /// The node's own user: hears every vault's subject, speaks on every app's.
    pub fn node_user(&self, now: u64) -> Result<User, SignError> {
        let key = generate(KeyPairType::User);
        let token = self.user_token(UserRights {
            user: &key.public_key(),
            name: "node",
            publish: vec![subject::EVERY_APP.to_owned()],
            subscribe: vec![subject::EVERY_VAULT.to_owned()],
            subscriptions: 4,
            connections: &["STANDARD"],
            issued: now,
            expires: None,
        })?;
        Ok(User { key, token })
    }

    /// The user that pushes account updates, of the system account.
    pub fn system_user(&self, now: u64) -> Result<User, SignError> {
        let key = generate(KeyPairType::User);
        let claims = json!({
            "pub": { "allow": [CLAIMS_UPDATE] },
            "sub": { "allow": [format!("{SYSTEM_INBOX}.>")] },
            "subs": 4, "data": -1, "payload": -1,
            "allowed_connection_types": ["STANDARD"],
        });
        let user = key.public_key();
        let token = self.sign(&self.system, &user, "system", now, None, "user", claims)?;
        Ok(User { key, token })
    }

    /// Token of one device: exactly its two subjects and its private inbox, for 24 h.
    pub fn device_token(
        &self,
        user: &str,
        space: SpaceId,
        device: DeviceRoute,
        issued: u64,
    ) -> Result<String, SignError> {
        let lifetime = limits::BUS_CREDENTIAL / SECOND;
        self.user_token(UserRights {
            user,
            name: "device",
            publish: vec![subject::for_vault(space)],
            subscribe: vec![
                subject::for_app(space, device),
                format!("{}.>", subject::inbox(device)),
            ],
            subscriptions: DEVICE_SUBSCRIPTIONS,
            connections: &["STANDARD", "WEBSOCKET"],
            issued,
            expires: Some(issued.saturating_add(lifetime)),
        })
    }

    fn user_token(&self, rights: UserRights<'_>) -> Result<String, SignError> {
        let claims = json!({
            "pub": { "allow": rights.publish },
            "sub": { "allow": rights.subscribe },
            "subs": rights.subscriptions, "data": -1, "payload": limits::ENVELOPE,
            "allowed_connection_types": rights.connections,
            "issuer_account": self.account.public_key(),
        });
        let UserRights {
            user,
            name,
            issued,
            expires,
            ..
        } = rights;
        self.sign(&self.signing, user, name, issued, expires, "user", claims)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call shape for every kind of token"
    )]
    fn sign(
        &self,
        issuer: &KeyPair,
        subject: &str,
        name: &str,
        issued: u64,
        expires: Option<u64>,
        kind: &str,
        nats: Value,
    ) -> Result<String, SignError> {
        Claims {
            subject,
            name,
            issued,
            expires,
            kind,
            nats: members(nats),
        }
        .sign(issuer)
    }
}

/// What a user of the OwnerSpace account may do.
struct UserRights<'a> {
    user: &'a str,
    name: &'a str,
    publish: Vec<String>,
    subscribe: Vec<String>,
    subscriptions: i64,
    connections: &'a [&'a str],
    issued: u64,
    expires: Option<u64>,
}

/// Whether `text` is the public key of a bus user.
#[must_use]
pub fn is_user_key(text: &str) -> bool {
    text.starts_with('U') && KeyPair::from_public_key(text).is_ok()
}

/// Whether the holder of the user key `public` signed `bytes`.
#[must_use]
pub fn user_signed(public: &str, bytes: &[u8], signature: &[u8]) -> bool {
    is_user_key(public)
        && KeyPair::from_public_key(public).is_ok_and(|key| key.verify(bytes, signature).is_ok())
}

fn operator_token(operator: &KeyPair, system: &KeyPair, now: u64) -> Result<String, SignError> {
    let nats = members(json!({ "system_account": system.public_key() }));
    let subject = &operator.public_key();
    Claims {
        subject,
        name: "node",
        issued: now,
        expires: None,
        kind: "operator",
        nats,
    }
    .sign(operator)
}

fn system_token(operator: &KeyPair, system: &KeyPair, now: u64) -> Result<String, SignError> {
    let nats = members(json!({
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": 8, "leaf": 0,
        },
    }));
    let subject = &system.public_key();
    Claims {
        subject,
        name: "system",
        issued: now,
        expires: None,
        kind: "account",
        nats,
    }
    .sign(operator)
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn generate(kind: KeyPairType) -> KeyPair {
    // A fixed-size seed is always accepted; the crate's own generator is the other way to a key.
    let fallback = kind.clone();
    KeyPair::new_from_raw(kind, random()).unwrap_or_else(|_| KeyPair::new(fallback))
}

/// File and first two letters of the seed in it.
const SEEDS: [(&str, &str); 4] = [
    ("operator.seed", "SO"),
    ("system.seed", "SA"),
    ("account.seed", "SA"),
    ("signing.seed", "SA"),
];
const OPERATOR_TOKEN: &str = "operator.jwt";
const SYSTEM_TOKEN: &str = "system.jwt";

fn seed(folder: &Path, (file, kind): (&'static str, &str)) -> Result<KeyPair, CredentialsError> {
    let text = read(folder, file)?;
    if !text.starts_with(kind) {
        return Err(CredentialsError::NotASeed(file));
    }
    KeyPair::from_seed(&text).map_err(|_| CredentialsError::NotASeed(file))
}

fn read(folder: &Path, file: &'static str) -> Result<String, CredentialsError> {
    read_private(&folder.join(file))
        .map(|text| text.trim().to_owned())
        .map_err(|cause| CredentialsError::File { file, cause })
}

fn write(folder: &Path, file: &'static str, text: &str) -> Result<(), CredentialsError> {
    write_private(&folder.join(file), text.as_bytes())
        .map_err(|cause| CredentialsError::File { file, cause })
}
