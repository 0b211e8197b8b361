//! The network file: checked here only so that a mistake shows early; apps check it themselves.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use vettid_wire::id::NetworkId;
use vettid_wire::network::{
    Network, NetworkError, ReferenceValue, ReleaseStatus, SignedNetwork, TrustRoot,
};
use vettid_wire::network_file::{NetworkText, NetworkTextError};

use crate::folder::write_private;

/// A network file whose signatures were checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkFile {
    /// Which network.
    pub id: NetworkId,
    /// Encoding of the signed file, as the enclave and apps take it.
    pub signed: Vec<u8>,
    /// What attestation documents of the network chain to.
    pub trust_root: TrustRoot,
    /// PCR0 of every accepted image.
    pub images: Vec<[u8; 48]>,
    /// Every release, retired ones too.
    pub releases: Vec<ReferenceValue>,
    /// Releases below this are refused.
    pub release_floor: u32,
    /// Grows with every file of the network.
    pub epoch: u64,
    /// Multiaddrs of bootstrap nodes.
    pub bootstrap: Vec<String>,
    /// Multiaddrs of relays.
    pub relays: Vec<String>,
}

/// What a network file says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Shown {
    /// Id of the network.
    pub id: String,
    /// Grows with every file of the network.
    pub epoch: u64,
    /// Releases below this are refused.
    pub release_floor: u32,
    /// PCR0 of every accepted image, hexadecimal.
    pub images: Vec<String>,
    /// Multiaddrs of bootstrap nodes.
    pub bootstrap: Vec<String>,
    /// Multiaddrs of relays.
    pub relays: Vec<String>,
}

/// Why a network file is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkFileError {
    /// It is of another network than this node's.
    #[error(
        "the network file is of another network than this node's: make a new node for that one with \
         `vettid-node init --network`"
    )]
    Foreign,
    /// It cannot be read.
    #[error("the network file cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// Its signed part is not acceptable.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// The file of this name is not usable.
    #[error("{path}: {why}: {}", why.remedy())]
    Named {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        why: Box<Self>,
    },
    /// A newer file is here already.
    #[error("this node has a newer network file, of epoch {0}")]
    Older(u64),
    /// Its text is not that of a network file.
    #[error("{0}")]
    Text(#[from] NetworkTextError),
}

impl NetworkFileError {
    /// What to do about a file that was named.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Io(error) if error.kind() != ErrorKind::InvalidData => {
                "name a network file that is there and can be read"
            }
            Self::Io(_) | Self::Text(NetworkTextError::Syntax(_)) => {
                "name the `network.toml` that whoever runs the network hands out"
            }
            Self::Network(NetworkError::Signatures | NetworkError::TooFew { .. })
            | Self::Text(NetworkTextError::Network(
                NetworkError::Signatures | NetworkError::TooFew { .. },
            )) => {
                "it counts once holders of its governance keys have signed it \
                 (`vettid-bootstrap network sign`)"
            }
            _ => "take it anew from whoever runs the network",
        }
    }
}

impl NetworkFile {
    /// Reads and checks the file at `path`.
    pub fn read(path: &Path) -> Result<Self, NetworkFileError> {
        let read = std::fs::read_to_string(path).map_err(NetworkFileError::from);
        read.and_then(|text| Self::parse(&text))
            .map_err(|why| NetworkFileError::Named {
                path: path.display().to_string(),
                why: Box::new(why),
            })
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Self, NetworkFileError> {
        Self::verified(NetworkText::parse(text)?.verified()?)
    }

    /// Checks the encoding of a signed file.
    pub fn verified(signed: Vec<u8>) -> Result<Self, NetworkFileError> {
        let network = SignedNetwork::verify(&signed)?;
        Ok(Self {
            id: network.id(),
            images: accepted(&network),
            trust_root: network.trust_root,
            releases: network.reference_values,
            release_floor: network.release_floor,
            epoch: network.epoch,
            bootstrap: network.bootstrap,
            relays: network.relays,
            signed,
        })
    }

    /// Whether it names anybody to meet.
    #[must_use]
    pub fn names_others(&self) -> bool {
        !self.bootstrap.is_empty() || !self.relays.is_empty()
    }

    /// As an operator sees it.
    #[must_use]
    pub fn shown(&self) -> Shown {
        Shown {
            id: self.id.to_string(),
            epoch: self.epoch,
            release_floor: self.release_floor,
            images: self.images.iter().map(|pcr| HEXLOWER.encode(pcr)).collect(),
            bootstrap: self.bootstrap.clone(),
            relays: self.relays.clone(),
        }
    }

    /// As it lies in a node folder.
    pub fn to_toml(&self) -> Result<String, NetworkFileError> {
        Ok(NetworkText::from_signed(&self.signed)?.to_toml())
    }

    /// As it travels in JSON.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.signed)
    }
}

fn accepted(network: &Network) -> Vec<[u8; 48]> {
    let values = network.reference_values.iter();
    values
        .filter(|value| {
            value.status != ReleaseStatus::Retired && value.release >= network.release_floor
        })
        .map(|value| value.pcr0)
        .collect()
}

/// The network file of a running node, which a newer one can take the place of. Cheap to clone.
#[derive(Clone)]
pub struct NetworkPlace {
    path: PathBuf,
    current: Arc<watch::Sender<NetworkFile>>,
    writing: Arc<Mutex<()>>,
}

impl NetworkPlace {
    /// The file at `path`, which was read as `current`.
    #[must_use]
    pub fn new(path: PathBuf, current: NetworkFile) -> Self {
        Self {
            path,
            current: Arc::new(watch::channel(current).0),
            writing: Arc::default(),
        }
    }

    /// The file that is here now.
    #[must_use]
    pub fn current(&self) -> NetworkFile {
        self.current.borrow().clone()
    }

    /// The file, and every newer one.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<NetworkFile> {
        self.current.subscribe()
    }

    /// Takes a file of the same network if its epoch is higher; false if it is the one that is
    /// here.
    pub async fn take_newer(&self, newer: NetworkFile) -> Result<bool, NetworkFileError> {
        let _writing = self.writing.lock().await;
        {
            let current = self.current.borrow();
            if newer.id != current.id {
                return Err(NetworkFileError::Foreign);
            }
            if newer.signed == current.signed {
                return Ok(false);
            }
            if newer.epoch <= current.epoch {
                return Err(NetworkFileError::Older(current.epoch));
            }
        }
        write(&self.path, &newer)?;
        tracing::info!(epoch = newer.epoch, "a newer network file is in use");
        self.current.send_replace(newer);
        Ok(true)
    }

    /// Takes the file of another network; the caller knows that nothing binds this node to its own.
    pub(crate) async fn take_other(&self, other: NetworkFile) -> Result<(), NetworkFileError> {
        let _writing = self.writing.lock().await;
        write(&self.path, &other)?;
        self.current.send_replace(other);
        Ok(())
    }
}

/// Writes a network file in place of the one at `path`, through a link to it.
fn write(path: &Path, file: &NetworkFile) -> Result<(), NetworkFileError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Ok(write_private(&target, file.to_toml()?.as_bytes())?)
}
