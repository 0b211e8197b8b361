//! What a vault process can and cannot do, tried from inside real ones.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

mod escape;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vettid_runtime::slot::Slot;
use vettid_runtime::zygote::{Ending, Report, Zygote};

const MIB: u64 = 1024 * 1024;
const ADDRESS_SPACE: u64 = 512 * MIB;
const DEADLINE: Duration = Duration::from_secs(20);
const FIRST_UID: u32 = 200_000;

const DONE: u8 = b'.';

/// A vault process that does what one byte tells it, and answers if it still can.
fn obey(template: [u8; 16], socket: OwnedFd) -> u8 {
    let mut socket = UnixStream::from(socket);
    let mut order = [0];
    while socket.read_exact(&mut order).is_ok() {
        let answer = match order[0] {
            b'r' => draw(template),
            b'm' => vec![u8::from(
                Vec::<u8>::new().try_reserve_exact(600 << 20).is_ok(),
            )],
            b'd' => (0..64).map(|fd| u8::from(is_open(fd))).collect(),
            b'h' => vec![u8::from(heap_works())],
            b'q' => return 7,
            other => {
                escape::attempt(other);
                vec![DONE]
            }
        };
        if socket.write_all(&answer).is_err() {
            return 1;
        }
    }
    0
}

fn draw(template: [u8; 16]) -> Vec<u8> {
    let mut out = template.to_vec();
    out.extend(sqlite_random());
    let mut kernel = [0; 16];
    getrandom::fill(&mut kernel).expect("kernel entropy");
    out.extend(kernel);
    out
}

/// More than any arena holds, so that mapping, growing and giving back are all tried.
fn heap_works() -> bool {
    let mut blocks: Vec<Vec<u8>> = (0..20).map(|size| vec![1; 1 << size]).collect();
    for block in &mut blocks {
        block.extend(std::iter::repeat_n(2, 1 << 19));
    }
    blocks.iter().all(|block| block[0] == 1)
}

fn is_open(fd: i32) -> bool {
    // Reading nothing says whether the descriptor is there, without a call that is not allowed.
    escape::call(libc::SYS_read, [fd.into(), 0, 0, 0, 0, 0]) == 0
}

#[allow(unsafe_code)]
fn sqlite_random() -> [u8; 16] {
    unsafe extern "C" {
        fn sqlite3_randomness(count: libc::c_int, buffer: *mut libc::c_void);
    }
    let mut bytes = [0_u8; 16];
    // SAFETY: the buffer holds exactly the sixteen bytes that are asked for.
    unsafe { sqlite3_randomness(16, bytes.as_mut_ptr().cast()) };
    bytes
}

struct Nursery {
    zygote: Zygote,
}

struct Child {
    slot: Slot,
    pid: i32,
    socket: UnixStream,
}

impl Nursery {
    fn start() -> Self {
        // The zygote draws from SQLite's generator here, which the real one never does: what
        // siblings would share if they did not reseed is then certainly there.
        let prepare = || Some(sqlite_random());
        Self {
            zygote: Zygote::start(ADDRESS_SPACE, prepare, obey).expect("zygote"),
        }
    }

    fn fork(&self, slot: u16) -> Child {
        let slot = Slot::new(slot);
        let socket = UnixStream::from(self.zygote.fork(slot).expect("fork"));
        socket.set_nonblocking(false).expect("blocking");
        socket.set_read_timeout(Some(DEADLINE)).expect("timeout");
        match self.report() {
            Report::Started(started, pid) if started == slot => Child { slot, pid, socket },
            other => panic!("{other:?}"),
        }
    }

    fn report(&self) -> Report {
        let since = Instant::now();
        while since.elapsed() < DEADLINE {
            if let Some(report) = self.zygote.next_report().expect("zygote lives") {
                return report;
            }
            let mut waits = [PollFd::new(self.zygote.as_fd(), PollFlags::POLLIN)];
            poll(&mut waits, PollTimeout::from(1000_u16)).expect("poll");
        }
        panic!("no report in time");
    }
}

impl Child {
    fn order(&mut self, order: u8) {
        self.socket.write_all(&[order]).expect("order");
    }

    fn answer(&mut self, length: usize) -> Vec<u8> {
        let mut answer = vec![0; length];
        self.socket.read_exact(&mut answer).expect("answer");
        answer
    }

    fn status(&self, key: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("status");
        let line = status
            .lines()
            .find(|line| line.starts_with(key))
            .expect("key");
        line.split_once(':').expect("value").1.trim().to_owned()
    }
}

#[test]
fn whatever_reaches_outside_is_the_last_thing_a_vault_process_does() {
    let nursery = Nursery::start();
    for (slot, order) in (0..).zip(escape::ATTEMPTS) {
        let mut child = nursery.fork(slot);
        child.order(order);

        let killed = Report::Ended(child.slot, Ending::Killed(31));
        assert_eq!(nursery.report(), killed, "order {}", char::from(order));
    }
}

#[test]
fn ordinary_work_is_possible_inside() {
    let nursery = Nursery::start();
    let mut child = nursery.fork(0);

    child.order(b'h');
    assert_eq!(child.answer(1), [1]);
    child.order(b'.');
    assert_eq!(child.answer(1), [DONE]);
}

