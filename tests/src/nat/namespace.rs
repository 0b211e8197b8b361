//! Network namespaces: made, entered by a thread, gone when they are dropped.

use std::env;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio, id};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::Uid;

/// Says that the program runs in a namespace of its own already.
const INSIDE: &str = "VETTID_NAT_INSIDE";

/// Says that whoever runs the tests has seen networks being made: then none may be skipped.
const NEEDED: &str = "VETTID_NEED_NETWORKS";

/// Everything that a network with address translation takes.
const PROBE: &str = "ip link add probe type veth peer name eborp && ip link add bridged type bridge \
    && nft add table ip probe \
    && nft 'add chain ip probe out { type nat hook postrouting priority 100; }' \
    && nft add rule ip probe out masquerade fully-random";

/// Runs a scenario where this program may make networks: in a namespace of its own, by running the
/// test of this name again. Says that it is skipped where there can be none.
///
/// # Panics
/// When the scenario fails.
pub fn inside(test: &str, scenario: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return scenario();
    }
    if let Err(why) = can_be_made() {
        let is_needed = env::var_os(NEEDED).is_some();
        assert!(
            !is_needed,
            "networks were promised, and cannot be made: {why}"
        );
        eprintln!("skipped: no network namespaces can be made here: {why}");
        return;
    }
    let own = env::current_exe().expect("own path");
    let again = unshared()
        .arg(own)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .stdout(Stdio::piped())
        .spawn();
    let again = again.expect("unshare").wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{test} has failed inside: {said}");
    assert!(said.contains("1 passed"), "{test} is no test: {said}");
}

fn can_be_made() -> Result<(), String> {
    for (program, package) in [
        ("ip", "iproute2"),
        ("nft", "nftables"),
        ("unshare", "util-linux"),
    ] {
        let found = Command::new(program).arg("--version").output();
        if found.is_err() {
            return Err(format!("no {program}: install Debian's package {package}"));
        }
    }
    let probed = unshared().args(["sh", "-c", PROBE]).output();
    let probed = probed.map_err(|error| error.to_string())?;
    if probed.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&probed.stderr).trim().to_owned())
}

/// Starts a program that may make networks. Root may; others may in a user namespace, where they stay
/// who they are: an enclave that finds itself root gives each vault process a user of its own, and
/// such a namespace has only one.
fn unshared() -> Command {
    let mut command = Command::new("unshare");
    if !Uid::effective().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.arg("--net");
    command
}

/// One network namespace; it lasts as long as this value, or what runs in it.
pub struct Namespace(File);

impl Namespace {
    /// Makes one, with its loopback interface up.
    ///
    /// # Panics
    /// When the kernel refuses.
    #[must_use]
    pub fn create() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            File::open("/proc/thread-self/ns/net").expect("the namespace")
        });
        let namespace = Self(made.join().expect("made"));
        namespace.ip("link set lo up");
        namespace
    }

    /// Does something in it. Whatever is started meanwhile stays in it.
    ///
    /// # Panics
    /// When that does.
    pub fn within<T: Send>(&self, step: impl FnOnce() -> T + Send) -> T {
        let done = thread::scope(|scope| {
            let entered = || {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("entered");
                step()
            };
            scope.spawn(entered).join()
        });
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `ip` in it.
    ///
    /// # Panics
    /// When it fails.
    pub fn ip(&self, arguments: &str) {
        let output = self.within(|| Command::new("ip").args(arguments.split(' ')).output());
        let output = output.expect("ip");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {arguments}: {said}");
    }

    /// Loads rules of `nftables` in it.
    ///
    /// # Panics
    /// When they are not taken.
    pub fn nft(&self, rules: &str) {
        let mut nft = Command::new("nft");
        nft.args(["-f", "-"]).stdin(Stdio::piped());
        let mut child = self.within(|| nft.spawn()).expect("nft");
        let mut input = child.stdin.take().expect("its input");
        input.write_all(rules.as_bytes()).expect("rules");
        drop(input);
        assert!(child.wait().expect("its end").success(), "{rules}");
    }

    /// A name of it for `ip`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("/proc/{}/fd/{}", id(), self.0.as_raw_fd())
    }
}
