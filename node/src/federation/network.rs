//! The network as the exchange uses it: commands that never wait, events.

use std::io;
use std::path::Path;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use vettid_federation::event::{GossipId, Verdict};
use vettid_federation::key::HostKey;
use vettid_federation::{Config, Event, Federation, Handle, Role};
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::NotAdmitted;

use super::exchange::ToNetwork;
use crate::config;
use crate::network::NetworkFile;

/// Commands that wait for the network.
const COMMANDS: usize = 1_024;

/// The network, joined.
pub(crate) struct Network {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    commands: mpsc::Sender<Command>,
    pump: JoinHandle<()>,
    /// Node of the enclave, while there is one.
    node: watch::Sender<Option<NodeId>>,
}

enum Command {
    Ignore(GossipId),
    Network(ToNetwork),
}

/// Whether this node meets others: its configuration says so, or its network file names somebody.
pub(crate) fn is_wanted(config: &config::Federation, file: &NetworkFile) -> bool {
    config.enabled.unwrap_or_else(|| file.names_others())
}

impl Network {
    /// Joins the network of `file` with the key at `path`; makes the key at the first time.
    pub(crate) async fn join(
        config: &config::Federation,
        file: &NetworkFile,
        path: &Path,
        known: Vec<String>,
    ) -> io::Result<Self> {
        let key = HostKey::load_or_create(path)?;
        let config = Config {
            listen: config.listen(),
            external: config.external.clone(),
            bootstrap: file.bootstrap.clone(),
            relays: file.relays.clone(),
            known,
            private_addresses: config.private_addresses,
            ..Config::new(file.id, Role::Node)
        };
        let (handle, events) = Federation::start(config, key)
            .await
            .map_err(io::Error::other)?;
        let (commands, queue) = mpsc::channel(COMMANDS);
        let (node, named) = watch::channel(None);
        let pump = tokio::spawn(pump(handle.clone(), queue, named));
        Ok(Self {
            handle,
            events,
            commands,
            pump,
            node,
        })
    }

    /// Asks things without the exchange.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Names this node to the network, which then lets its peers' enclaves talk to its own; none
    /// while it has no enclave.
    pub(super) fn name(&self, node: Option<NodeId>) {
        self.node.send_replace(node);
    }

    /// Passes a gossiped object to nobody: this node takes part in none of it.
    pub(super) fn ignore(&self, message: GossipId) {
        // What is not judged is forgotten after a while.
        let _ = self.commands.try_send(Command::Ignore(message));
    }

    /// Carries out a command, or gives it back when there is no room for it now.
    pub(super) fn obey(&self, command: ToNetwork) -> Result<(), ToNetwork> {
        if let ToNetwork::Frame { link, bytes } = command {
            // A link that does not keep up is closed, which its event tells.
            let _ = self.handle.frame(link, bytes);
            return Ok(());
        }
        match self.commands.try_send(Command::Network(command)) {
            Err(mpsc::error::TrySendError::Full(Command::Network(command))) => Err(command),
            // A network that has ended tells so with its events.
            _ => Ok(()),
        }
    }

    /// The next event; nothing when the network has ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Leaves the network.
    pub(super) async fn close(self) {
        let Self {
            handle,
            mut events,
            pump,
            ..
        } = self;
        // What was asked before is asked; nobody waits for what comes of it.
        pump.abort();
        let leaving = async {
            handle.stop().await;
            while events.recv().await.is_some() {}
        };
        let _ = tokio::time::timeout(LEAVE, leaving).await;
    }
}

/// Carries commands to the network, which may make it wait. The node's name does not wait behind
/// them, and is not lost for want of room.
async fn pump(
    handle: Handle,
    mut queue: mpsc::Receiver<Command>,
    mut named: watch::Receiver<Option<NodeId>>,
) {
    loop {
        let carried = tokio::select! {
            biased;
            Ok(()) = named.changed() => {
                let node = *named.borrow_and_update();
                match node {
                    Some(node) => handle.local_node(node).await,
                    None => handle.enclave_away().await,
                }
            }
            Some(command) = queue.recv() => match command {
                Command::Ignore(message) => handle.judge(message, Verdict::Ignore).await,
                Command::Network(command) => carry(&handle, command).await,
            },
            else => return,
        };
        if carried.is_err() {
            return;
        }
    }
}

async fn carry(
    handle: &Handle,
    command: ToNetwork,
) -> Result<(), vettid_federation::handle::Stopped> {
    match command {
        ToNetwork::Admitted {
            link,
            node,
            expires,
        } => handle.admitted(link, node, expires).await,
        ToNetwork::Close { link } => handle.refuse(link, NotAdmitted::Replaced).await,
        ToNetwork::Dial(node) => handle.dial(node).await,
        ToNetwork::Find { search, location } => handle.find_record(search, location).await,
        ToNetwork::Frame { .. } => Ok(()),
        ToNetwork::Publish {
            location,
            expires,
            record,
        } => handle.put_record(location, record, expires).await,
        ToNetwork::Refuse { link, why } => handle.refuse(link, why).await,
    }
}

/// Time the network has to close its connections.
const LEAVE: std::time::Duration = std::time::Duration::from_secs(5);
