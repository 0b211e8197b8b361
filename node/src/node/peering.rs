//! Starting the part that meets other nodes.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::failure::blame;
use super::{Ground, StartError};
use crate::attachment::Attachments;
use crate::config::Config;
use crate::federation::{
    Driver, DriverParts, Homes, Joined, Joining, LINK_REPORTS, LinkReport, Network, is_wanted,
    known_peers,
};
use crate::folder::NodeFolder;
use crate::shutdown::Stopper;

/// The part that meets other nodes, running; also without others it keeps mail.
pub(super) struct Peering {
    /// PeerId of this host, if it is in a network.
    pub(super) peer: Option<Vec<u8>>,
    /// Chunks of attachments, here and at other nodes.
    pub(super) attachments: Attachments,
    /// Home records in the network.
    pub(super) homes: Homes,
    /// The network that this node is in.
    pub(super) joined: Joined,
    /// Takes what the link to the enclave tells.
    pub(super) reports: mpsc::Sender<LinkReport>,
    /// Ends after the link.
    pub(super) task: (Stopper, JoinHandle<()>),
}

impl Ground {
    /// Joins the network, if there is one to join, and carries frames from then on.
    pub(super) async fn start_peering(
        &self,
        folder: &NodeFolder,
        config: &Config,
    ) -> Result<Peering, StartError> {
        let joining = Joining {
            config: config.federation.clone(),
            key: folder.host_key(),
        };
        let network = self.join_network(&joining).await?;
        let handle = network.as_ref().map(|network| network.handle().clone());
        let peer = handle.as_ref().map(|handle| handle.peer().to_vec());
        let (joined, changes) = Joined::new(handle);
        let quota = config.objects.attachments_mib.saturating_mul(1024 * 1024);
        let (database, objects) = (self.database.clone(), Arc::clone(&self.objects));
        let attachments = Attachments::new(database, objects, Arc::clone(&self.metrics), quota)
            .with_remote(joined.clone());
        let parts = DriverParts {
            database: self.database.clone(),
            metrics: Arc::clone(&self.metrics),
            network,
            joined: changes,
            joining,
            file: self.network.clone(),
            attachments: attachments.clone(),
        };
        let (reports, heard) = mpsc::channel(LINK_REPORTS);
        let (stopper, stop) = Stopper::new();
        let driver = tokio::spawn(Driver::new(parts, heard).run(stop));
        Ok(Peering {
            homes: Homes::new(self.database.clone(), joined.clone()),
            joined,
            peer,
            attachments,
            reports,
            task: (stopper, driver),
        })
    }

    async fn join_network(&self, joining: &Joining) -> Result<Option<Network>, StartError> {
        let Joining { config, key } = joining;
        let file = self.network.current();
        if !is_wanted(config, &file) {
            return Ok(None);
        }
        let known = known_peers(&self.database).await;
        Network::join(config, &file, key, known)
            .await
            .map(Some)
            .map_err(blame("the network of nodes"))
    }
}
