//! The operator's socket: one line of JSON in, one out, for the folder's owner alone.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Operator, Reply, Request};
use crate::shutdown::Stop;

/// Longest request, bytes: a network file in JSON.
const REQUEST: u64 = 256 * 1024;

/// Longest reply, bytes: ten thousand invitations.
const REPLY: u64 = 8 * 1024 * 1024;

/// Time for one command. Preparing a release takes
/// longest: 70 s.
const COMMAND: Duration = Duration::from_secs(75);

/// Commands at once.
const COMMANDS: usize = 8;

/// Why a running node did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// No node runs in this folder.
    #[error("no node runs in this folder")]
    NotRunning,
    /// It did not answer, or not in our language.
    #[error("the running node does not answer: {0}")]
    Io(#[from] io::Error),
}

/// Serves `operator` at `path` until asked to stop. The folder around it is private.
pub async fn serve(path: &Path, operator: Arc<Operator>, mut stop: Stop) -> io::Result<()> {
    // The folder is locked, so a socket that is there is of a node that died.
    let _ = std::fs::remove_file(path);
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let path = path.to_owned();
    let places = Arc::new(Semaphore::new(COMMANDS));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = stop.asked() => break,
            };
            let (Ok((stream, _)), Ok(place)) =
                (accepted, Arc::clone(&places).acquire_owned().await)
            else {
                continue;
            };
            let operator = Arc::clone(&operator);
            tokio::spawn(async move {
                let _place = place;
                // Whoever hangs up or stalls gets nothing.
                let _ = timeout(COMMAND, serve_one(stream, &operator)).await;
            });
        }
        let _ = std::fs::remove_file(path);
    });
    Ok(())
}

/// Asks the node that serves the socket at `path`.
pub async fn ask(path: &Path, request: &Request) -> Result<Reply, AskError> {
    let stream = UnixStream::connect(path)
        .await
        .map_err(|_| AskError::NotRunning)?;
    let asked = timeout(COMMAND, exchange(stream, request)).await;
    Ok(asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??)
}

async fn serve_one(stream: UnixStream, operator: &Operator) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(reading.take(REQUEST))
        .read_until(b'\n', &mut line)
        .await?;
    let reply = match serde_json::from_slice(&line) {
        Ok(request) => operator.answer(request).await,
        Err(_) => Reply::Failed {
            message: "not a command of this release".to_owned(),
        },
    };
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    writing.write_all(&line).await
}

async fn exchange(stream: UnixStream, request: &Request) -> io::Result<Reply> {
    let (reading, mut writing) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    writing.write_all(&line).await?;
    let mut reply = Vec::new();
    BufReader::new(reading.take(REPLY))
        .read_until(b'\n', &mut reply)
        .await?;
    Ok(serde_json::from_slice(&reply)?)
}
