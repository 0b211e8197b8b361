//! Starting the enclave and waiting for its end.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;

use crate::refusal::Refusal;

/// How the enclave ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal.
    Killed(Signal),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "ended with code {code}"),
            Self::Killed(signal) => write!(f, "was ended by {signal}"),
        }
    }
}

/// Starts `program` with no arguments and no environment.
#[allow(
    clippy::zombie_processes,
    reason = "reaped by its id, like every orphan"
)]
pub(crate) fn start(program: &Path) -> Result<Pid, Refusal> {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").stdin(Stdio::null());
    let child = command
        .spawn()
        .map_err(|error| Refusal::Program(error.kind()))?;
    i32::try_from(child.id())
        .map(Pid::from_raw)
        .map_err(|_| Refusal::Lost(Errno::ESRCH))
}

/// Reaps whatever ends until `enclave` does: orphans come to the first process.
pub(crate) fn reap_until_end(enclave: Pid) -> Result<End, Refusal> {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid == enclave => return Ok(End::Exited(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == enclave => {
                return Ok(End::Killed(signal));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Refusal::Lost(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::kill;

    /// One test, since it waits for any child of the process.
    #[test]
    #[allow(clippy::zombie_processes, reason = "what is tested reaps them")]
    fn the_enclaves_end_is_told_apart_from_that_of_others() {
        let enclave = start(Path::new("/bin/cat")).expect("starts");
        let exited = reap_until_end(enclave);
        let other = start(Path::new("/bin/false")).expect("starts");
        let asleep = Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .expect("starts");
        let asleep = Pid::from_raw(i32::try_from(asleep.id()).expect("pid"));
        kill(asleep, Signal::SIGKILL).expect("killed");
        let killed = reap_until_end(asleep);

        // Its standard input is empty, so it ends at once.
        assert_eq!(exited, Ok(End::Exited(0)));
        assert_eq!(killed, Ok(End::Killed(Signal::SIGKILL)));
        // The other one was reaped on the way or is now; then nobody is left to wait for.
        assert_eq!(
            reap_until_end(Pid::from_raw(other.as_raw().saturating_add(100_000))),
            Err(Refusal::Lost(Errno::ECHILD))
        );
        assert_eq!(
            start(Path::new("/nonexistent")),
            Err(Refusal::Program(std::io::ErrorKind::NotFound))
        );
    }

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(End::Exited(1).to_string(), "ended with code 1");
        assert_eq!(
            End::Killed(Signal::SIGKILL).to_string(),
            "was ended by SIGKILL"
        );
    }
}
