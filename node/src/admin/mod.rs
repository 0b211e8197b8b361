//! What an operator asks of a node, running or not.
//!
//! `vettid-node` commands send one line of JSON to the running node's socket and get one back. When
//! no node runs, the same [`Operator`] works on the database alone.

mod socket;

pub use socket::{AskError, ask, serve};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use vettid_crypto::SecretBytes;
use vettid_wire::Secret;
use vettid_wire::id::{NetworkKind, NodeId, SpaceId};
use vettid_wire::invitation::Invitation;
use vettid_wire::time::{SECOND, UnixMillis};

use crate::audit::{self, Action};
use crate::bus::revocation::Revocations;
use crate::clock::unix_seconds;
use crate::config::Config;
use crate::database::Database;
use crate::enclave_link::{Address, BadAddress, KeyService, SpaceCommand, prepare};
use crate::federation::{self, Homes, PeerRows};
use crate::health::{Health, Readiness};
use crate::network::{self, NetworkFile, NetworkPlace};
use crate::release::{KeptRelease, ReleaseRows};
use crate::space::{self, Directory};
use crate::{invitation, metrics::Metrics, release};

/// Fact that names the enclave's identity.
pub(crate) const NODE_ID: &str = "node-id";

/// A command of the operator.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "command", deny_unknown_fields)]
pub enum Request {
    /// Make an invitation.
    InvitationCreate {
        /// The operator's own words.
        label: String,
        /// Seconds until it expires.
        lifetime: u64,
    },
    /// List invitations.
    InvitationList,
    /// Withdraw an invitation.
    InvitationRevoke {
        /// Its number.
        id: u64,
    },
    /// Join the network of a file, or take a newer file of the same network.
    NetworkJoin {
        /// Text of the file.
        file: String,
    },
    /// What the network file says.
    NetworkShow,
    /// List peers.
    PeerList,
    /// Have a later release say what earlier ones seal to.
    ReleasePrepare {
        /// Where its enclave listens.
        address: String,
    },
    /// What releases the network file lists, and which one runs here.
    ReleaseShow,
    /// List spaces.
    SpaceList,
    /// Remove a space with everything in it.
    SpaceRemove {
        /// Its routing id.
        space: String,
    },
    /// Let a suspended space in again.
    SpaceResume {
        /// Its routing id.
        space: String,
    },
    /// Lock a space out.
    SpaceSuspend {
        /// Its routing id.
        space: String,
    },
    /// How the node is.
    Status,
}

impl Request {
    /// Whether it changes nothing.
    #[must_use]
    pub const fn only_looks(&self) -> bool {
        match self {
            Self::InvitationList
            | Self::NetworkShow
            | Self::PeerList
            | Self::ReleaseShow
            | Self::SpaceList
            | Self::Status => true,
            Self::InvitationCreate { .. }
            | Self::InvitationRevoke { .. }
            | Self::NetworkJoin { .. }
            | Self::ReleasePrepare { .. }
            | Self::SpaceRemove { .. }
            | Self::SpaceResume { .. }
            | Self::SpaceSuspend { .. } => false,
        }
    }
}

/// What an operator is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Reply {
    /// The node has this network file already.
    AlreadyJoined {
        /// Epoch of the file.
        epoch: u64,
    },
    /// It is done.
    Done,
    /// It was not done.
    Failed {
        /// What is wrong and what to do.
        message: String,
    },
    /// A new invitation.
    Invitation {
        /// Its number.
        id: u64,
        /// The link that opens the app.
        link: String,
        /// The link for a browser.
        web_link: String,
        /// Unix seconds.
        expires: u64,
    },
    /// Invitations, newest first.
    Invitations {
        /// All of them.
        invitations: Vec<invitation::Listed>,
    },
    /// What the network file says.
    Network(network::Shown),
    /// Peers, admitted ones first.
    Peers {
        /// Whether the node runs; else they are as they were when it stopped.
        running: bool,
        /// All that are remembered.
        peers: Vec<federation::Listed>,
    },
    /// Releases of the network.
    Releases {
        /// The one that runs in the enclave, once it serves.
        running: Option<u32>,
        /// All that the network file lists.
        releases: Vec<release::Listed>,
        /// What this node keeps for releases, and how many vaults are sealed for each.
        here: Vec<KeptRelease>,
    },
    /// A release was prepared.
    Prepared {
        /// Its number.
        release: u32,
        /// Whether the network accepts it.
        accepted: bool,
    },
    /// Spaces, oldest first.
    Spaces {
        /// All of them.
        spaces: Vec<space::Listed>,
    },
    /// How the node is.
    Status(Status),
}

