//! Why a command on network files or governance keys fails.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use vettid_federation::address::BadAddress;
use vettid_wire::limits;
use vettid_wire::network_file::NetworkTextError;

/// Why a command is not carried out: which argument or file, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    /// An argument is no address of a bootstrap node or relay.
    #[error("{argument} {text:.80}: {why}: write it as /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…")]
    Address {
        /// Which.
        argument: &'static str,
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: BadAddress,
    },
    /// The network file would be none.
    #[error("no network file can be made of this: {0}")]
    Content(NetworkTextError),
    /// A file that would be written is there.
    #[error("{}: is there already and is not overwritten: name another file with --out", .0.display())]
    Exists(PathBuf),
    /// A file is no network file, or too few have signed it.
    #[error("{}: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: NetworkTextError,
    },
    /// An argument is not so many bytes in hexadecimal digits.
    #[error("{argument} {text:.80}: expected {digits} hexadecimal digits")]
    Hex {
        /// Which.
        argument: &'static str,
        /// What was given.
        text: String,
        /// How many it takes.
        digits: usize,
    },
    /// An argument is no accepted image.
    #[error(
        "--image {0:.80}: expected RELEASE:PCR0:PCR1:PCR2, a number and three times 96 hexadecimal digits"
    )]
    Image(String),
    /// A file cannot be read or written.
    #[error("{}: cannot be {access}: {cause}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Whether it was to be read or written.
        access: &'static str,
        /// What the system said.
        cause: ErrorKind,
    },
    /// What was read is no governance key.
    #[error("{0}: expected a governance key: 64 hexadecimal digits, or their 32 bytes")]
    Key(String),
    /// A file is larger than any network file.
    #[error("{}: too large for a network file", .0.display())]
    Large(PathBuf),
    /// An argument that a first file needs is missing.
    #[error("{0} is missing: a first network file needs it; a later one is made with --from")]
    Missing(&'static str),
    /// Others can read a governance key.
    #[error("{file}: others can read this governance key: run `chmod 600 {file}`", file = .0.display())]
    Open(PathBuf),
    /// The key can be had neither from the terminal nor from standard input.
    #[error("no governance key can be read here: {0}: name its file with --key-file")]
    Prompt(ErrorKind),
    /// A release that is retired cannot become anything else.
    #[error("release {0} is retired: it stays so; give the image another number")]
    Retired(u32),
    /// An argument is given too often.
    #[error("{0} is given too often: at most {max} are taken", max = limits::INTRODUCERS)]
    TooMany(&'static str),
    /// A release that should change its status is not in the file.
    #[error("release {0} is not in the file: add it with --image")]
    Unlisted(u32),
}

impl Fault {
    /// A file cannot be read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(path, READ)
    }

    /// A file cannot be written.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(path, WRITTEN)
    }

    /// A file cannot be made; one that is there stays.
    pub(crate) fn create(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| match error.kind() {
            ErrorKind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::write(path)(error),
        }
    }

    /// What a file says is not accepted.
    pub(crate) fn file(path: &Path) -> impl FnOnce(NetworkTextError) -> Self {
        move |why| Self::File {
            path: path.to_owned(),
            why,
        }
    }

    fn io(path: &Path, access: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            path: path.to_owned(),
            access,
            cause: error.kind(),
        }
    }
}

/// What was to be done with a file.
pub(crate) const READ: &str = "read";
const WRITTEN: &str = "written";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_where_it_is_wrong_and_what_to_do() {
        let path = || PathBuf::from("a.key");
        let said = [
            Fault::Exists(path()),
            Fault::Hex {
                argument: "--governance",
                text: "0g".into(),
                digits: 64,
            },
            Fault::Io {
                path: path(),
                access: WRITTEN,
                cause: ErrorKind::PermissionDenied,
            },
            Fault::Key("a.key".into()),
            Fault::Missing("--threshold"),
            Fault::Open(path()),
            Fault::TooMany("--relay"),
        ]
        .map(|fault| fault.to_string());

        assert_eq!(
            said,
            [
                "a.key: is there already and is not overwritten: name another file with --out",
                "--governance 0g: expected 64 hexadecimal digits",
                "a.key: cannot be written: permission denied",
                "a.key: expected a governance key: 64 hexadecimal digits, or their 32 bytes",
                "--threshold is missing: a first network file needs it; a later one is made with --from",
                "a.key: others can read this governance key: run `chmod 600 a.key`",
                "--relay is given too often: at most 64 are taken",
            ]
        );
    }
}
