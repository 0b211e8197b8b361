//! Why a file was not sent or saved.

use std::path::{Path, PathBuf};

use crate::error::Actor;

/// Why a file was not sent or saved.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentFault {
    /// A chunk is not what the sender sealed.
    #[error(
        "part {0} of the attachment was altered on its way: nothing of it was kept; ask for the file anew"
    )]
    Altered(u32),
    /// The file was changed between its first and its last chunk.
    #[error("{0} was changed while it was sent: send it again")]
    Changed(PathBuf),
    /// There is a file already.
    #[error("{0} is there already: choose another name")]
    Exists(PathBuf),
    /// The system refused.
    #[error("{path} cannot be used: {reason}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// What the message says of the attachment cannot be.
    #[error("the message does not describe an attachment that can be fetched")]
    Malformed,
    /// The sender's node does not have a chunk.
    #[error(
        "part {0} of the attachment is not at its sender's node any more: ask for the file anew"
    )]
    Missing(u32),
    /// A folder, a device or something else that has no end.
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    /// No other node can reach the vault's node.
    #[error("the vault's node is in no network: nobody could fetch the file")]
    NoNetwork,
    /// Larger than an attachment can be.
    #[error("the file has {size} bytes; an attachment has at most {most}")]
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// Bytes of the largest attachment.
        most: u64,
    },
}

impl AttachmentFault {
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io {
            path: path.to_path_buf(),
            reason: error.to_string(),
        }
    }

    pub(crate) const fn actor(&self) -> Actor {
        match self {
            Self::Altered(_) | Self::Missing(_) | Self::NoNetwork => Actor::Operator,
            Self::Changed(_)
            | Self::Exists(_)
            | Self::Io { .. }
            | Self::Malformed
            | Self::NotAFile(_)
            | Self::TooLarge { .. } => Actor::Owner,
        }
    }

    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Altered(_) => "attachment-altered",
            Self::Changed(_) => "file-changed",
            Self::Exists(_) => "file-exists",
            Self::Io { .. } => "file",
            Self::Malformed => "attachment-malformed",
            Self::Missing(_) => "attachment-missing",
            Self::NotAFile(_) => "not-a-file",
            Self::NoNetwork => "no-network",
            Self::TooLarge { .. } => "file-too-large",
        }
    }
}
