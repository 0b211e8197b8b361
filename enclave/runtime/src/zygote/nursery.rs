//! The zygote's own side: waits for orders, forks, reaps. Single-threaded; draws no randomness.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, send};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getpid};

use super::control::{Ending, MESSAGE_LEN, Order, Report};
use crate::sandbox::Sandbox;
use crate::slot::Slot;
use crate::system;

/// Exit codes of the zygote itself.
pub(super) const LOST_SUPERVISOR: u8 = 0;
pub(super) const BROKEN: u8 = 60;

/// The zygote's loop over one control socket.
pub(super) struct Nursery<T> {
    control: OwnedFd,
    sandbox: Sandbox,
    template: T,
    life: fn(T, OwnedFd) -> u8,
    children: BTreeMap<Slot, Pid>,
}

impl<T> Nursery<T> {
    pub(super) fn new(
        control: OwnedFd,
        sandbox: Sandbox,
        template: T,
        life: fn(T, OwnedFd) -> u8,
    ) -> Self {
        Self {
            control,
            sandbox,
            template,
            life,
            children: BTreeMap::new(),
        }
    }

    /// Serves until the supervisor is gone; returns the zygote's exit code. In a forked child this
    /// never returns.
    pub(super) fn run(mut self) -> u8 {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        if mask.thread_block().is_err() {
            return BROKEN;
        }
        let Ok(deaths) =
            SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        else {
            return BROKEN;
        };
        loop {
            let mut waits = [
                PollFd::new(self.control.as_fd(), PollFlags::POLLIN),
                PollFd::new(deaths.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut waits, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return BROKEN,
            }
            let [orders, ended] = waits.map(|wait| wait.any().unwrap_or(false));
            if ended {
                while let Ok(Some(_)) = deaths.read_signal() {}
                self.reap();
            }
            if orders {
                match receive(&self.control) {
                    Received::Order(Order::Fork(slot), Some(socket)) => {
                        match self.fork(slot, socket) {
                            Some(next) => self = next,
                            None => return BROKEN,
                        }
                    }
                    Received::Order(Order::Kill(slot), None) => self.kill(slot),
                    Received::Nothing => {}
                    Received::Gone => return LOST_SUPERVISOR,
                    Received::Order(..) | Received::Nonsense => return BROKEN,
                }
            }
        }
    }

    /// Forks one vault process; only the zygote gets past this call.
    fn fork(mut self, slot: Slot, socket: OwnedFd) -> Option<Self> {
        if self.children.contains_key(&slot) {
            return None;
        }
        let zygote = getpid();
        match system::fork() {
            Ok(ForkResult::Child) => {
                // First act: siblings must never draw what this one draws.
                system::reseed_sqlite();
                match self.sandbox.enter(slot, zygote, socket) {
                    Ok(socket) => system::exit_now((self.life)(self.template, socket)),
                    Err(step) => system::exit_now(step.exit_code()),
                }
            }
            Ok(ForkResult::Parent { child }) => {
                self.children.insert(slot, child);
                self.report(Report::Started(slot, child.as_raw()));
            }
            Err(error) => self.report(Report::Refused(slot, error as i32)),
        }
        Some(self)
    }

    /// Kills a child that is not yet reaped, so that the process id is certainly still its own.
    fn kill(&self, slot: Slot) {
        if let Some(child) = self.children.get(&slot) {
            let _ = kill(*child, Signal::SIGKILL);
        }
    }

    fn reap(&mut self) {
        loop {
            let (pid, ending) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => {
                    (pid, Ending::Exited(u8::try_from(code).unwrap_or(u8::MAX)))
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) => (
                    pid,
                    Ending::Killed(u8::try_from(signal as i32).unwrap_or(u8::MAX)),
                ),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            let slot = self
                .children
                .iter()
                .find(|(_, child)| **child == pid)
                .map(|(slot, _)| *slot);
            if let Some(slot) = slot {
                self.children.remove(&slot);
                self.report(Report::Ended(slot, ending));
            }
        }
    }

    /// Blocks when the supervisor does not read; it always does.
    fn report(&self, report: Report) {
        let bytes = report.encode();
        while let Err(Errno::EINTR) =
            send(system::raw(&self.control), &bytes, MsgFlags::MSG_NOSIGNAL)
        {}
    }
}

enum Received {
    Gone,
    Nonsense,
    Nothing,
    Order(Order, Option<OwnedFd>),
}

fn receive(control: &OwnedFd) -> Received {
    let mut bytes = [0_u8; MESSAGE_LEN + 1];
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let mut ancillary = cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = match recvmsg::<()>(
        system::raw(control),
        &mut slices,
        Some(&mut ancillary),
        flags,
    ) {
        Ok(message) => message,
        Err(Errno::EAGAIN | Errno::EINTR) => return Received::Nothing,
        Err(_) => return Received::Gone,
    };
    let length = message.bytes;
    let mut socket = None;
    let Ok(controls) = message.cmsgs() else {
        return Received::Nonsense;
    };
    for control in controls {
        if let ControlMessageOwned::ScmRights(raws) = control {
            for raw in raws {
                socket = Some(system::adopt(raw));
            }
        }
    }
    if length == 0 {
        return Received::Gone;
    }
    match bytes.get(..length).and_then(Order::decode) {
        Some(order) => Received::Order(order, socket),
        None => Received::Nonsense,
    }
}