/// How a node is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// A process serves this folder.
    pub running: bool,
    /// Its parts, when it runs.
    pub readiness: Option<Readiness>,
    /// Identity of the enclave, once known.
    pub node: Option<String>,
    /// Release that runs in the enclave.
    pub release: Option<u32>,
    /// Id of the network.
    pub network: String,
    /// Spaces in use.
    pub spaces_active: i64,
    /// Spaces whose enrollment is not finished.
    pub spaces_pending: i64,
    /// Spaces locked out.
    pub spaces_suspended: i64,
    /// Rows of the admin audit, all verified.
    pub audit_rows: u64,
}

/// Carries out commands.
pub struct Operator {
    database: Database,
    directory: Directory,
    public_url: String,
    network: NetworkPlace,
    key_service: Option<KeyService>,
    running: Option<Running>,
}

/// What only a running node has.
pub struct Running {
    /// Home records in the network.
    pub(crate) homes: Homes,
    /// Closes spaces in the enclave.
    pub commands: mpsc::Sender<SpaceCommand>,
    /// Tells the bus who is revoked.
    pub revocations: Arc<Revocations>,
    /// Says how the parts are.
    pub health: Health,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

impl Operator {
    /// For the node whose state is in `database`.
    #[must_use]
    pub fn new(
        database: Database,
        config: &Config,
        network: NetworkPlace,
        running: Option<Running>,
    ) -> Self {
        let directory = Directory::new(database.clone());
        Self {
            database,
            directory,
            public_url: config.public_url.clone(),
            network,
            key_service: config.enclave.kms.clone(),
            running,
        }
    }

    /// Does what is asked.
    pub async fn answer(&self, request: Request) -> Reply {
        let outcome = match request {
            Request::InvitationCreate { label, lifetime } => self.invite(label, lifetime).await,
            Request::InvitationList => invitation::list(&self.database, unix_seconds())
                .await
                .map(|invitations| Reply::Invitations { invitations })
                .map_err(|error| error.to_string()),
            Request::InvitationRevoke { id } => {
                invitation::revoke(&self.database, id, unix_seconds())
                    .await
                    .map(|()| Reply::Done)
                    .map_err(|error| error.to_string())
            }
            Request::NetworkJoin { file } => self.join(&file).await,
            Request::NetworkShow => Ok(Reply::Network(self.network.current().shown())),
            Request::PeerList => PeerRows::new(self.database.clone())
                .list()
                .await
                .map(|peers| Reply::Peers {
                    running: self.running.is_some(),
                    peers,
                })
                .map_err(|error| error.to_string()),
            Request::ReleasePrepare { address } => self.prepare(&address).await,
            Request::ReleaseShow => self.releases().await,
            Request::SpaceList => self
                .directory
                .list()
                .await
                .map(|spaces| Reply::Spaces { spaces })
                .map_err(|error| error.to_string()),
            Request::SpaceRemove { space } => self.change(&space, Change::Remove).await,
            Request::SpaceResume { space } => self.change(&space, Change::Resume).await,
            Request::SpaceSuspend { space } => self.change(&space, Change::Suspend).await,
            Request::Status => self.status().await.map(Reply::Status),
        };
        outcome.unwrap_or_else(|message| Reply::Failed { message })
    }

    async fn releases(&self) -> Result<Reply, String> {
        let here = ReleaseRows::new(self.database.clone()).kept().await;
        Ok(Reply::Releases {
            running: self.release(),
            releases: release::listed(&self.network.current()),
            here: here.map_err(|error| error.to_string())?,
        })
    }

    async fn prepare(&self, address: &str) -> Result<Reply, String> {
        let address: Address = address
            .parse()
            .map_err(|error: BadAddress| error.to_string())?;
        let network = self.network.current();
        let (service, database) = (self.key_service.clone(), self.database.clone());
        let prepared = prepare(address, network.signed.clone(), service, database).await;
        let release = prepared.map_err(|error| error.to_string())?;
        let (now, subject) = (unix_seconds(), format!("release {release}"));
        let noted = self.database.transact(move |connection| {
            audit::record_in(connection, now, Action::ReleasePrepared, &subject)
        });
        noted.await.map_err(|error| error.to_string())?;
        let accepted = release::accepted(&network).contains(&release);
        Ok(Reply::Prepared { release, accepted })
    }

