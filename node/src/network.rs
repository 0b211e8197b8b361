//! The network file: checked here only so that a mistake shows early; apps check it themselves.

use std::path::Path;

use data_encoding::BASE64;
use serde::Deserialize;
use vettid_wire::id::NetworkId;
use vettid_wire::network::{NetworkError, SignedNetwork};

/// A network file whose signatures were checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkFile {
    /// Which network.
    pub id: NetworkId,
    /// Encoding of the signed file, as the enclave and apps take it.
    pub signed: Vec<u8>,
    /// PCR0 of every accepted image.
    pub images: Vec<[u8; 48]>,
}

/// Why a network file is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkFileError {
    /// The readable id is not that of the signed content.
    #[error("network.toml: its id is not that of what is signed")]
    Id,
    /// It cannot be read.
    #[error("network.toml cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Its signed part is not acceptable.
    #[error("network.toml: {0}")]
    Network(#[from] NetworkError),
    /// Its signed part is not base64.
    #[error("network.toml: `signed` is not base64")]
    Signed,
    /// Not TOML.
    #[error("network.toml: {0}")]
    Syntax(#[from] toml::de::Error),
}

/// What counts in the file; the rest is for people.
#[derive(Deserialize)]
struct Text {
    id: String,
    signed: String,
}

impl NetworkFile {
    /// Reads and checks the file at `path`.
    pub fn read(path: &Path) -> Result<Self, NetworkFileError> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Self, NetworkFileError> {
        let text: Text = toml::from_str(text)?;
        let signed = BASE64
            .decode(text.signed.as_bytes())
            .map_err(|_| NetworkFileError::Signed)?;
        let network = SignedNetwork::verify(&signed)?;
        let id = network.id();
        if text.id.parse() != Ok(id) {
            return Err(NetworkFileError::Id);
        }
        let images = network
            .reference_values
            .iter()
            .map(|value| value.pcr0)
            .collect();
        Ok(Self { id, signed, images })
    }

    /// As it travels in JSON.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.signed)
    }
}
