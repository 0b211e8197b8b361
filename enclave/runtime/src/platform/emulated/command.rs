//! The command line of the emulated enclave.
//!
//! ```text
//! vettid-enclave-emulated create-network --folder F [--update]
//! vettid-enclave-emulated run --socket S --folder F
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Folder, FolderError, PlatformError, measure_program, network, wall_clock};

/// How it is used.
pub const USAGE: &str = "usage: vettid-enclave-emulated create-network --folder F [--update]\n       \
                         vettid-enclave-emulated run --socket S --folder F";

/// What to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Make a folder with a one-node network, or sign its network file anew for this program.
    CreateNetwork {
        /// The folder.
        folder: PathBuf,
        /// Whether it is there already and only its network file changes.
        update: bool,
    },
    /// Run the enclave.
    Run {
        /// Path of the socket that the host connects to.
        socket: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
}

impl Command {
    /// Reads the arguments, without the program's name. None when they make no command.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let verb = arguments.next()?;
        let (mut folder, mut socket, mut update) = (None, None, false);
        while let Some(argument) = arguments.next() {
            let place = match argument.to_str()? {
                "--folder" => &mut folder,
                "--socket" => &mut socket,
                "--update" if !update => {
                    update = true;
                    continue;
                }
                _ => return None,
            };
            if place.replace(PathBuf::from(arguments.next()?)).is_some() {
                return None;
            }
        }
        match (verb.to_str()?, folder, socket, update) {
            ("create-network", Some(folder), None, update) => {
                Some(Self::CreateNetwork { folder, update })
            }
            ("run", Some(folder), Some(socket), false) => Some(Self::Run { socket, folder }),
            _ => None,
        }
    }
}

/// Makes or updates a network; its id.
///
/// # Errors
/// When the folder exists already, or does not where it must.
pub fn create_network(path: &Path, update: bool) -> Result<String, PlatformError> {
    let measurement = measure_program()?;
    if update {
        let folder = Folder::open(path)?;
        let current = network::from_toml(&folder.network()?)?;
        let id = current.id().to_string();
        if let Some(updated) = network::accepting(current, &measurement) {
            folder.replace_network(&network::to_toml(&updated, &folder.governance_key()?))?;
        }
        return Ok(id);
    }
    let mut id = String::new();
    Folder::create(path, wall_clock(), |root, governance| {
        let founded = network::found(root.certificate(), governance, &measurement);
        id = founded.id().to_string();
        network::to_toml(&founded, governance)
    })
    .map_err(|error: FolderError| error.into())
    .map(|_| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Command> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn both_commands_are_read() {
        let run = Command::Run {
            socket: "s".into(),
            folder: "f".into(),
        };
        assert_eq!(parse("run --socket s --folder f"), Some(run.clone()));
        assert_eq!(parse("run --folder f --socket s"), Some(run));
        let folder = PathBuf::from("f");
        assert_eq!(
            parse("create-network --folder f --update"),
            Some(Command::CreateNetwork {
                folder,
                update: true
            })
        );
    }

    #[test]
    fn anything_else_is_no_command() {
        for line in [
            "",
            "run",
            "run --socket s",
            "run --socket s --folder",
            "run --socket s --folder f --update",
            "run --socket s --folder f --folder g",
            "create-network --folder f --socket s",
            "create-network --folder f --force",
            "help",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_network_is_made_once_and_updating_it_without_need_changes_nothing() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        let id = create_network(&path, false).expect("creates");
        let before = std::fs::read(path.join("network.toml")).expect("file");

        assert_eq!(create_network(&path, true), Ok(id.clone()));

        assert!(id.starts_with("emulated1"));
        assert_eq!(
            std::fs::read(path.join("network.toml")).expect("file"),
            before
        );
        assert_eq!(
            create_network(&path, false),
            Err(PlatformError::Folder(FolderError::Exists))
        );
    }
}
