//! Where a device keeps its keys, its credential and the newest head.

pub(crate) mod file;
mod format;
mod state;

use std::path::PathBuf;

use vettid_wire::request::Head;

pub use file::FileKeystore;
pub use state::{BusAccess, DeviceKeys, Enrollment, Pending, State};

/// Where a device keeps what it must not lose.
///
/// What `save` and `save_head` took must survive the loss of power once they return, or not be
/// there at all. The head is kept apart because it changes with every write to the vault.
pub trait Keystore: Send + 'static {
    /// What is kept, if anything is.
    fn load(&mut self) -> Result<Option<Kept>, KeystoreError>;
    /// Replaces the state.
    fn save(&mut self, state: &State) -> Result<(), KeystoreError>;
    /// Replaces the newest head.
    fn save_head(&mut self, head: Head) -> Result<(), KeystoreError>;
}

/// What a keystore holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The state.
    pub state: State,
    /// The newest head that the device has seen.
    pub head: Option<Head>,
}

/// Why a keystore cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The device is set up already.
    #[error("this device is enrolled already: use another home folder for another vault")]
    AlreadyEnrolled,
    /// Another program uses the folder.
    #[error(
        "another vettid command is using {0}: wait until it is done, or end it if it is a --watch"
    )]
    Busy(PathBuf),
    /// The file has been changed or cut short.
    #[error("{0} is damaged: restore it from a copy")]
    Damaged(PathBuf),
    /// The file is something else.
    #[error("{0} is not a file of vettid: choose another home folder")]
    Foreign(PathBuf),
    /// The system refused.
    #[error("{path} cannot be used: {reason}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A newer program wrote the file.
    #[error("{0} was written by a newer vettid: update this one")]
    Newer(PathBuf),
    /// The device is not set up.
    #[error("this device is not enrolled: run `vettid enroll` with an invitation")]
    NotEnrolled,
    /// Others may read what only the owner should.
    #[error("{0} can be read by others: make it private (chmod go= {0})")]
    Open(PathBuf),
    /// An earlier enrollment may have made a vault, and has not heard the answer.
    #[error("an enrollment with another invitation is almost complete: repeat it with that one")]
    OtherEnrollment,
    /// Enrollment was not completed.
    #[error("enrollment is not complete: run `vettid enroll` with the same invitation again")]
    Unfinished,
}

impl KeystoreError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::AlreadyEnrolled => "already-enrolled-here",
            Self::Busy(_) => "home-busy",
            Self::Damaged(_) => "home-damaged",
            Self::Foreign(_) => "home-foreign",
            Self::Io { .. } => "home-io",
            Self::Newer(_) => "home-newer",
            Self::NotEnrolled => "not-enrolled-here",
            Self::Open(_) => "home-not-private",
            Self::OtherEnrollment => "other-enrollment",
            Self::Unfinished => "enrollment-unfinished",
        }
    }
}

/// A keystore that forgets with its process: for tests and measurements.
#[derive(Debug, Default)]
pub struct MemoryKeystore(Option<Kept>);

impl Keystore for MemoryKeystore {
    fn load(&mut self) -> Result<Option<Kept>, KeystoreError> {
        Ok(self.0.clone())
    }

    fn save(&mut self, state: &State) -> Result<(), KeystoreError> {
        let head = self.0.as_ref().and_then(|kept| kept.head);
        self.0 = Some(Kept {
            state: state.clone(),
            head,
        });
        Ok(())
    }

    fn save_head(&mut self, head: Head) -> Result<(), KeystoreError> {
        if let Some(kept) = &mut self.0 {
            kept.head = Some(head);
        }
        Ok(())
    }
}
