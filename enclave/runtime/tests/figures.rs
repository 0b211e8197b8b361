//! What an open vault costs: private memory, and time from fork to ready. Printed, and held to
//! their bounds.

mod rig;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rig::{DEADLINE, Rig, fresh, space};
use vettid_runtime::owner_vault::template;
use vettid_runtime::slot::Slot;
use vettid_runtime::zygote::{Report, Zygote};

const VAULTS: u8 = 50;

/// Private memory of one idle open vault, KiB: bound of the design.
const IDLE_KIB: u64 = 1024;

fn private_kib(pid: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("rollup");
    rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| {
            line.split_whitespace()
                .nth(1)
                .expect("value")
                .parse::<u64>()
                .expect("number")
        })
        .sum()
}

fn median<T: Copy + Ord>(mut values: Vec<T>) -> T {
    values.sort();
    values[values.len() / 2]
}

#[test]
fn an_idle_open_vault_stays_within_its_memory() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: reading a vault process's map needs root");
        return;
    }
    let mut rig = Rig::start();
    for number in 0..VAULTS {
        rig.open(space(number), fresh());
    }
    let pids = rig.vault_pids();

    let idle = median(pids.iter().map(|pid| private_kib(*pid)).collect());

    eprintln!("private memory of an idle open vault: {idle} KiB (median of {VAULTS})");
    assert_eq!(pids.len(), usize::from(VAULTS));
    assert!(idle <= IDLE_KIB, "{idle} KiB");
}

/// Says that it is ready, and waits.
fn ready_and_wait(_: vettid_store::Database, socket: OwnedFd) -> u8 {
    let mut socket = UnixStream::from(socket);
    let said = socket.write_all(b"r");
    let _ = socket.read(&mut [0]);
    u8::from(said.is_err())
}

#[test]
fn a_vault_process_is_ready_about_as_fast_as_a_small_program() {
    let zygote = Zygote::start(1 << 30, template, ready_and_wait).expect("zygote");
    let mut forks = Vec::new();
    let mut kept = Vec::new();
    for number in 0..u16::from(VAULTS) {
        let since = Instant::now();
        let mut socket = UnixStream::from(zygote.fork(Slot::new(number)).expect("fork"));
        socket.set_read_timeout(Some(DEADLINE)).expect("timeout");
        socket.read_exact(&mut [0]).expect("ready");
        forks.push(since.elapsed());
        kept.push(socket);
    }
    let started = std::iter::from_fn(|| zygote.next_report().expect("zygote"))
        .filter(|report| matches!(report, Report::Started(..)))
        .count();
    let execs: Vec<Duration> = (0..VAULTS).map(|_| exec()).collect();

    let (fork, exec) = (median(forks), median(execs));
    eprintln!("fork to ready: {fork:?}; fork, exec and first byte of /bin/echo: {exec:?}");
    assert_eq!(started, usize::from(VAULTS));
    assert!(fork <= exec * 4, "{fork:?} against {exec:?}");
}

fn exec() -> Duration {
    let since = Instant::now();
    let mut child = Command::new("/bin/echo")
        .stdout(Stdio::piped())
        .spawn()
        .expect("echo");
    let mut stdout = child.stdout.take().expect("stdout");
    stdout.read_exact(&mut [0]).expect("first byte");
    let elapsed = since.elapsed();
    child.wait().expect("ended");
    elapsed
}
