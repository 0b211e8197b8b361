//! The command line of the emulated enclave.
//!
//! ```text
//! vettid-enclave-emulated create-network --folder F [--update]
//! vettid-enclave-emulated join-network --folder F --network N --development-root R
//! vettid-enclave-emulated run --socket S --folder F
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use vettid_wire::network::TrustRoot;

use super::{Folder, FolderError, PlatformError, measure_program, network, wall_clock};

/// How it is used.
pub const USAGE: &str = "usage: vettid-enclave-emulated create-network --folder F [--update]\n       \
                         vettid-enclave-emulated join-network --folder F --network N \
                         --development-root R\n       \
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
    /// Make a folder for one more node of a network that is there.
    JoinNetwork {
        /// The folder.
        folder: PathBuf,
        /// Signed network file.
        network: PathBuf,
        /// Folder of an enclave of the network, whose root is copied.
        root: PathBuf,
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
        let (mut network, mut root) = (None, None);
        while let Some(argument) = arguments.next() {
            let place = match argument.to_str()? {
                "--folder" => &mut folder,
                "--socket" => &mut socket,
                "--network" => &mut network,
                "--development-root" => &mut root,
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
        let folder = folder?;
        match (verb.to_str()?, socket, network, root, update) {
            ("create-network", None, None, None, update) => {
                Some(Self::CreateNetwork { folder, update })
            }
            ("join-network", None, Some(network), Some(root), false) => Some(Self::JoinNetwork {
                folder,
                network,
                root,
            }),
            ("run", Some(socket), None, None, false) => Some(Self::Run { socket, folder }),
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

/// Makes a folder for one more node of a network: its root, its file, a sealing root of its own. Who
/// signs the network's file stays where it was. The network's id.
///
/// # Errors
/// When the folder exists already, the root is of another network, or the network does not accept
/// this program.
pub fn join_network(path: &Path, file: &Path, root: &Path) -> Result<String, PlatformError> {
    let text = std::fs::read_to_string(file).map_err(FolderError::from)?;
    let network = network::from_toml(&text)?;
    let root = Folder::open(root)?.development_root()?;
    if network.trust_root != TrustRoot::Emulated(root.certificate().to_vec()) {
        return Err(FolderError::OtherRoot.into());
    }
    if !network::accepts(&network, &measure_program()?) {
        return Err(FolderError::NotAccepted.into());
    }
    Folder::join(path, &root, &text)?;
    Ok(network.id().to_string())
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
            "create-network --folder f --network n",
            "join-network --folder f --network n",
            "join-network --folder f --development-root r",
            "join-network --folder f --network n --development-root r --update",
            "run --socket s --folder f --network n",
            "help",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn joining_is_read() {
        assert_eq!(
            parse("join-network --folder f --network n --development-root r"),
            Some(Command::JoinNetwork {
                folder: "f".into(),
                network: "n".into(),
                root: "r".into()
            })
        );
    }

    #[test]
    fn one_more_node_has_the_networks_root_and_file_and_a_sealing_root_of_its_own() {
        let place = tempfile::tempdir().expect("place");
        let (first, second) = (place.path().join("first"), place.path().join("second"));
        let id = create_network(&first, false).expect("creates");
        let file = first.join("network.toml");

        assert_eq!(join_network(&second, &file, &first), Ok(id));

        let read = |folder: &Path, name: &str| std::fs::read(folder.join(name)).ok();
        for same in [
            "development-root.key",
            "development-root.der",
            "network.toml",
        ] {
            assert_eq!(read(&second, same), read(&first, same), "{same}");
        }
        assert_ne!(
            read(&second, "sealing-root.key"),
            read(&first, "sealing-root.key")
        );
        assert_eq!(read(&second, "governance.key"), None);
        assert_eq!(
            join_network(&second, &file, &first),
            Err(PlatformError::Folder(FolderError::Exists))
        );
    }

    #[test]
    fn root_of_another_network_does_not_join() {
        let place = tempfile::tempdir().expect("place");
        let (first, other) = (place.path().join("first"), place.path().join("other"));
        create_network(&first, false).expect("creates");
        create_network(&other, false).expect("creates");

        assert_eq!(
            join_network(&place.path().join("n"), &first.join("network.toml"), &other),
            Err(PlatformError::Folder(FolderError::OtherRoot))
        );
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
