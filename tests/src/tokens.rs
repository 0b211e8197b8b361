//! Bus tokens, read and forged with the keys in a node's folder.

use std::path::Path;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use vettid_crypto::digest::sha256;

/// What a token claims.
///
/// # Panics
/// When it is no token.
#[must_use]
pub fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).expect("three parts");
    let body = BASE64URL_NOPAD.decode(body.as_bytes()).expect("base64");
    serde_json::from_slice(&body).expect("JSON")
}

/// The same token with an earlier end, signed with the node's own key: what a day later would be.
///
/// # Panics
/// When the node's key cannot be read.
#[must_use]
pub fn expiring(node: &Path, token: &str, expires: u64) -> String {
    let mut claims = claims(token);
    claims["exp"] = json!(expires);
    sign(node, claims)
}

/// A user that hears everything the bus carries, made with the node's own key: what a curious host
/// can always make.
///
/// # Panics
/// When the node's key cannot be read.
#[must_use]
pub fn listener(node: &Path) -> (KeyPair, String) {
    let user = KeyPair::new_user();
    let account = std::fs::read_to_string(node.join("bus/account.seed")).expect("account key");
    let account = KeyPair::from_seed(account.trim())
        .expect("a seed")
        .public_key();
    let now = crate::raw::now().seconds();
    let issuer = signing_key(node).public_key();
    let claims = json!({
        "sub": user.public_key(), "iss": issuer, "iat": now, "name": "listener",
        "nats": {
            "type": "user", "version": 2, "issuer_account": account,
            "pub": { "deny": [">"] }, "sub": { "allow": ["OwnerSpace.>"] },
            "subs": -1, "data": -1, "payload": -1,
        },
    });
    (user, sign(node, claims))
}

/// Signs claims with the key that the node signs device tokens with.
fn sign(node: &Path, mut claims: Value) -> String {
    claims["jti"] = json!(BASE32_NOPAD.encode(&sha256(claims.to_string().as_bytes())));
    let head = json!({ "typ": "JWT", "alg": "ed25519-nkey" }).to_string();
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let signed = format!("{}.{}", part(&head), part(&claims.to_string()));
    let signature = signing_key(node)
        .sign(signed.as_bytes())
        .expect("a signature");
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn signing_key(node: &Path) -> KeyPair {
    let seed = std::fs::read_to_string(node.join("bus/signing.seed")).expect("signing key");
    KeyPair::from_seed(seed.trim()).expect("a seed")
}