    async fn invite(&self, label: String, lifetime: u64) -> Result<Reply, String> {
        let node = self.node_id().await.ok_or(
            "the enclave's identity is not known yet: start the node once and wait until it is ready",
        )?;
        let now = unix_seconds();
        let created = invitation::create(&self.database, label, lifetime, now).await;
        let (id, secret) = created.map_err(|error| error.to_string())?;
        let expires = now.saturating_add(lifetime);
        let invitation = Invitation {
            address: self.public_url.clone(),
            network: self.network.current().id,
            secret: secret.expose(|bytes| Secret::new(bytes.to_vec())),
            node,
            expires: UnixMillis(expires.saturating_mul(SECOND)),
        };
        let (link, web_link) = (invitation.link(), invitation.web_link());
        Ok(Reply::Invitation {
            id,
            link,
            web_link,
            expires,
        })
    }

    /// A newer file of the same network is taken at any time; another network only before there
    /// are spaces and while no node runs.
    async fn join(&self, text: &str) -> Result<Reply, String> {
        let file = NetworkFile::parse(text).map_err(|error| error.to_string())?;
        let epoch = file.epoch;
        let subject = format!("{} epoch {epoch}", file.id);
        let taken = if file.id == self.network.current().id {
            self.network.take_newer(file).await
        } else {
            let [pending, active, suspended] = space::counts(&self.database)
                .await
                .map_err(|error| error.to_string())?;
            let bound = self.running.is_some() || pending + active + suspended > 0;
            // An emulated enclave holds the root of its network and serves no other.
            if bound || file.id.kind == NetworkKind::Emulated {
                return Err(OTHER_NETWORK.to_owned());
            }
            self.network.take_other(file).await.map(|()| true)
        };
        if !taken.map_err(|error| error.to_string())? {
            return Ok(Reply::AlreadyJoined { epoch });
        }
        let now = unix_seconds();
        let noted = self.database.transact(move |connection| {
            audit::record_in(connection, now, Action::NetworkJoined, &subject)
        });
        noted.await.map_err(|error| error.to_string())?;
        Ok(Reply::Done)
    }

    async fn change(&self, space: &str, change: Change) -> Result<Reply, String> {
        let space: SpaceId = space
            .parse()
            .map_err(|_| "a space is named by its 32 hexadecimal digits")?;
        let now = unix_seconds();
        // Once a space is removed nobody knows where its record lies.
        let home = match &self.running {
            Some(running) => running.homes.of(space).await,
            None => Ok(None),
        };
        let home = home.map_err(|error| error.to_string())?;
        let changed = match change {
            Change::Remove => self.directory.remove(space, now).await,
            Change::Resume => self.directory.resume(space, now).await,
            Change::Suspend => self.directory.suspend(space, now).await,
        };
        changed.map_err(|error| error.to_string())?;
        let Some(running) = &self.running else {
            return Ok(Reply::Done);
        };
        match (home, change) {
            (Some(home), Change::Resume) => running.homes.announce(home).await,
            (Some(home), Change::Remove | Change::Suspend) => running.homes.withdraw(home).await,
            (None, _) => {}
        }
        if matches!(change, Change::Remove | Change::Suspend) {
            if running.health.enclave().serving {
                // Without a link nothing is open.
                let _ = running.commands.send(SpaceCommand::Close(space)).await;
            }
            running.revocations.publish().await.map_err(|error| {
                format!("the space is locked out, but live connections may last: {error}")
            })?;
        }
        Ok(Reply::Done)
    }

    async fn status(&self) -> Result<Status, String> {
        let [pending, active, suspended] = space::counts(&self.database)
            .await
            .map_err(|error| error.to_string())?;
        let audit_rows = audit::verify(&self.database)
            .await
            .map_err(|error| error.to_string())?;
        let running = self.running.as_ref();
        Ok(Status {
            running: running.is_some(),
            readiness: running.map(|running| running.health.readiness()),
            node: self.node_id().await.map(|node| node.to_string()),
            release: self.release(),
            network: self.network.current().id.to_string(),
            spaces_active: active,
            spaces_pending: pending,
            spaces_suspended: suspended,
            audit_rows,
        })
    }

    /// The release that runs in the enclave, while it serves.
    fn release(&self) -> Option<u32> {
        let link = self.running.as_ref()?.health.enclave();
        link.serving.then_some(link.release)
    }

    /// The enclave's identity: from the enclave while it serves, else as it was noted.
    async fn node_id(&self) -> Option<NodeId> {
        if let Some(node) = self
            .running
            .as_ref()
            .and_then(|running| running.health.enclave().node)
        {
            return Some(node);
        }
        let bytes = space::fact(&self.database, NODE_ID).await.ok().flatten()?;
        bytes.try_into().ok().map(NodeId)
    }
}

const OTHER_NETWORK: &str = "this is another network than this node's: its vaults stay in theirs. \
    Make a new node for it with `vettid-node init --network`";

#[derive(Clone, Copy)]
enum Change {
    Remove,
    Resume,
    Suspend,
}
