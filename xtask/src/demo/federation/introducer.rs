//! A bootstrap node or relay: started, asked, ended by process id.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::output;
use crate::demo::owner::text_of;

/// How long it may take to be ready on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One that runs; ended when dropped.
pub(crate) struct Introducer {
    program: PathBuf,
    config: PathBuf,
    folder: PathBuf,
    peer: String,
    port: u16,
    running: Option<Child>,
}

impl Introducer {
    /// Starts `program` in a folder of its own and waits until it is ready.
    pub(crate) fn start(program: &Path, folder: &Path, network: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let config = folder.join("host.toml");
        let (port, metrics) = (free_port()?, free_port()?);
        let text = format!(
            "[host]\nkey = \"host.key\"\nnetwork = \"network.toml\"\n\
             listen = [\"/ip4/127.0.0.1/tcp/{port}\"]\n\
             external = [\"/ip4/127.0.0.1/tcp/{port}\"]\n\
             metrics = \"127.0.0.1:{metrics}\"\nprivate_addresses = true\n"
        );
        fs::write(&config, text).with_context(|| config.display().to_string())?;
        let mut introducer = Self {
            program: program.to_path_buf(),
            config,
            folder: folder.to_path_buf(),
            peer: String::new(),
            port,
            running: None,
        };
        introducer.take(network)?;
        introducer.run()?;
        Ok(introducer)
    }

    /// Takes a signed network file, which it hands out.
    pub(crate) fn take(&self, network: &Path) -> Result<()> {
        fs::copy(network, self.folder.join("network.toml")).context("network file")?;
        Ok(())
    }

    /// Its address, as a network file names it.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.port, self.peer)
    }

    /// Its folder, with everything that it wrote.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `vettid-relay status` tells.
    pub(crate) fn status(&self) -> Result<Value> {
        let text = output(&mut self.command("status"))?;
        serde_json::from_str(&text).context("status of the relay")
    }

    /// Leaves it running when this value is gone.
    pub(crate) fn keep(mut self) {
        self.running = None;
    }

    fn run(&mut self) -> Result<()> {
        let log = File::create(self.folder.join("host.log"))?;
        let mut command = self.command("run");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().context("starting an introducer")?;
        let spoken = child.stdout.take();
        self.running = Some(child);
        let line = spoken.map(first_line).unwrap_or_default();
        let ready: Value = serde_json::from_str(&line).with_context(|| {
            let log = fs::read_to_string(self.folder.join("host.log"));
            format!(
                "{} is not ready: {line}{}",
                self.program.display(),
                log.unwrap_or_default()
            )
        })?;
        ensure!(
            ready.get("ready") == Some(&Value::Bool(true)),
            "not ready: {ready}"
        );
        self.peer = text_of(&ready, "peer")?;
        Ok(())
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args([verb, "--json", "--config"]).arg(&self.config);
        command
    }
}

impl Drop for Introducer {
    fn drop(&mut self) {
        let Some(mut child) = self.running.take() else {
            return;
        };
        if let Ok(pid) = i32::try_from(child.id()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = child.wait();
    }
}

/// What it says first, heard by a thread: one that says nothing keeps nobody waiting for ever.
fn first_line(spoken: ChildStdout) -> String {
    let (say, said) = channel();
    thread::spawn(move || {
        let mut line = String::new();
        // A failed read is told as nothing, and nobody may wait any more.
        let _ = BufReader::new(spoken).read_line(&mut line);
        let _ = say.send(line);
    });
    said.recv_timeout(PATIENCE).unwrap_or_default()
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("a free port")?;
    Ok(listener.local_addr()?.port())
}
