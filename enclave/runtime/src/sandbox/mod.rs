//! What a vault process may not do: everything but compute and talk over its one socket.
//!
//! Every step is fatal. A process that could not be confined ends with [`FailedStep::exit_code`]
//! before it has read a byte from its socket.

mod filter;

use std::fmt;
use std::os::fd::OwnedFd;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Pid, Uid, geteuid, getppid, setgroups, setresgid, setresuid};
use seccompiler::BpfProgram;

use crate::slot::Slot;
use crate::system;

/// First user id of vault processes; slot `n` runs as this plus `n` where the supervisor is root.
const FIRST_UID: u32 = 200_000;

/// Exit codes from here on name the step that failed.
const FIRST_EXIT_CODE: u8 = 64;

/// Open descriptors a vault process may have: its socket is number 3.
const DESCRIPTORS: u64 = 4;

/// The step of confinement that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum FailedStep {
    /// Descriptors could not be closed.
    Descriptors,
    /// The own user or group id could not be taken.
    Identity,
    /// A resource limit could not be set.
    Limits,
    /// The process stayed dumpable.
    NonDumpable,
    /// New privileges could not be given up.
    NoNewPrivileges,
    /// The signal at the parent's death could not be set, or the parent is gone.
    ParentDeath,
    /// The signal mask could not be cleared.
    Signals,
    /// The system call filter could not be installed.
    SystemCalls,
}

impl FailedStep {
    const ALL: [Self; 8] = [
        Self::Descriptors,
        Self::Identity,
        Self::Limits,
        Self::NonDumpable,
        Self::NoNewPrivileges,
        Self::ParentDeath,
        Self::Signals,
        Self::SystemCalls,
    ];

    /// Exit code by which a vault process names this step.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        FIRST_EXIT_CODE + self as u8
    }

    /// The step named by an exit code.
    #[must_use]
    pub fn from_exit_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.exit_code() == code)
    }
}

impl fmt::Display for FailedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sandbox step {self:?} failed")
    }
}

/// The confinement of every vault process, prepared once by the zygote.
pub struct Sandbox {
    filter: BpfProgram,
    address_space: u64,
}

impl Sandbox {
    /// Prepares the filter. `address_space` bounds each process's virtual memory in bytes.
    ///
    /// # Errors
    /// When the filter does not compile.
    pub fn prepare(address_space: u64) -> Result<Self, seccompiler::BackendError> {
        Ok(Self {
            filter: filter::compile()?,
            address_space,
        })
    }

    /// Confines this process for good and returns its one socket. `parent` is the zygote.
    ///
    /// # Errors
    /// The step that failed; the caller ends the process with its exit code.
    pub fn enter(&self, slot: Slot, parent: Pid, socket: OwnedFd) -> Result<OwnedFd, FailedStep> {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .map_err(|_| FailedStep::Signals)?;
        let socket = system::keep_only(socket).map_err(|_| FailedStep::Descriptors)?;
        umask(Mode::from_bits_truncate(0o077));
        take_identity(slot).map_err(|_| FailedStep::Identity)?;
        // After the change of identity, which clears both.
        die_with(parent)?;
        prctl::set_dumpable(false).map_err(|_| FailedStep::NonDumpable)?;
        prctl::set_no_new_privs().map_err(|_| FailedStep::NoNewPrivileges)?;
        self.limit().map_err(|_| FailedStep::Limits)?;
        seccompiler::apply_filter(&self.filter).map_err(|_| FailedStep::SystemCalls)?;
        Ok(socket)
    }

    fn limit(&self) -> nix::Result<()> {
        setrlimit(Resource::RLIMIT_AS, self.address_space, self.address_space)?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
        setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)?;
        setrlimit(Resource::RLIMIT_NPROC, 0, 0)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("address_space", &self.address_space)
            .finish_non_exhaustive()
    }
}

/// Has the kernel kill this process when `parent` ends; refuses where it has ended already.
pub(crate) fn die_with(parent: Pid) -> Result<(), FailedStep> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|_| FailedStep::ParentDeath)?;
    if getppid() == parent {
        Ok(())
    } else {
        Err(FailedStep::ParentDeath)
    }
}

/// Takes the slot's own user and group where this runs as root; elsewhere only non-dumpability and
/// the filter keep siblings apart.
fn take_identity(slot: Slot) -> nix::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let id = FIRST_UID + u32::from(slot.number());
    setgroups(&[])?;
    let group = Gid::from_raw(id);
    setresgid(group, group, group)?;
    let user = Uid::from_raw(id);
    setresuid(user, user, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_exit_code_and_is_named_by_it() {
        for step in FailedStep::ALL {
            assert_eq!(FailedStep::from_exit_code(step.exit_code()), Some(step));
        }
        assert_eq!(FailedStep::from_exit_code(0), None);
        assert_eq!(FailedStep::from_exit_code(FIRST_EXIT_CODE + 8), None);
    }
}
