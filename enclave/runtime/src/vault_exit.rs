//! How a vault process says why it ended: by its exit code.

use vettid_wire::link::Closed;

/// Why a vault process ended by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum VaultExit {
    /// It was told to close, or its socket was closed.
    Told = 0,
    /// A record was not stored: what it held is void.
    AppendRefused = 10,
    /// Its log cannot be used.
    Damaged = 11,
    /// Enrollment took too long.
    EnrollmentExpired = 12,
    /// The owner locked it.
    Locked = 13,
    /// The supervisor sent what is no frame.
    NoFrame = 14,
    /// A bug: a panic was caught.
    Panicked = 15,
}

impl VaultExit {
    const ALL: [Self; 7] = [
        Self::Told,
        Self::AppendRefused,
        Self::Damaged,
        Self::EnrollmentExpired,
        Self::Locked,
        Self::NoFrame,
        Self::Panicked,
    ];

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Meaning of an exit code; none for one that no vault process chooses.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// What the host is told; none when it is not for the process to say.
    #[must_use]
    pub const fn closed(self) -> Option<Closed> {
        match self {
            Self::Told => None,
            Self::AppendRefused => Some(Closed::AppendRefused),
            Self::Damaged => Some(Closed::Damaged),
            Self::EnrollmentExpired => Some(Closed::EnrollmentExpired),
            Self::Locked => Some(Closed::Locked),
            Self::NoFrame | Self::Panicked => Some(Closed::Crashed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::FailedStep;

    #[test]
    fn every_code_comes_back_and_none_is_a_sandbox_steps() {
        for exit in VaultExit::ALL {
            assert_eq!(VaultExit::from_code(exit.code()), Some(exit));
            assert_eq!(FailedStep::from_exit_code(exit.code()), None);
        }
        assert_eq!(VaultExit::from_code(200), None);
    }
}
