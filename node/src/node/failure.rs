//! Why a node does not start.

use crate::addresses::Taken;
use crate::bus::credentials::CredentialsError;
use crate::bus::revocation::PublishError;
use crate::bus::{BusError, SignError, VersionError};
use crate::config::ConfigError;
use crate::database::OpenError;
use crate::enclave_link::BadAddress;
use crate::folder::FolderError;
use crate::http::TlsError;
use crate::network::NetworkFileError;

/// Why a node does not start. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The enclave's address is none.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The node cannot use its bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// `node.toml` is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Keys of the bus are not usable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The folder is not usable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be written, or a part not be started.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] Taken),
    /// The network file is not usable.
    #[error(transparent)]
    Network(#[from] NetworkFileError),
    /// The account of the bus cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A bus key cannot sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A certificate is not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `nats-server` is missing or too old.
    #[error(transparent)]
    Version(#[from] VersionError),
}

pub(super) fn blame(what: &'static str) -> impl FnOnce(std::io::Error) -> StartError {
    move |cause| StartError::Io { what, cause }
}
