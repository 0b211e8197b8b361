//! NATS JWTs (version 2 claims): encoding and signing.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use nkeys::KeyPair;
use serde_json::{Map, Value, json};
use vettid_crypto::digest::sha256;

/// The one header NATS knows.
const HEADER: &str = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// What a token says besides its kind's own claims.
pub(super) struct Claims<'a> {
    /// Public key the token is about.
    pub(super) subject: &'a str,
    /// Shown in the server's own reports; never an owner's id.
    pub(super) name: &'a str,
    /// Unix seconds.
    pub(super) issued: u64,
    /// Unix seconds; none does not expire.
    pub(super) expires: Option<u64>,
    /// `operator`, `account` or `user`.
    pub(super) kind: &'a str,
    /// The claims of that kind.
    pub(super) nats: Map<String, Value>,
}

/// The token could not be signed: the key holds no seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a bus key cannot sign")]
pub struct SignError;

impl Claims<'_> {
    /// The signed token in its text form.
    pub(super) fn sign(mut self, issuer: &KeyPair) -> Result<String, SignError> {
        self.nats.insert("type".to_owned(), self.kind.into());
        self.nats.insert("version".to_owned(), 2.into());
        let mut claims = json!({
            "iat": self.issued,
            "iss": issuer.public_key(),
            "sub": self.subject,
            "name": self.name,
            "nats": self.nats,
        });
        if let (Some(expires), Some(claims)) = (self.expires, claims.as_object_mut()) {
            claims.insert("exp".to_owned(), expires.into());
        }
        let id = BASE32_NOPAD.encode(&sha256(claims.to_string().as_bytes()));
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("jti".to_owned(), id.into());
        }
        let header = BASE64URL_NOPAD.encode(HEADER.as_bytes());
        let input = format!(
            "{header}.{}",
            BASE64URL_NOPAD.encode(claims.to_string().as_bytes())
        );
        let signature = issuer.sign(input.as_bytes()).map_err(|_| SignError)?;
        Ok(format!("{input}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}
