//! The processes of one node, by id: who they are, and their end.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// Ends a process at once and waits until it is gone. One that is gone already is fine.
///
/// # Panics
/// When it cannot be ended.
pub fn kill_now(pid: i32) {
    send(pid, Signal::SIGKILL);
    wait::until("a killed process is gone", || is_gone(pid).then_some(()));
}

/// Sends a signal; a process that is gone does not mind.
///
/// # Panics
/// When it may not be sent.
pub fn send(pid: i32, signal: Signal) {
    assert!(pid > 1, "no process of ours: {pid}");
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("process {pid}: {error}"),
    }
}

/// Whether a process has ended, its parent's knowledge of it aside.
#[must_use]
pub fn is_gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(") ")
                .map(|(_, rest)| rest.starts_with(['Z', 'X']))
        })
        .unwrap_or(true)
}

/// The process id in a file, if it is there.
#[must_use]
pub fn recorded(file: &Path) -> Option<i32> {
    fs::read_to_string(file)
        .ok()?
        .trim()
        .parse()
        .ok()
        .filter(|pid| !is_gone(*pid))
}

/// Children of a process that have not ended.
#[must_use]
pub fn children(parent: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task"))
        .into_iter()
        .flatten()
        .flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<i32>>()
        })
        .filter(|pid| !is_gone(*pid))
        .collect()
}

/// Everything below a process, itself included.
#[must_use]
pub fn family(root: i32) -> Vec<i32> {
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        all.extend(children(pid));
        next += 1;
    }
    all
}
