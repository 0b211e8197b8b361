//! `nats-server` as a supervised child.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::credentials::Credentials;
use super::server_file::{self, Listeners};
use crate::child::{self, Life, Program, end_left_behind, supervise};
use crate::folder::{NodeFolder, create_private, write_private};
use crate::shutdown::Stop;

/// Time that addresses have to become free.
const FREED: Duration = Duration::from_secs(3);

/// Pause between looks at them.
const LOOK: Duration = Duration::from_millis(20);

/// The running bus of one node.
pub struct BusServer {
    credentials: Arc<Credentials>,
    listeners: Listeners,
    file: PathBuf,
    resolver: PathBuf,
    restart: watch::Sender<u64>,
    life: watch::Receiver<Life>,
}

impl BusServer {
    /// Writes the server's file and starts the server from `program`. Fails where somebody else listens
    /// at one of its addresses, who would be taken for it.
    ///
    /// The task ends after `stop` was asked and the server has ended.
    pub async fn start(
        program: PathBuf,
        folder: &NodeFolder,
        credentials: Arc<Credentials>,
        listeners: Listeners,
        account_token: &str,
        stop: Stop,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let program = program_of(folder, program);
        let file = file_of(folder);
        let resolver = folder.bus().join("accounts");
        create_private(&resolver)?;
        let (restart, restarts) = watch::channel(0);
        let (life_sender, life) = watch::channel(Life::default());
        let server = Self {
            credentials,
            listeners,
            file,
            resolver,
            restart,
            life,
        };
        server.write_file(account_token)?;
        end_left_behind(&program).await;
        server.until_free().await?;
        let task = tokio::spawn(supervise(program, life_sender, restarts, stop));
        Ok((server, task))
    }

    /// Waits until its addresses are free: what was just killed may still hold them.
    async fn until_free(&self) -> io::Result<()> {
        let deadline = Instant::now() + FREED;
        loop {
            match self.listeners.check_free() {
                Err(_) if Instant::now() < deadline => sleep(LOOK).await,
                free => return free.map_err(io::Error::other),
            }
        }
    }

    /// Writes the file again, so that the next start begins with this account token.
    pub fn write_file(&self, account_token: &str) -> io::Result<()> {
        let text = self
            .listeners
            .to_file(&self.credentials, account_token, &self.resolver);
        write_private(&self.file, text.as_bytes())
    }

    /// Ends the server and starts it anew.
    pub fn restart(&self) {
        self.restart
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Where it listens.
    #[must_use]
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Whether it runs, and how often it was started.
    #[must_use]
    pub fn life(&self) -> watch::Receiver<Life> {
        self.life.clone()
    }
}

/// Where `program` listens for a folder whose node was killed; nowhere if there is none. The next start
/// of the node ends it.
pub(crate) fn left_behind(folder: &NodeFolder, program: PathBuf) -> Vec<SocketAddr> {
    if !child::is_left_behind(&program_of(folder, program)) {
        return Vec::new();
    }
    let text = fs::read(file_of(folder)).unwrap_or_default();
    server_file::addresses_in(&text)
}

fn file_of(folder: &NodeFolder) -> PathBuf {
    folder.bus().join("server.conf")
}

fn program_of(folder: &NodeFolder, path: PathBuf) -> Program {
    let file = file_of(folder).into_os_string();
    Program {
        name: "nats-server",
        path,
        arguments: vec![OsString::from("-c"), file.clone()],
        mark: file,
        pid_file: folder.run().join("nats.pid"),
        line: report,
    }
}

/// Logs what the server says about itself; lines about one connection hold its address and user.
fn report(line: &str) {
    if ["cid:", "wid:", "rid:", "lid:", "mid:"]
        .iter()
        .any(|mark| line.contains(mark))
    {
        return;
    }
    // A line is `[process] [LVL] text`.
    let rest = line.split_once("] ").map_or(line, |(_, rest)| rest);
    let (level, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match level {
        "[FTL]" | "[ERR]" | "nats-server:" => tracing::error!(text, "nats-server"),
        "[WRN]" => tracing::warn!(text, "nats-server"),
        _ => tracing::debug!(text, "nats-server"),
    }
}
