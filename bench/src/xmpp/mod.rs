//! The reference of messages: two Prosody servers of Debian that federate on this machine, as they
//! are configured there, except that nothing is encrypted and no rate is limited.

mod client;
mod server;

use std::process;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::talk::Line;
use client::{Client, Speaker};
use server::Server;

/// Two running servers with clients that are logged in.
pub(crate) struct TwoServers {
    pub(crate) runtime: Runtime,
    /// From each client of the first server to the one of the second.
    pub(crate) lines: Vec<Line<Speaker>>,
    _servers: [Server; 2],
}

impl TwoServers {
    /// Starts two servers with `pairs` clients each.
    pub(crate) fn with_pairs(pairs: usize) -> Result<Self> {
        let runtime = Runtime::new()?;
        // An address of its own in 127.0.0.0/8 for each, which is its name too: no DNS.
        let name = |number| format!("127.252.{}.{number}", 1 + process::id() % 250);
        let servers = [
            Server::start(&name(1), pairs)?,
            Server::start(&name(2), pairs)?,
        ];
        let lines = runtime.block_on(async {
            let [here, there] = &servers;
            let mut lines = Vec::with_capacity(pairs);
            for number in 0..pairs {
                let user = server::user(number);
                let from = Client::log_in(here.name(), &user).await?;
                let to = Client::log_in(there.name(), &user).await?;
                let (says, heard) = (from.speak_to(to.address()), to.listen());
                lines.push(Line { says, heard });
            }
            Ok::<_, anyhow::Error>(lines)
        })?;
        Ok(Self {
            runtime,
            lines,
            _servers: servers,
        })
    }
}
