//! The command line of the emulated enclave.
//!
//! ```text
//! vettid-enclave-emulated create-network --folder F [--registers P] [--release N] [--update]
//! vettid-enclave-emulated join-network --folder F --network N --development-root R [--registers P]
//!                                      [--release N]
//! vettid-enclave-emulated run --socket S --folder F [--release N]
//! ```
//!
//! A network accepts this program, or the image whose registers are in a file, as a release: the
//! program's own number unless another one is given. As another release, this program measures
//! otherwise and has another sealing root, so that a move from one release to the next can be tried.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use vettid_attestation::Measurement;
use vettid_wire::network::TrustRoot;

use super::{Folder, FolderError, PlatformError, measure_program, network, registers, wall_clock};
use crate::boot::RELEASE;

/// How it is used.
pub const USAGE: &str = "usage: vettid-enclave-emulated create-network --folder F [--registers P] \
                         [--release N] [--update]\n       \
                         vettid-enclave-emulated join-network --folder F --network N \
                         --development-root R [--registers P] [--release N]\n       \
                         vettid-enclave-emulated run --socket S --folder F [--release N]";

/// What to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Make a folder with a one-node network, or sign its network file anew.
    CreateNetwork {
        /// The folder.
        folder: PathBuf,
        /// What is accepted.
        image: Image,
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
        /// What joins.
        image: Image,
    },
    /// Run the enclave.
    Run {
        /// Path of the socket that the host connects to.
        socket: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// The release that it stands for.
        release: u32,
    },
}

/// An image, as a release.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// File of its registers; this program if there is none.
    pub registers: Option<PathBuf>,
    /// Number of the release.
    pub release: u32,
}

impl Image {
    fn measured(&self) -> Result<Measurement, CommandError> {
        match &self.registers {
            Some(path) => registers::read(path).map_err(at(path)),
            None => Ok(measure_program(self.release)?),
        }
    }
}

impl Command {
    /// Reads the arguments, without the program's name. None when they make no command.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let verb = arguments.next()?;
        let (mut folder, mut socket, mut update) = (None, None, false);
        let (mut network, mut root, mut registers) = (None, None, None);
        let mut release = None;
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
                "--release" if release.is_none() => {
                    let number = arguments.next()?.to_str()?.parse::<u32>().ok()?;
                    release = Some(number).filter(|number| *number > 0);
                    release?;
                    continue;
                }
                _ => return None,
            };
            if place.replace(PathBuf::from(arguments.next()?)).is_some() {
                return None;
            }
        }
        let (folder, release) = (folder?, release.unwrap_or(RELEASE));
        let is_program = registers.is_none();
        let image = Image { registers, release };
        match (verb.to_str()?, socket, network, root, update) {
            ("create-network", None, None, None, update) => Some(Self::CreateNetwork {
                folder,
                image,
                update,
            }),
            ("join-network", None, Some(network), Some(root), false) => Some(Self::JoinNetwork {
                folder,
                network,
                root,
                image,
            }),
            ("run", Some(socket), None, None, false) if is_program => Some(Self::Run {
                socket,
                folder,
                release,
            }),
            _ => None,
        }
    }
}

/// Why a folder was not made or changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// A file or folder that was named is not as it must be.
    #[error("{}: {why}", path.display())]
    At {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: FolderError,
    },
    /// This program does not know what it measures.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

