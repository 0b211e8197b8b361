//! Which `nats-server` is good enough.

use std::fmt;
use std::path::Path;

use tokio::process::Command;

/// A released version, for example 2.15.1.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ServerVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

/// Why a program is not used as the bus.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// The program does not run.
    #[error(
        "{0}: nats-server cannot be run: install 2.12.7 or newer (not 2.13), or name it with \
         bus.program in node.toml or VETTID_NATS_SERVER"
    )]
    NotFound(String),
    /// The version has known holes.
    #[error("nats-server {0} is refused: 2.12.7 or newer is needed, and 2.13 is not maintained")]
    Refused(ServerVersion),
    /// The program says something else than a version.
    #[error("{0}: this does not report the version of a nats-server")]
    Unreadable(String),
}

impl ServerVersion {
    /// Asks `program` and accepts 2.12.7 and later except 2.13.
    pub async fn check(program: &Path) -> Result<Self, VersionError> {
        let asked = Command::new(program)
            .arg("--version")
            .kill_on_drop(true)
            .output();
        let shown = || program.display().to_string();
        let output = asked.await.map_err(|_| VersionError::NotFound(shown()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = Self::parse(&text).ok_or_else(|| VersionError::Unreadable(shown()))?;
        if version.is_accepted() {
            Ok(version)
        } else {
            Err(VersionError::Refused(version))
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix("nats-server: v")?;
        let released = digits.split('-').next()?;
        let mut numbers = released.split('.').map(str::parse::<u32>);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        })
    }

    fn is_accepted(self) -> bool {
        let oldest = Self {
            major: 2,
            minor: 12,
            patch: 7,
        };
        self >= oldest && (self.major, self.minor) != (2, 13)
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &str) -> Option<bool> {
        ServerVersion::parse(text).map(ServerVersion::is_accepted)
    }

    #[test]
    fn versions_with_known_holes_are_refused() {
        assert_eq!(accepted("nats-server: v2.9.10\n"), Some(false));
        assert_eq!(accepted("nats-server: v2.12.6"), Some(false));
        assert_eq!(accepted("nats-server: v2.13.4"), Some(false));
    }

    #[test]
    fn maintained_versions_are_accepted() {
        assert_eq!(accepted("nats-server: v2.12.7"), Some(true));
        assert_eq!(accepted("nats-server: v2.14.0"), Some(true));
        assert_eq!(accepted("nats-server: v2.15.1"), Some(true));
        assert_eq!(accepted("nats-server: v3.0.0-beta.1"), Some(true));
    }

    #[test]
    fn another_programs_output_is_no_version() {
        assert_eq!(accepted("GNU bash, version 5.2"), None);
        assert_eq!(accepted("nats-server: v2.x"), None);
    }
}
