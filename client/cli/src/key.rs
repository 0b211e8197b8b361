//! `key`: private keys that the owner signs with.

use std::path::PathBuf;

use clap::ValueEnum;
use data_encoding::HEXLOWER;
use serde_json::json;
use vettid_sdk::Owner;
use vettid_sdk::wire::Secret;
use vettid_sdk::wire::id::KeyId;
use vettid_sdk::wire::limits;
use vettid_sdk::wire::operation::key as wire;

use crate::failure::Failure;
use crate::output::{Output, table};
use crate::secrets::{SecretOptions, Secrets, whole_stdin};
use crate::time;

/// What to do with keys.
#[derive(Clone, Debug, Eq, PartialEq, clap::Subcommand)]
pub(crate) enum Key {
    /// Make a key
    Generate(Made),
    /// Take a private key over; it is asked for in hexadecimal, 32 bytes
    Import(Made),
    /// Every key
    List,
    /// One key
    Public {
        /// Its id
        id: KeyId,
    },
    /// Sign a message
    Sign {
        /// Id of the key
        id: KeyId,
        /// File that holds the message; without it, standard input does
        #[arg(long, value_name = "FILE")]
        message_file: Option<PathBuf>,
    },
    /// Destroy a key for good
    Remove {
        /// Its id
        id: KeyId,
    },
}

/// A key that is made or imported.
#[derive(Clone, Debug, Eq, PartialEq, clap::Args)]
pub(crate) struct Made {
    /// Algorithm
    #[arg(long, value_enum)]
    algorithm: Algorithm,
    /// Label, as you will see it
    #[arg(long)]
    label: String,
}

/// Algorithm of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Algorithm {
    /// Signatures, RFC 8032
    Ed25519,
    /// ECDSA with SHA-256 over P-256
    P256,
    /// ECDSA with SHA-256 over secp256k1
    Secp256k1,
    /// Key agreement, RFC 7748
    X25519,
}

impl From<Algorithm> for wire::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::P256 => Self::P256,
            Algorithm::Secp256k1 => Self::Secp256k1,
            Algorithm::X25519 => Self::X25519,
        }
    }
}

/// Runs one of them. Secrets: PIN to remove a key; password where a private key is used or made,
/// then the key to import.
pub(crate) async fn run(
    owner: &Owner,
    command: Key,
    secrets: &mut Secrets,
    options: SecretOptions,
) -> Result<Output, Failure> {
    match command {
        Key::List => list(owner).await,
        Key::Public { id } => Ok(shown(&owner.call(&wire::Public { id }).await?)),
        Key::Generate(Made { algorithm, label }) => {
            let password = secrets.current("Password")?;
            let request = wire::Generate {
                algorithm: algorithm.into(),
                label,
            };
            Ok(shown(
                &owner.call_with_owner(&password, &request, None).await?,
            ))
        }
        Key::Import(Made { algorithm, label }) => {
            let password = secrets.current("Password")?;
            let private = from_hex(&secrets.current("Private key (hexadecimal)")?)?;
            let request = wire::Import {
                algorithm: algorithm.into(),
                label,
            };
            Ok(shown(
                &owner.import_key(&password, &request, &private).await?,
            ))
        }
        Key::Sign { id, message_file } => {
            let message = message(message_file, options)?;
            let password = secrets.current("Password")?;
            let request = wire::Sign { id, message };
            let signed = owner.call_with_owner(&password, &request, None).await?;
            let signature = hex(&signed.signature);
            Ok(Output::new(
                signature.clone(),
                json!({ "signature": signature }),
            ))
        }
        Key::Remove { id } => {
            owner
                .call_with_pin(&secrets.current("PIN")?, &wire::Remove { id })
                .await?;
            Ok(Output::done("The key is destroyed."))
        }
    }
}

async fn list(owner: &Owner) -> Result<Output, Failure> {
    let keys = owner.call(&wire::List {}).await?.keys;
    let rows: Vec<_> = keys.iter().map(row).collect();
    let json: Vec<_> = keys.iter().map(to_json).collect();
    Ok(Output::new(table(&rows), json!({ "keys": json })))
}

fn shown(key: &wire::Key) -> Output {
    Output::new(table(&[row(key)]), to_json(key))
}

fn row(key: &wire::Key) -> Vec<String> {
    vec![
        key.id.to_string(),
        algorithm(key.algorithm).into(),
        hex(&key.public),
        time::text(key.created),
        key.label.clone(),
    ]
}

fn to_json(key: &wire::Key) -> serde_json::Value {
    json!({
        "id": key.id.to_string(),
        "label": key.label,
        "algorithm": algorithm(key.algorithm),
        "public": hex(&key.public),
        "created": key.created.0,
        "imported": key.imported,
    })
}

const fn algorithm(algorithm: wire::Algorithm) -> &'static str {
    match algorithm {
        wire::Algorithm::Ed25519 => "ed25519",
        wire::Algorithm::P256 => "p256",
        wire::Algorithm::Secp256k1 => "secp256k1",
        wire::Algorithm::X25519 => "x25519",
    }
}

fn message(file: Option<PathBuf>, options: SecretOptions) -> Result<Secret, Failure> {
    let Some(path) = file else {
        if Secrets::takes_stdin(options) {
            let message = "standard input carries secrets: name the message with --message-file";
            return Err(Failure::usage(message));
        }
        return whole_stdin("the message");
    };
    let unreadable = |error| {
        Failure::System(
            "message-file",
            format!("{} cannot be read: {error}", path.display()),
        )
    };
    let size = std::fs::metadata(&path).map_err(unreadable)?.len();
    if size > u64::try_from(limits::SIGN_MESSAGE).unwrap_or(u64::MAX) {
        let message = format!(
            "a message to sign has at most {} bytes",
            limits::SIGN_MESSAGE
        );
        return Err(Failure::usage(message));
    }
    std::fs::read(&path).map(Secret::new).map_err(unreadable)
}

fn from_hex(text: &Secret) -> Result<Secret, Failure> {
    let decoded = text.expose(|text| HEXLOWER.decode(&text.to_ascii_lowercase()));
    let private = decoded.map(Secret::new).unwrap_or_default();
    if private.len() == 32 {
        Ok(private)
    } else {
        Err(Failure::usage("a private key is 32 bytes in hexadecimal"))
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_key_is_32_bytes_of_hexadecimal() {
        assert!(from_hex(&"0A".repeat(32).as_str().into()).is_ok());
        for wrong in ["", "0a", "zz", &"0a".repeat(33)] {
            assert_eq!(
                from_hex(&wrong.into()).unwrap_err().exit_code(),
                2,
                "{wrong}"
            );
        }
    }
}