/// Says what an error is about.
fn at<E: Into<FolderError>>(path: &Path) -> impl FnOnce(E) -> CommandError {
    move |why| CommandError::At {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// Makes or updates a network; its id.
///
/// # Errors
/// When the folder exists already, or does not where it must.
pub fn create_network(path: &Path, image: &Image, update: bool) -> Result<String, CommandError> {
    let measurement = image.measured()?;
    let accepted = (image.release, &measurement);
    if update {
        return update_network(path, accepted).map_err(at(path));
    }
    let mut id = String::new();
    Folder::create(path, wall_clock(), |root, governance| {
        let founded = network::found(root.certificate(), governance, accepted);
        id = founded.id().to_string();
        network::to_toml(&founded, governance)
    })
    .map_err(at(path))
    .map(|_| id)
}

fn update_network(path: &Path, accepted: (u32, &Measurement)) -> Result<String, FolderError> {
    let folder = Folder::open(path)?;
    let current = network::from_toml(&folder.network()?)?;
    let id = current.id().to_string();
    if let Some(updated) = network::accepting(current, accepted) {
        folder.replace_network(&network::to_toml(&updated, &folder.governance_key()?))?;
    }
    Ok(id)
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
    image: &Image,
) -> Result<String, CommandError> {
    let text = std::fs::read_to_string(file).map_err(at(file))?;
    let network = network::from_toml(&text).map_err(at(file))?;
    let from = Folder::open(root).map_err(at(root))?;
    let own = from.development_root().map_err(at(root))?;
    if network.trust_root != TrustRoot::Emulated(own.certificate().to_vec()) {
        return Err(at(root)(FolderError::OtherRoot));
    }
    if !network::accepts(&network, (image.release, &image.measured()?)) {
        return Err(at(file)(FolderError::NotAccepted));
    }
    Folder::join(path, &own, &text).map_err(at(path))?;
    Ok(network.id().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Command> {
        Command::parse(line.split_whitespace().map(OsString::from))
    }

    fn program() -> Image {
        Image {
            registers: None,
            release: RELEASE,
        }
    }

    #[test]
    fn another_release_is_read() {
        let release = |line: &str| match parse(line) {
            Some(Command::Run { release, .. }) => Some(release),
            Some(Command::CreateNetwork { image, .. } | Command::JoinNetwork { image, .. }) => {
                Some(image.release)
            }
            None => None,
        };

        assert_eq!(release("run --release 2 --socket s --folder f"), Some(2));
        assert_eq!(
            release("create-network --folder f --update --release 7"),
            Some(7)
        );
        for number in ["0", "-1", "x", "4294967296", "2 --release 2"] {
            let line = format!("run --socket s --folder f --release {number}");
            assert_eq!(release(&line), None, "{line}");
        }
    }

    #[test]
    fn both_commands_are_read() {
        let run = Command::Run {
            socket: "s".into(),
            folder: "f".into(),
            release: RELEASE,
        };
        assert_eq!(parse("run --socket s --folder f"), Some(run.clone()));
        assert_eq!(parse("run --folder f --socket s"), Some(run));
        let folder = PathBuf::from("f");
        assert_eq!(
            parse("create-network --folder f --update"),
            Some(Command::CreateNetwork {
                folder: folder.clone(),
                image: program(),
                update: true
            })
        );
        assert_eq!(
            parse("create-network --registers r --folder f"),
            Some(Command::CreateNetwork {
                folder,
                image: Image {
                    registers: Some("r".into()),
                    release: RELEASE
                },
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
                image: program()
            })
        );
    }

    #[test]
    fn one_more_node_has_the_networks_root_and_file_and_a_sealing_root_of_its_own() {
        let place = tempfile::tempdir().expect("place");
        let (first, second) = (place.path().join("first"), place.path().join("second"));
        let id = create_network(&first, &program(), false).expect("creates");
        let file = first.join("network.toml");

        assert_eq!(join_network(&second, &file, &first, &program()), Ok(id));

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
            join_network(&second, &file, &first, &program()),
            Err(at(&second)(FolderError::Exists))
        );
        let nowhere = place.path().join("nowhere");
        let refused = join_network(&place.path().join("third"), &nowhere, &first, &program());
        let said = refused.expect_err("no such file").to_string();
        assert_eq!(said, format!("{}: entity not found", nowhere.display()));
    }

    #[test]
    fn root_of_another_network_does_not_join() {
        let place = tempfile::tempdir().expect("place");
        let (first, other) = (place.path().join("first"), place.path().join("other"));
        create_network(&first, &program(), false).expect("creates");
        create_network(&other, &program(), false).expect("creates");
        let (joining, file) = (place.path().join("n"), first.join("network.toml"));

        assert_eq!(
            join_network(&joining, &file, &other, &program()),
            Err(at(&other)(FolderError::OtherRoot))
        );
    }

    #[test]
    fn a_network_is_made_once_and_updating_it_without_need_changes_nothing() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        let id = create_network(&path, &program(), false).expect("creates");
        let before = std::fs::read(path.join("network.toml")).expect("file");

        assert_eq!(create_network(&path, &program(), true), Ok(id.clone()));

        assert!(id.starts_with("emulated1"));
        assert_eq!(
            std::fs::read(path.join("network.toml")).expect("file"),
            before
        );
        assert_eq!(
            create_network(&path, &program(), false),
            Err(at(&path)(FolderError::Exists))
        );
    }

    #[test]
    fn a_network_of_an_image_accepts_that_image_and_not_this_program() {
        let place = tempfile::tempdir().expect("place");
        let (path, registers) = (place.path().join("enclave"), place.path().join("registers"));
        let text = [1, 2, 3].map(|byte: u8| format!("PCR{} {}\n", byte - 1, hex(byte)));
        std::fs::write(&registers, text.concat()).expect("write");
        let (file, second) = (path.join("network.toml"), place.path().join("second"));

        let joins = Image {
            registers: Some(registers),
            ..program()
        };
        let id = create_network(&path, &joins, false).expect("creates");

        let network = network::from_toml(&std::fs::read_to_string(&file).expect("file"));
        let image = Measurement::new([1; 48], [2; 48], [3; 48]).expect("not debug");
        assert!(network::accepts(
            &network.expect("network"),
            (RELEASE, &image)
        ));
        assert_eq!(
            join_network(&second, &file, &path, &program()),
            Err(at(&file)(FolderError::NotAccepted))
        );
        assert_eq!(join_network(&second, &file, &path, &joins), Ok(id));
    }

    fn hex(byte: u8) -> String {
        data_encoding::HEXLOWER.encode(&[byte; 48])
    }
}
