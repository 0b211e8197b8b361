//! `network.toml`: a network file as text.
//!
//! ```toml
//! id = "net1…"
//! signed = "…"        # base64 of an encoded SignedNetwork: what counts
//!
//! [readable]          # the same for people; a file whose readable part says otherwise is refused
//! epoch = 1
//! …
//! ```
//!
//! A file that nobody has signed yet carries `draft`, the encoded content, in place of `signed`. Each
//! governance key signs those bytes, and a file counts once enough have.

use data_encoding::{BASE64, HEXLOWER};
use toml::{Table, Value};

use crate::cbor;
use crate::id::NetworkId;
use crate::limits;
use crate::network::{GovernanceKey, Network, NetworkError, SignedNetwork, TrustRoot};
use crate::signed::SignedBytes;
use vettid_crypto::sign::SigningKey;

/// A network file, whether or not enough have signed it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkText {
    network: Network,
    signatures: Vec<SignedBytes>,
    signers: Vec<GovernanceKey>,
}

/// Why text is no network file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkTextError {
    /// Its signed part is not acceptable.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Its readable part, or its id, is not what is signed.
    #[error("`{0}` is not what is signed")]
    Untrue(String),
    /// Not TOML, or what counts is missing or not base64.
    #[error("not a network file: {0}")]
    Syntax(String),
    /// The key is not one of its governance keys.
    #[error("the key is not one of the network's governance keys")]
    NotGovernance,
}

impl NetworkText {
    /// A file that nobody has signed yet.
    pub fn draft(network: Network) -> Result<Self, NetworkTextError> {
        if !network.is_usable() {
            return Err(NetworkError::Empty.into());
        }
        if cbor::encode(&network).len() > LARGEST {
            return Err(NetworkError::Large.into());
        }
        Ok(Self {
            network,
            signatures: Vec::new(),
            signers: Vec::new(),
        })
    }

    /// Reads a file, of whose signatures there may be too few.
    pub fn parse(text: &str) -> Result<Self, NetworkTextError> {
        if text.len() > LONGEST {
            return Err(NetworkError::Large.into());
        }
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            NetworkTextError::Syntax(error.message().to_owned())
        })?;
        let bytes = |key: &str| {
            let text = table.get(key)?.as_str()?;
            Some(BASE64.decode(text.as_bytes()))
        };
        let decoded = |bytes: Result<Vec<u8>, _>, key| {
            bytes.map_err(|_| NetworkTextError::Syntax(format!("`{key}` is not base64")))
        };
        let file = match (bytes("signed"), bytes("draft")) {
            (Some(signed), None) => Self::from_signed(&decoded(signed, "signed")?)?,
            (None, Some(draft)) => {
                let network = cbor::decode(&decoded(draft, "draft")?);
                Self::draft(network.map_err(|_| NetworkError::Malformed)?)?
            }
            _ => return Err(NetworkTextError::Syntax("`signed` is missing".into())),
        };
        file.check_readable(&table)?;
        Ok(file)
    }

    /// Takes the encoding of a signed file.
    pub fn from_signed(bytes: &[u8]) -> Result<Self, NetworkTextError> {
        let (network, signers) = SignedNetwork::signed(bytes)?;
        let SignedNetwork(signatures) = cbor::decode(bytes).map_err(|_| NetworkError::Malformed)?;
        Ok(Self {
            network,
            signatures,
            signers,
        })
    }

    /// Signs it with one more governance key; signing twice changes nothing.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), NetworkTextError> {
        let signer = GovernanceKey(key.verifying_key().0);
        if !self.network.governance.contains(&signer) {
            return Err(NetworkTextError::NotGovernance);
        }
        if !self.signers.contains(&signer) {
            // In the order of the signers: the same signatures are one file, whoever was the last.
            let place = self.signers.iter().position(|other| other.0 > signer.0);
            let place = place.unwrap_or(self.signers.len());
            self.signatures.insert(place, self.network.sign(key));
            self.signers.insert(place, signer);
        }
        Ok(())
    }

    /// What it says.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Its network.
    #[must_use]
    pub fn id(&self) -> NetworkId {
        self.network.id()
    }

    /// Governance keys that have signed it.
    #[must_use]
    pub fn signers(&self) -> &[GovernanceKey] {
        &self.signers
    }

    /// Its encoding as it travels, if enough have signed it.
    pub fn verified(&self) -> Result<Vec<u8>, NetworkError> {
        let bytes = cbor::encode(&SignedNetwork(self.signatures.clone()));
        SignedNetwork::verify(&bytes).map(|_| bytes)
    }

    /// Its text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let (key, bytes) = if self.signatures.is_empty() {
            ("draft", cbor::encode(&self.network))
        } else {
            (
                "signed",
                cbor::encode(&SignedNetwork(self.signatures.clone())),
            )
        };
        let head = Table::from_iter([
            ("id".to_owned(), Value::from(self.id().to_string())),
            (key.to_owned(), Value::from(BASE64.encode(&bytes))),
        ]);
        let body =
            Table::from_iter([("readable".to_owned(), Value::from(readable(&self.network)))]);
        format!(
            "# Network file. `{key}` is what counts; `readable` says the same for people.\n\
             {head}\n{body}"
        )
    }

    /// What a person reads must be true.
    fn check_readable(&self, table: &Table) -> Result<(), NetworkTextError> {
        let untrue = |key: &str| Err(NetworkTextError::Untrue(key.to_owned()));
        if table.get("id").and_then(Value::as_str) != Some(self.id().to_string().as_str()) {
            return untrue("id");
        }
        let true_ones = readable(&self.network);
        let shown = match table.get("readable") {
            None => return Ok(()),
            Some(Value::Table(shown)) => shown,
            Some(_) => return untrue("readable"),
        };
        let wrong = shown
            .iter()
            .find(|(key, value)| true_ones.get(*key) != Some(*value));
        wrong.map_or(Ok(()), |(key, _)| untrue(&format!("readable.{key}")))
    }
}

