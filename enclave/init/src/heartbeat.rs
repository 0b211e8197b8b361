//! The one byte by which the host's launcher learns that the image is up, and which it echoes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, setsockopt, socket};
use nix::sys::time::TimeVal;

use crate::refusal::Refusal;

/// Context id of the host as every enclave sees it.
const HOST: u32 = 3;

/// Port that the launcher listens on.
const PORT: u32 = 9000;

/// The byte.
const BEAT: u8 = 0xb7;

/// A launcher that does not echo within this many seconds is gone.
const PATIENCE: i64 = 10;

/// Sends the heartbeat and waits for its echo.
pub(crate) fn send() -> Result<(), Refusal> {
    dial()
        .and_then(|launcher| exchange(&mut &launcher))
        .map_err(|error| Refusal::Heartbeat(error.kind()))
}

fn dial() -> io::Result<File> {
    let socket = socket(
        AddressFamily::Vsock,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&socket, ReceiveTimeout, &TimeVal::new(PATIENCE, 0))?;
    connect(socket.as_raw_fd(), &VsockAddr::new(HOST, PORT))?;
    Ok(socket.into())
}

fn exchange(launcher: &mut (impl Read + Write)) -> io::Result<()> {
    launcher.write_all(&[BEAT])?;
    let mut echo = [0];
    launcher.read_exact(&mut echo)?;
    if echo == [BEAT] {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn with_echo(echo: &[u8]) -> (Result<(), io::ErrorKind>, Vec<u8>) {
        let (mut ours, mut launcher) = UnixStream::pair().expect("pair");
        launcher.write_all(echo).expect("echo");
        launcher.shutdown(std::net::Shutdown::Write).expect("shut");
        let sent = exchange(&mut ours).map_err(|error| error.kind());
        drop(ours);
        let mut heard = Vec::new();
        launcher.read_to_end(&mut heard).expect("heard");
        (sent, heard)
    }

    #[test]
    fn the_beat_is_sent_and_its_echo_accepted() {
        assert_eq!(with_echo(&[0xb7]), (Ok(()), vec![0xb7]));
    }

    #[test]
    fn a_launcher_that_echoes_something_else_or_nothing_is_refused() {
        assert_eq!(with_echo(&[0xb6]).0, Err(io::ErrorKind::InvalidData));
        assert_eq!(with_echo(&[]).0, Err(io::ErrorKind::UnexpectedEof));
    }
}