#[test]
fn two_siblings_never_draw_the_same_bytes() {
    let nursery = Nursery::start();
    let mut siblings = [nursery.fork(0), nursery.fork(1)];
    let drawn = siblings.each_mut().map(|child| {
        child.order(b'r');
        child.answer(48)
    });

    let part = |at: usize| {
        (
            &drawn[0][at * 16..(at + 1) * 16],
            &drawn[1][at * 16..(at + 1) * 16],
        )
    };
    assert_eq!(
        part(0).0,
        part(0).1,
        "what the zygote drew before the fork is shared"
    );
    assert_ne!(part(1).0, part(1).1, "SQLite's generator");
    assert_ne!(part(2).0, part(2).1, "the kernel");
}

#[test]
fn only_the_one_socket_is_open() {
    let nursery = Nursery::start();
    let mut child = nursery.fork(0);

    child.order(b'd');

    let open: Vec<usize> = (0..64)
        .zip(child.answer(64))
        .filter(|(_, o)| *o == 1)
        .map(|(n, _)| n)
        .collect();
    assert_eq!(open, [3]);
}

#[test]
fn memory_beyond_the_limit_is_refused_and_the_process_goes_on() {
    let nursery = Nursery::start();
    let mut child = nursery.fork(0);

    child.order(b'm');

    assert_eq!(child.answer(1), [0]);
    child.order(b'h');
    assert_eq!(child.answer(1), [1]);
}

#[test]
fn no_page_of_a_vault_process_is_a_huge_one() {
    let nursery = Nursery::start();
    let child = nursery.fork(1);

    assert_eq!(child.status("THP_enabled"), "0");
}

#[test]
fn identity_and_privileges_are_given_up() {
    let nursery = Nursery::start();
    let child = nursery.fork(9);
    let mut child = child;
    child.order(b'.');
    child.answer(1);

    if nix::unistd::geteuid().is_root() {
        let id = (FIRST_UID + 9).to_string();
        let expected = [id.as_str(); 4].join("\t");
        assert_eq!(child.status("Uid"), expected);
        assert_eq!(child.status("Gid"), expected);
        assert_eq!(child.status("Groups"), "");
    } else {
        eprintln!("skipped: own user ids need root");
    }
    assert_eq!(child.status("NoNewPrivs"), "1");
    assert_eq!(child.status("Seccomp"), "2");
    assert_eq!(u64::from_str_radix(&child.status("CapEff"), 16), Ok(0));
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.pid)).expect("limits");
    for (name, value) in [
        ("Max core file size", 0),
        ("Max file size", 0),
        ("Max processes", 0),
        ("Max open files", 4),
        ("Max address space", ADDRESS_SPACE),
    ] {
        let line = limits
            .lines()
            .find(|line| line.starts_with(name))
            .expect(name);
        let values: Vec<_> = line[name.len()..].split_whitespace().take(2).collect();
        assert_eq!(values, [value.to_string(), value.to_string()], "{name}");
    }
}

#[test]
fn its_memory_cannot_be_read_even_by_its_own_user() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: trying it as the process's own user needs root");
        return;
    }
    let nursery = Nursery::start();
    let mut child = nursery.fork(3);
    child.order(b'.');
    child.answer(1);

    for file in ["mem", "maps", "environ"] {
        let output = Command::new("/bin/cat")
            .arg(format!("/proc/{}/{file}", child.pid))
            .uid(FIRST_UID + 3)
            .gid(FIRST_UID + 3)
            .output()
            .expect("cat");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("Permission denied"),
            "{file}: {said}"
        );
    }
}

#[test]
fn an_exit_code_and_a_kill_are_reported_and_the_slot_can_be_used_again() {
    let nursery = Nursery::start();
    let mut child = nursery.fork(5);
    child.order(b'q');
    assert_eq!(
        nursery.report(),
        Report::Ended(child.slot, Ending::Exited(7))
    );

    let child = nursery.fork(5);
    nursery.zygote.kill(child.slot).expect("kill");
    assert_eq!(
        nursery.report(),
        Report::Ended(child.slot, Ending::Killed(9))
    );

    let child = nursery.fork(5);
    drop(child.socket);
    assert_eq!(
        nursery.report(),
        Report::Ended(child.slot, Ending::Exited(0))
    );
}

#[test]
fn a_kill_for_an_empty_slot_hurts_nobody() {
    let nursery = Nursery::start();
    nursery.zygote.kill(Slot::new(1)).expect("kill");
    let mut child = nursery.fork(0);

    child.order(b'.');

    assert_eq!(child.answer(1), [DONE]);
}

#[test]
fn vault_processes_die_with_the_zygote() {
    let nursery = Nursery::start();
    let mut child = nursery.fork(0);
    child.order(b'.');
    child.answer(1);

    let zygote = nix::unistd::Pid::from_raw(nursery.zygote.pid());
    nix::sys::signal::kill(zygote, nix::sys::signal::Signal::SIGKILL).expect("kill");

    let mut rest = Vec::new();
    assert_eq!(
        child.socket.read_to_end(&mut rest).expect("end of stream"),
        0
    );
    assert!(nursery.zygote.next_report().is_err());
}
