//! The command line of the emulated enclave.
//!
//! ```text
//! vettid-enclave-emulated create-network --folder F [--registers P] [--update]
//! vettid-enclave-emulated join-network --folder F --network N --development-root R [--registers P]
//! vettid-enclave-emulated run --socket S --folder F
//! ```
//!
//! A network accepts this program, or the image whose registers are in a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use vettid_attestation::Measurement;
use vettid_wire::network::TrustRoot;

use super::{Folder, FolderError, PlatformError, measure_program, network, registers, wall_clock};

/// How it is used.
pub const USAGE: &str = "usage: vettid-enclave-emulated create-network --folder F [--registers P] \
                         [--update]\n       \
                         vettid-enclave-emulated join-network --folder F --network N \
                         --development-root R [--registers P]\n       \
                         vettid-enclave-emulated run --socket S --folder F";

/// What to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Make a folder with a one-node network, or sign its network file anew.
    CreateNetwork {
        /// The folder.
        folder: PathBuf,
        /// Registers of the image that is accepted; this program if there are none.
        registers: Option<PathBuf>,
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
        /// Registers of the image that joins; this program if there are none.
        registers: Option<PathBuf>,
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
        let (mut network, mut root, mut registers) = (None, None, None);
        while let Some(argument) = arguments.next() {
            let place = match argument.to_str()? {
                "--folder" => &mut folder,
                "--socket" => &mut socket,
                "--network" => &mut network,
                "--development-root" => &mut root,
                "--registers" => &mut registers,
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
            ("create-network", None, None, None, update) => Some(Self::CreateNetwork {
                folder,
                registers,
                update,
            }),
            ("join-network", None, Some(network), Some(root), false) => Some(Self::JoinNetwork {
                folder,
                network,
                root,
                registers,
            }),
            ("run", Some(socket), None, None, false) if registers.is_none() => {
                Some(Self::Run { socket, folder })
            }
            _ => None,
        }
    }
}

/// Makes or updates a network; its id.
///
/// # Errors
/// When the folder exists already, or does not where it must.
pub fn create_network(
    path: &Path,
    registers: Option<&Path>,
    update: bool,
) -> Result<String, PlatformError> {
    let measurement = measured(registers)?;
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
/// what joins.
pub fn join_network(
    path: &Path,
    file: &Path,
    root: &Path,
    registers: Option<&Path>,
) -> Result<String, PlatformError> {
    let text = std::fs::read_to_string(file).map_err(FolderError::from)?;
    let network = network::from_toml(&text)?;
    let root = Folder::open(root)?.development_root()?;
    if network.trust_root != TrustRoot::Emulated(root.certificate().to_vec()) {
        return Err(FolderError::OtherRoot.into());
    }
    if !network::accepts(&network, &measured(registers)?) {
        return Err(FolderError::NotAccepted.into());
    }
    Folder::join(path, &root, &text)?;
    Ok(network.id().to_string())
}

/// What runs: the image of these registers, or this program.
fn measured(registers: Option<&Path>) -> Result<Measurement, PlatformError> {
    match registers {
        Some(path) => Ok(registers::read(path)?),
        None => measure_program(),
    }
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
                folder: folder.clone(),
                registers: None,
                update: true
            })
        );
        assert_eq!(
            parse("create-network --registers r --folder f"),
            Some(Command::CreateNetwork {
                folder,
                registers: Some("r".into()),
                update: false
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
            "run --socket s --folder f --registers r",
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
                root: "r".into(),
                registers: None
            })
        );
    }

    #[test]
    fn one_more_node_has_the_networks_root_and_file_and_a_sealing_root_of_its_own() {
        let place = tempfile::tempdir().expect("place");
        let (first, second) = (place.path().join("first"), place.path().join("second"));
        let id = create_network(&first, None, false).expect("creates");
        let file = first.join("network.toml");

        assert_eq!(join_network(&second, &file, &first, None), Ok(id));

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
            join_network(&second, &file, &first, None),
            Err(PlatformError::Folder(FolderError::Exists))
        );
    }

    #[test]
    fn root_of_another_network_does_not_join() {
        let place = tempfile::tempdir().expect("place");
        let (first, other) = (place.path().join("first"), place.path().join("other"));
        create_network(&first, None, false).expect("creates");
        create_network(&other, None, false).expect("creates");
        let (joining, file) = (place.path().join("n"), first.join("network.toml"));

        assert_eq!(
            join_network(&joining, &file, &other, None),
            Err(PlatformError::Folder(FolderError::OtherRoot))
        );
    }

    #[test]
    fn a_network_is_made_once_and_updating_it_without_need_changes_nothing() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        let id = create_network(&path, None, false).expect("creates");
        let before = std::fs::read(path.join("network.toml")).expect("file");

        assert_eq!(create_network(&path, None, true), Ok(id.clone()));

        assert!(id.starts_with("emulated1"));
        assert_eq!(
            std::fs::read(path.join("network.toml")).expect("file"),
            before
        );
        assert_eq!(
            create_network(&path, None, false),
            Err(PlatformError::Folder(FolderError::Exists))
        );
    }

    #[test]
    fn a_network_of_an_image_accepts_that_image_and_not_this_program() {
        let place = tempfile::tempdir().expect("place");
        let (path, registers) = (place.path().join("enclave"), place.path().join("registers"));
        let text = [1, 2, 3].map(|byte: u8| format!("PCR{} {}\n", byte - 1, hex(byte)));
        std::fs::write(&registers, text.concat()).expect("write");
        let (file, second) = (path.join("network.toml"), place.path().join("second"));

        let id = create_network(&path, Some(&registers), false).expect("creates");

        let network = network::from_toml(&std::fs::read_to_string(&file).expect("file"));
        let image = Measurement::new([1; 48], [2; 48], [3; 48]).expect("not debug");
        assert!(network::accepts(&network.expect("network"), &image));
        assert_eq!(
            join_network(&second, &file, &path, None),
            Err(PlatformError::Folder(FolderError::NotAccepted))
        );
        assert_eq!(
            join_network(&second, &file, &path, Some(&registers)),
            Ok(id)
        );
    }

    fn hex(byte: u8) -> String {
        data_encoding::HEXLOWER.encode(&[byte; 48])
    }
}
