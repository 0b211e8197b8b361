//! A program the node starts and keeps running: `nats-server`, the emulated enclave.
//!
//! It is started again with backoff when it ends, and ended with the node. A node that was killed
//! leaves its children behind; the next start finds them by program and folder and ends them before
//! it starts its own.

mod recorded;

pub(crate) use recorded::{end_left_behind, is_left_behind};

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::shutdown::Stop;

/// Time a child has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// After running this long, the next restart is quick again.
const STEADY: Duration = Duration::from_secs(60);

/// Longest line taken from a child's output, bytes.
const LINE: u64 = 4_096;

/// What is started, and how its output is read.
pub struct Program {
    /// Name in our log.
    pub name: &'static str,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments; one of them must be `mark`.
    pub arguments: Vec<OsString>,
    /// The argument by which a process left behind is recognized: a path in the node folder.
    pub mark: OsString,
    /// Where its process id is told to who looks on; nothing here reads it.
    pub pid_file: PathBuf,
    /// Takes each line it prints and may log it.
    pub line: fn(&str),
}

/// Whether a child runs, and how often it was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Life {
    /// It runs.
    pub running: bool,
    /// Starts so far.
    pub starts: u64,
}

/// Asks a supervised child to be started anew.
pub type Restarts = watch::Receiver<u64>;

/// Runs `program` until asked to stop. Returns after it has ended.
pub async fn supervise(
    program: Program,
    life: watch::Sender<Life>,
    mut restarts: Restarts,
    mut stop: Stop,
) {
    end_left_behind(&program).await;
    let mut backoff = Backoff::of_program();
    while !stop.is_asked() {
        let started = Instant::now();
        match program.start() {
            Err(error) => tracing::error!(child = program.name, %error, "cannot be started"),
            Ok(child) => {
                life.send_modify(|life| {
                    *life = Life {
                        running: true,
                        starts: life.starts.saturating_add(1),
                    };
                });
                program.watch(child, &mut restarts, &mut stop).await;
                life.send_modify(|life| life.running = false);
            }
        }
        if started.elapsed() >= STEADY {
            backoff = Backoff::of_program();
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            () = stop.asked() => {}
        }
    }
    recorded::forget(&program);
}

impl Program {
    fn start(&self) -> io::Result<Child> {
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal reaches the node alone, which ends its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        recorded::record(self, child.id());
        if let Some(output) = child.stdout.take() {
            tokio::spawn(read_lines(output, self.line));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(read_lines(output, self.line));
        }
        Ok(child)
    }

    async fn watch(&self, mut child: Child, restarts: &mut Restarts, stop: &mut Stop) {
        tokio::select! {
            ended = child.wait() => self.report(ended),
            Ok(()) = restarts.changed() => {
                tracing::info!(child = self.name, "restarting");
                end(&mut child).await;
            }
            () = stop.asked() => end(&mut child).await,
        }
    }

    fn report(&self, ended: io::Result<ExitStatus>) {
        match ended {
            Ok(status) if status.success() => tracing::info!(child = self.name, "ended"),
            Ok(status) => tracing::warn!(child = self.name, %status, "ended unexpectedly"),
            Err(error) => tracing::error!(child = self.name, %error, "cannot be watched"),
        }
    }
}

/// Ends a child: politely first, then for certain.
async fn end(child: &mut Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended just now.
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
    if timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// Hands every line of `output` to `line`; what is longer than [`LINE`] comes in pieces.
async fn read_lines(output: impl AsyncRead + Unpin, line: fn(&str)) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let mut limited = tokio::io::AsyncReadExt::take(&mut output, LINE);
        match limited.read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => line(String::from_utf8_lossy(&bytes).trim_end()),
        }
    }
}

#[cfg(test)]
mod tests;