/// What a file says, for people.
fn readable(network: &Network) -> Table {
    let texts = |texts: &[String]| Value::from(texts.to_vec());
    let keys: Vec<String> = network
        .governance
        .iter()
        .map(|key| HEXLOWER.encode(&key.0))
        .collect();
    let root = match &network.trust_root {
        TrustRoot::Nitro => "nitro".to_owned(),
        TrustRoot::Emulated(certificate) => {
            let digest = vettid_crypto::digest::sha256(certificate);
            format!("emulated {}", HEXLOWER.encode(&digest))
        }
    };
    let images: Vec<Value> = network
        .reference_values
        .iter()
        .map(|value| {
            Value::from(Table::from_iter([
                ("release".to_owned(), Value::from(i64::from(value.release))),
                ("status".to_owned(), Value::from(value.status.as_str())),
                ("pcr0".to_owned(), Value::from(HEXLOWER.encode(&value.pcr0))),
                ("pcr1".to_owned(), Value::from(HEXLOWER.encode(&value.pcr1))),
                ("pcr2".to_owned(), Value::from(HEXLOWER.encode(&value.pcr2))),
            ]))
        })
        .collect();
    Table::from_iter([
        (
            "epoch".to_owned(),
            Value::from(i64::try_from(network.epoch).unwrap_or(i64::MAX)),
        ),
        (
            "release_floor".to_owned(),
            Value::from(i64::from(network.release_floor)),
        ),
        (
            "threshold".to_owned(),
            Value::from(i64::from(network.threshold)),
        ),
        ("trust_root".to_owned(), Value::from(root)),
        ("governance".to_owned(), texts(&keys)),
        ("bootstrap".to_owned(), texts(&network.bootstrap)),
        ("relays".to_owned(), texts(&network.relays)),
        ("images".to_owned(), Value::from(images)),
    ])
}

