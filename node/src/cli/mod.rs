//! The operator's commands: `vettid-node init | run | check | status | invitation | space | network |
//! peer | release`.

mod check;
mod init;
mod made;
mod output;
mod release;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::admin::{AskError, Operator, Reply, Request, ask};
use crate::config::Config;
use crate::database::{Database, Options};
use crate::folder::NodeFolder;
use crate::network::{NetworkFile, NetworkPlace};
use output::{Failure, print_reply};

/// Names the node folder when `--folder` does not.
const FOLDER: &str = "VETTID_NODE_FOLDER";

/// Seconds an invitation lives unless told otherwise: 7 days.
const WEEK: u64 = 7 * 24 * 3600;

/// A home node: the host beside an enclave that holds owners' vaults.
#[derive(Debug, Parser)]
#[command(name = "vettid-node", version)]
pub struct Arguments {
    /// Folder of the node
    #[arg(long, global = true, env = FOLDER, default_value = "vettid-node")]
    folder: PathBuf,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check folder, configuration, programs and network file
    Check,
    /// Make a node folder, with a new emulated network or for one that is there
    Init(init::Init),
    /// Make, list and withdraw invitations
    #[command(subcommand)]
    Invitation(Invitation),
    /// Join a network, take a newer file of one, show the file
    #[command(subcommand)]
    Network(Network),
    /// List the nodes that this one has met
    #[command(subcommand)]
    Peer(Peer),
    /// Show the network's releases, find out which one an image is
    #[command(subcommand)]
    Release(release::Release),
    /// Serve until SIGTERM or Ctrl-C
    Run(run::Run),
    /// List, suspend, resume and remove spaces
    #[command(subcommand)]
    Space(Space),
    /// How the node is
    Status,
}

#[derive(Debug, Subcommand)]
enum Invitation {
    /// Make an invitation and show its link, and on a terminal its QR code
    Create {
        /// A note for your own list; the invited owner does not see it
        #[arg(long, default_value = "")]
        label: String,
        /// Seconds until it expires
        #[arg(long, default_value_t = WEEK)]
        lifetime: u64,
    },
    /// List invitations, newest first
    List,
    /// Withdraw an open invitation
    Revoke {
        /// Its number, from the list
        id: u64,
    },
}

#[derive(Debug, Subcommand)]
enum Network {
    /// Join the network of a signed file, or take a newer file of this node's network
    Join {
        /// The network file
        file: PathBuf,
    },
    /// What this node's network file says
    Show,
}

#[derive(Debug, Subcommand)]
enum Peer {
    /// List peers: admitted, away, refused and why
    List,
}

#[derive(Debug, Subcommand)]
enum Space {
    /// List spaces, oldest first
    List,
    /// Remove a space with its vault; this cannot be undone
    Remove {
        /// Its id, from the list
        space: String,
        /// Say that its vault is to be destroyed
        #[arg(long)]
        yes: bool,
    },
    /// Let a suspended space in again
    Resume {
        /// Its id, from the list
        space: String,
    },
    /// Lock a space out; nothing in it is lost
    Suspend {
        /// Its id, from the list
        space: String,
    },
}

/// Carries out one command line.
pub async fn execute(arguments: Arguments) -> ExitCode {
    let Arguments {
        folder,
        json,
        command,
    } = arguments;
    let outcome = match command {
        Command::Check => check::check(&folder, json).await,
        Command::Init(init) => init.make(&folder, json).await,
        Command::Network(Network::Join { file }) => join(&folder, json, &file).await,
        Command::Network(Network::Show) => command_to(&folder, json, Request::NetworkShow).await,
        Command::Peer(Peer::List) => command_to(&folder, json, Request::PeerList).await,
        Command::Release(release) => release.execute(&folder, json).await,
        Command::Run(run) => run.serve(&folder, json).await,
        Command::Invitation(Invitation::Create { label, lifetime }) => {
            command_to(&folder, json, Request::InvitationCreate { label, lifetime }).await
        }
        Command::Invitation(Invitation::List) => {
            command_to(&folder, json, Request::InvitationList).await
        }
        Command::Invitation(Invitation::Revoke { id }) => {
            command_to(&folder, json, Request::InvitationRevoke { id }).await
        }
        Command::Space(Space::List) => command_to(&folder, json, Request::SpaceList).await,
        Command::Space(Space::Remove { space, yes: false }) => Err(Failure::new(format!(
            "this destroys the vault of space {space} for good: repeat it with --yes"
        ))),
        Command::Space(Space::Remove { space, yes: true }) => {
            command_to(&folder, json, Request::SpaceRemove { space }).await
        }
        Command::Space(Space::Resume { space }) => {
            command_to(&folder, json, Request::SpaceResume { space }).await
        }
        Command::Space(Space::Suspend { space }) => {
            command_to(&folder, json, Request::SpaceSuspend { space }).await
        }
        Command::Status => command_to(&folder, json, Request::Status).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            ExitCode::FAILURE
        }
    }
}

async fn join(folder: &Path, json: bool, file: &Path) -> Result<(), Failure> {
    // Before it is sent anywhere: a wrong file is the commonest mistake.
    let file = NetworkFile::read(file)?.to_toml()?;
    command_to(folder, json, Request::NetworkJoin { file }).await
}

/// Asks the running node, or works on its database when none runs.
async fn command_to(folder: &Path, json: bool, request: Request) -> Result<(), Failure> {
    let folder = NodeFolder::open(folder)?;
    let reply = match ask(&folder.admin_socket(), &request).await {
        Err(AskError::NotRunning) => alone(&folder, request).await?,
        answered => answered?,
    };
    if let Reply::Failed { message } = reply {
        return Err(Failure::new(message));
    }
    print_reply(&reply, json);
    Ok(())
}

async fn alone(folder: &NodeFolder, request: Request) -> Result<Reply, Failure> {
    let _lock = folder.lock()?;
    folder.check_permissions()?;
    let config = Config::read(folder)?;
    let network = NetworkFile::read(&folder.network())?;
    let path = folder.database();
    let database = match request.only_looks() {
        // A node of the release before must still be able to start.
        true => Database::look(&path)?,
        false => Database::open(&path, Options::default())?,
    };
    let network = NetworkPlace::new(folder.network(), network);
    Ok(Operator::new(database, &config, network, None)
        .answer(request)
        .await)
}
