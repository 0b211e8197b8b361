//! What an open vault costs: private memory, and time from fork to ready. Printed, and held to
//! their bounds.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

mod rig;

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rig::{DEADLINE, Device, Rig, fresh, space};
use vettid_runtime::memory::private;
use vettid_runtime::owner_vault::template;
use vettid_runtime::slot::Slot;
use vettid_runtime::zygote::{Report, Zygote};
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, SessionId};
use vettid_wire::link::FromHost;

const VAULTS: u8 = 50;

/// Private memory of one idle open vault, KiB: bound of the design.
const IDLE_KIB: u64 = 1024;

fn private_kib(pid: i32) -> u64 {
    private(pid, 0).expect("a process") / 1024
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
    assert_eq!(pids.len(), usize::from(VAULTS));
    let private = || median(pids.iter().map(|pid| private_kib(*pid)).collect());
    let opened = private();
    let mut devices: Vec<Device> = (0..VAULTS)
        .map(|number| Device::open(&mut rig, space(number), 1))
        .collect();
    for device in &mut devices {
        assert!(device.echoes(&mut rig));
    }
    let used = private();
    // A quiet vault gives memory back after a while; that must happen by itself.
    let since = Instant::now();
    let mut quiet = used;
    while quiet > IDLE_KIB / 2 && since.elapsed() < Duration::from_secs(8) {
        quiet = private();
    }

    eprintln!(
        "private memory of an open vault, KiB (median of {VAULTS}): \
         {opened} opened, {used} with a session, {quiet} quiet"
    );
    assert!(
        opened <= IDLE_KIB && quiet <= IDLE_KIB,
        "{opened}, {quiet} KiB"
    );
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
    let (mut forks, mut execs) = (Vec::new(), Vec::new());
    let mut kept = Vec::new();
    // In turn, so that what else the machine does slows both alike.
    for number in 0..u16::from(VAULTS) {
        let since = Instant::now();
        let mut socket = UnixStream::from(zygote.fork(Slot::new(number)).expect("fork"));
        socket.set_read_timeout(Some(DEADLINE)).expect("timeout");
        socket.read_exact(&mut [0]).expect("ready");
        forks.push(since.elapsed());
        kept.push(socket);
        execs.push(exec());
    }
    let started = reports_of_starts(&zygote);

    let (fork, exec) = (median(forks), median(execs));
    eprintln!("fork to ready: {fork:?}; fork, exec and first byte of /bin/echo: {exec:?}");
    assert_eq!(started, usize::from(VAULTS));
    assert!(fork <= exec * 4, "{fork:?} against {exec:?}");
}

/// Counts until every process that was forked is reported, which a process does not wait for.
fn reports_of_starts(zygote: &Zygote) -> usize {
    let deadline = PollTimeout::try_from(DEADLINE).expect("short");
    let mut started = 0;
    while started < usize::from(VAULTS) {
        let mut waited = [PollFd::new(zygote.as_fd(), PollFlags::POLLIN)];
        assert_eq!(
            poll(&mut waited, deadline),
            Ok(1),
            "{started} were reported"
        );
        started += std::iter::from_fn(|| zygote.next_report().expect("zygote"))
            .filter(|report| matches!(report, Report::Started(..)))
            .count();
    }
    started
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

/// Envelopes of 1 KB to 16 vaults and an answer to each, 64 under way: what routing alone costs.
#[test]
#[ignore = "a measurement; meaningful with optimization only"]
fn envelopes_a_second_through_supervisor_and_vault_processes() {
    let mut rig = Rig::start();
    for number in 0..16 {
        rig.open(space(number), fresh());
    }
    let envelope = Envelope {
        kind: Kind::Transport,
        device: DeviceRoute([1; 16]),
        session: SessionId([1; 16]),
        body: &[0; 1024],
    };
    let ask = |rig: &mut Rig, at: u32| {
        let space = space(u8::try_from(at % 16).expect("small"));
        rig.send(&FromHost::Frame {
            space,
            envelope: envelope.to_bytes(),
        });
    };
    let since = Instant::now();
    for at in 0..COUNT {
        ask(&mut rig, at);
        if at >= 64 {
            rig.mail(
                space(u8::try_from((at - 64) % 16).expect("small")),
                DeviceRoute([1; 16]),
            );
        }
    }
    let rate = f64::from(COUNT) / since.elapsed().as_secs_f64();
    eprintln!("envelopes answered with a reset: {rate:.0} a second");
}

/// The same with sessions: sealed requests of 1 KB and sealed echoes, devices included.
#[test]
#[ignore = "a measurement; meaningful with optimization only"]
fn echoes_a_second_through_sessions() {
    let mut rig = Rig::start();
    let mut devices: Vec<Device> = (0..16)
        .map(|number| {
            rig.open(space(number), fresh());
            Device::open(&mut rig, space(number), 1)
        })
        .collect();
    let request = [b"echo..".as_slice(), &[7; 1018]].concat();
    let since = Instant::now();
    for at in 0..COUNT {
        devices[(at % 16) as usize].ask(&mut rig, &request);
        if at >= 64 {
            devices[((at - 64) % 16) as usize].hear(&mut rig);
        }
    }
    let rate = f64::from(COUNT) / since.elapsed().as_secs_f64();
    eprintln!("sealed echoes: {rate:.0} a second, host and devices on one thread beside");
}

const COUNT: u32 = 100_000;
