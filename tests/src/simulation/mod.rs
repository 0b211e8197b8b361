//! A federation in memory: nodes, what lies between them, and their owners, in one thread, in virtual
//! time, from one seed. The same seed gives the same run.
//!
//! ```text
//!  Owner ── requests ──▶ Vault ◀──▶ SimulatedEnclave ◀── frames of the link ──▶ Node (host)
//!                          │         courier, sessions,       spool, mailboxes,      ║ wires
//!                     VaultDisk      evidence                 homes                 Sky: time, dice,
//!                                                                                   network
//! ```
//!
//! The vaults, the couriers, the sessions between enclaves with their evidence, and the order of the
//! spool are the product's own. The rest of a host is in memory: [`mailbox`], [`disk`], [`node`].
//! Everything that takes time is an event; what happened and was not durable when a node dies is lost.
//!
//! *Not* covered: the supervisor's sockets and queues, the lanes to vault processes and what waits for
//! slow ones, sessions of devices, newer network files, SQL of the host, libp2p. Real processes show
//! those.
//!
//! | question | module |
//! |---|---|
//! | what happens when, and who can reach whom? | [`sky`] |
//! | what is a node? | [`node`] |
//! | what does its host do, honest or not? | `host`, `links` |
//! | what does it keep of a vault? | [`disk`] |
//! | what waits for a closed vault? | [`mailbox`] |
//! | how is a vault driven? | [`vaults`] |
//! | how does an owner act? | [`owner`] |
//! | how does a scenario drive all this? | [`world`] |

pub mod disk;
mod host;
mod links;
pub mod mailbox;
pub mod node;
pub mod owner;
pub mod sky;
pub mod talk;
pub mod vaults;
pub mod world;

pub use owner::Owner;
pub use sky::Conditions;
pub use world::World;

/// Says which seed a scenario failed with.
#[derive(Debug)]
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}