/// Content of a file, bytes; its signers repeat it.
const LARGEST: usize = limits::NETWORK_FILE / 2;
/// Text of a file, bytes: base64, and the same for people.
const LONGEST: usize = 4 * limits::NETWORK_FILE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{ReferenceValue, ReleaseStatus};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn network() -> Network {
        let public = |seed| GovernanceKey(key(seed).verifying_key().0);
        Network {
            trust_root: TrustRoot::Emulated(vec![1, 2, 3]),
            governance: vec![public(1), public(2), public(3)],
            threshold: 2,
            reference_values: vec![ReferenceValue {
                release: 1,
                pcr0: [1; 48],
                pcr1: [2; 48],
                pcr2: [3; 48],
                status: ReleaseStatus::Active,
            }],
            release_floor: 1,
            epoch: 7,
            bootstrap: vec!["/ip4/192.0.2.1/tcp/4001".into()],
            relays: vec![],
        }
    }

    fn again(file: &NetworkText) -> NetworkText {
        NetworkText::parse(&file.to_toml()).expect("comes back")
    }

    #[test]
    fn draft_is_signed_by_one_after_the_other_until_it_counts() {
        let draft = NetworkText::draft(network()).expect("usable");
        let mut file = again(&draft);
        assert_eq!(file.verified(), Err(NetworkError::Signatures));

        file.sign(&key(1)).expect("signs");
        file.sign(&key(1)).expect("signs again");
        let mut file = again(&file);
        let too_few = NetworkError::TooFew {
            signed: 1,
            needed: 2,
        };
        assert_eq!(file.signers().len(), 1);
        assert_eq!(file.verified(), Err(too_few));

        file.sign(&key(3)).expect("signs");
        let bytes = again(&file).verified().expect("counts");
        assert_eq!(SignedNetwork::verify(&bytes), Ok(network()));
        assert_eq!(NetworkText::from_signed(&bytes), Ok(file));
    }

    #[test]
    fn order_of_signing_makes_no_other_file() {
        let mut files = [[1, 2, 3], [3, 1, 2], [2, 3, 1]].map(|order| {
            let mut file = NetworkText::draft(network()).expect("usable");
            for seed in order {
                file = again(&file);
                file.sign(&key(seed)).expect("signs");
            }
            file
        });

        assert!(files[0].signers().is_sorted_by_key(|key| key.0));
        files.rotate_left(1);
        assert_eq!(files[0], files[1]);
        assert_eq!(files[1], files[2]);
    }

    #[test]
    fn signature_is_over_the_exact_encoding_of_the_content() {
        let mut file = NetworkText::draft(network()).expect("usable");
        file.sign(&key(1)).expect("signs");

        let signed =
            crate::signed::verify(vettid_crypto::Label::NetworkFile, &file.signatures[0].0);
        let (payload, signer) = signed.expect("verifies");
        assert_eq!(payload, cbor::encode(&network()));
        assert_eq!(signer, key(1).verifying_key());
    }

    #[test]
    fn foreign_key_does_not_sign() {
        let mut file = NetworkText::draft(network()).expect("usable");

        assert_eq!(file.sign(&key(9)), Err(NetworkTextError::NotGovernance));
    }

    #[test]
    fn text_that_says_other_things_than_what_is_signed_is_refused() {
        let mut file = NetworkText::draft(network()).expect("usable");
        file.sign(&key(1)).expect("signs");
        let text = file.to_toml();
        let with = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            NetworkText::parse(&text.replace(from, to))
        };
        let untrue = |key: &str| Err(NetworkTextError::Untrue(key.into()));

        assert_eq!(with("epoch = 7", "epoch = 8"), untrue("readable.epoch"));
        assert_eq!(with("192.0.2.1", "192.0.2.2"), untrue("readable.bootstrap"));
        assert_eq!(
            with("pcr0 = \"01", "pcr0 = \"02"),
            untrue("readable.images")
        );
        assert_eq!(
            with("threshold = 2", "threshold = 2\nsafe = true"),
            untrue("readable.safe")
        );
        assert_eq!(with("id = \"emulated1", "id = \"emulated1x"), untrue("id"));
    }

    #[test]
    fn text_without_a_readable_part_counts_all_the_same() {
        let mut file = NetworkText::draft(network()).expect("usable");
        file.sign(&key(1)).expect("signs");
        let text = file.to_toml();
        let (head, _) = text.split_once("[readable]").expect("readable part");

        assert_eq!(NetworkText::parse(head), Ok(file));
    }

    #[test]
    fn what_is_no_network_file_is_refused() {
        let syntax =
            |text: &str| matches!(NetworkText::parse(text), Err(NetworkTextError::Syntax(_)));

        assert!(syntax("") && syntax("id = ") && syntax("signed = \"%\""));
        assert!(syntax("signed = \"\"\ndraft = \"\""));
        assert_eq!(
            NetworkText::parse(&"#".repeat(LONGEST + 1)),
            Err(NetworkError::Large.into())
        );
        let empty = Network {
            reference_values: vec![],
            ..network()
        };
        assert_eq!(NetworkText::draft(empty), Err(NetworkError::Empty.into()));
    }
}
