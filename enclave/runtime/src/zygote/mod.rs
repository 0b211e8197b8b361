//! The process that vault processes are forked from.
//!
//! ```text
//! supervisor ── Fork{slot} + socket ──▶ zygote ── fork ──▶ vault process (reseeds, confines itself)
//!            ── Kill{slot} ───────────▶
//!            ◀── Started | Ended | Refused
//! ```
//!
//! The zygote is forked before the supervisor has touched keys, sockets or randomness, so a vault
//! process inherits none of them. It prepares one template (an empty database) whose pages all
//! vault processes share. It dies with the supervisor, and vault processes die with it.

mod control;
mod nursery;

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, setsockopt,
    socketpair,
};
use nix::sys::time::TimeVal;
use nix::unistd::{ForkResult, Pid, getpid};

pub use control::{Ending, Report};
use control::{MESSAGE_LEN, Order};
use nursery::{BROKEN, Nursery};

use crate::lane::PATIENCE;
use crate::sandbox::{Sandbox, die_with};
use crate::slot::Slot;
use crate::system;

/// Why the zygote could not be used. The supervisor cannot go on without it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ZygoteError {
    /// The zygote has ended or does not follow the protocol.
    #[error("zygote is gone")]
    Gone,
    /// The kernel refused a call.
    #[error("zygote could not be reached: {0}")]
    System(#[from] Errno),
}

/// The supervisor's handle on its zygote.
#[derive(Debug)]
pub struct Zygote {
    control: OwnedFd,
    pid: Pid,
}

impl Zygote {
    /// Forks the zygote. Call first of all in `main`, with one thread and no secrets.
    ///
    /// `prepare` runs in the zygote and must not draw randomness. `life` is a vault process's whole
    /// life after confinement: it takes the template and the one socket and returns an exit code.
    ///
    /// # Errors
    /// When the kernel refuses the socket pair or the fork.
    pub fn start<T>(
        address_space: u64,
        prepare: fn() -> Option<T>,
        life: fn(T, OwnedFd) -> u8,
    ) -> Result<Self, ZygoteError> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        let supervisor = getpid();
        match system::fork()? {
            ForkResult::Parent { child } => Ok(Self {
                control: ours,
                pid: child,
            }),
            ForkResult::Child => {
                drop(ours);
                system::exit_now(be_zygote(supervisor, theirs, address_space, prepare, life))
            }
        }
    }

    /// Orders a vault process in `slot`, which must be free; returns the supervisor's end of its
    /// socket. The process's start or failure arrives as a [`Report`].
    ///
    /// # Errors
    /// When the zygote is gone or descriptors have run out.
    pub fn fork(&self, slot: Slot) -> Result<OwnedFd, ZygoteError> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::Stream,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        // Here, since a vault process may set nothing.
        let patience = i64::try_from(PATIENCE.as_secs()).unwrap_or(1);
        setsockopt(&theirs, ReceiveTimeout, &TimeVal::new(patience, 0))?;
        self.send(Order::Fork(slot), Some(&theirs))?;
        Ok(ours)
    }

    /// Has the vault process in `slot` killed; its end arrives as a [`Report`].
    ///
    /// # Errors
    /// When the zygote is gone.
    pub fn kill(&self, slot: Slot) -> Result<(), ZygoteError> {
        self.send(Order::Kill(slot), None)
    }

    /// The next report, if one has arrived.
    ///
    /// # Errors
    /// When the zygote is gone.
    pub fn next_report(&self) -> Result<Option<Report>, ZygoteError> {
        let mut bytes = [0_u8; MESSAGE_LEN + 1];
        match recv(
            system::raw(&self.control),
            &mut bytes,
            MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(0) => Err(ZygoteError::Gone),
            Ok(length) => bytes
                .get(..length)
                .and_then(Report::decode)
                .map(Some)
                .ok_or(ZygoteError::Gone),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(error) => Err(ZygoteError::System(error)),
        }
    }

    /// Process id of the zygote.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    fn send(&self, order: Order, socket: Option<&OwnedFd>) -> Result<(), ZygoteError> {
        let bytes = order.encode();
        let slices = [IoSlice::new(&bytes)];
        let raws: Vec<_> = socket.iter().map(|socket| system::raw(*socket)).collect();
        let rights = [ControlMessage::ScmRights(&raws)];
        let ancillary = if raws.is_empty() {
            &[][..]
        } else {
            &rights[..]
        };
        loop {
            let control = system::raw(&self.control);
            match sendmsg::<()>(control, &slices, ancillary, MsgFlags::MSG_NOSIGNAL, None) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(ZygoteError::Gone),
                Err(error) => return Err(ZygoteError::System(error)),
            }
        }
    }
}

impl AsFd for Zygote {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

/// The zygote's life after its fork; returns its exit code.
fn be_zygote<T>(
    supervisor: Pid,
    control: OwnedFd,
    address_space: u64,
    prepare: fn() -> Option<T>,
    life: fn(T, OwnedFd) -> u8,
) -> u8 {
    if die_with(supervisor).is_err() || prctl::set_dumpable(false).is_err() {
        return BROKEN;
    }
    // A vault process that touches one page must not have 2 MiB for it. A kernel that knows nothing of
    // this has no such pages to give.
    let _ = prctl::set_thp_disable(true);
    let (Ok(sandbox), Some(template)) = (Sandbox::prepare(address_space), prepare()) else {
        return BROKEN;
    };
    Nursery::new(control, sandbox, template, life).run()
}
