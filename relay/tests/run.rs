//! The relay as a program: started, asked, stopped.

#![allow(clippy::expect_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vettid_crypto::sign::SigningKey;
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};
use vettid_wire::network_file::NetworkText;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, in a test that went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn network() -> String {
    let key = SigningKey::from_seed(&[1; 32]);
    let mut file = NetworkText::draft(Network {
        trust_root: TrustRoot::Emulated(vec![1]),
        governance: vec![GovernanceKey(key.verifying_key().0)],
        threshold: 1,
        reference_values: vec![ReferenceValue {
            release: 1,
            pcr0: [1; 48],
            pcr1: [1; 48],
            pcr2: [1; 48],
            status: ReleaseStatus::Active,
        }],
        release_floor: 1,
        epoch: 1,
        bootstrap: vec![],
        relays: vec![],
    })
    .expect("usable");
    file.sign(&key).expect("signed");
    file.to_toml()
}

fn relay(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vettid-relay"));
    command.arg("--json").arg("--config");
    command.arg(folder.join("relay.toml")).args(arguments);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// An address for metrics that nobody else takes: what other programs connect from is not of this
/// process's own part of the loopback network.
fn free_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x40, middle, low);
    let free = TcpListener::bind((own, 0)).expect("port");
    free.local_addr().expect("address")
}

/// What a relay needs to start, but its key.
fn configure(folder: &Path, listen: &[&str], metrics: SocketAddr) {
    std::fs::write(folder.join("network.toml"), network()).expect("written");
    let config = format!(
        "[host]\nkey = \"relay.key\"\nnetwork = \"network.toml\"\nlisten = {listen:?}\n\
         metrics = \"{metrics}\"\nprivate_addresses = true\n"
    );
    std::fs::write(folder.join("relay.toml"), config).expect("written");
}

/// A relay that is ready, and what it says then.
fn start(folder: &Path) -> (Running, Value) {
    let mut run = relay(folder, &["run"]);
    let mut running = Running(run.stdout(Stdio::piped()).spawn().expect("starts"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("output")).lines();
    let ready = lines.next().expect("a line").expect("text");
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!(ready.get("ready"), Some(&true.into()));
    (running, ready)
}

const ANY_PORT: [&str; 2] = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];

#[test]
fn relay_runs_tells_how_it_is_and_stops_when_asked() {
    let place = tempfile::tempdir().expect("folder");
    configure(place.path(), &ANY_PORT, free_address());

    let (mut running, ready) = start(place.path());
    assert_eq!(ready["listening"].as_array().map(Vec::len), Some(2));

    let status = relay(place.path(), &["status"]).output().expect("runs");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["peer"], ready["peer"]);
    assert_eq!(status["reservations"], 0);

    // Elsewhere there is no key, and a question for one makes none.
    let other = tempfile::tempdir().expect("folder");
    let config = place.path().join("relay.toml");
    std::fs::copy(config, other.path().join("relay.toml")).expect("copied");
    let status = relay(other.path(), &["status"]).status().expect("runs");
    assert!(!status.success());
    assert!(!other.path().join("relay.key").exists());

    let pid = Pid::from_raw(i32::try_from(running.0.id()).expect("pid"));
    kill(pid, Signal::SIGTERM).expect("signaled");
    assert!(running.0.wait().expect("ended").success());
    let status = relay(place.path(), &["status"]).status().expect("runs");
    assert!(!status.success());
}

/// Has a command of the relay fail; what it complains of.
fn complaint(folder: &Path, arguments: &[&str]) -> String {
    let output = relay(folder, arguments).output().expect("runs");
    assert!(!output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let message = said.pointer("/error/message").and_then(Value::as_str);
    message.expect("a message").to_owned()
}

#[test]
fn relay_does_not_share_the_addresses_of_another() {
    let (first, second) = (tempfile::tempdir(), tempfile::tempdir());
    let (first, second) = (first.expect("folder"), second.expect("folder"));
    let metrics = free_address();
    configure(first.path(), &ANY_PORT, metrics);
    let (_running, ready) = start(first.path());
    let own = format!("/p2p/{}", ready["peer"].as_str().expect("text"));
    let listening = ready["listening"].as_array().expect("addresses");
    let listening = listening
        .iter()
        .map(|address| address.as_str().expect("text").trim_end_matches(&own))
        .collect::<Vec<_>>();
    configure(second.path(), &listening, metrics);

    for arguments in [&["run", "--check"][..], &["run"]] {
        let message = complaint(second.path(), arguments);
        let taken = "another program listens there: end it, or choose another address";
        for address in &listening {
            let wanted = format!("host.listen: {address}: {taken}");
            assert!(message.contains(&wanted), "{message}");
        }
        let wanted = format!("host.metrics: {metrics}: {taken}");
        assert!(message.contains(&wanted), "{message}");
    }
}

#[test]
fn first_start_that_fails_leaves_no_key_and_a_later_one_leaves_the_key_there() {
    let place = tempfile::tempdir().expect("folder");
    let key = place.path().join("relay.key");
    // No transport of a relay: that shows when it is to listen.
    let elsewhere = ["/ip4/127.0.0.1/tcp/0/ws"];
    configure(place.path(), &elsewhere, free_address());

    complaint(place.path(), &["run"]);
    assert!(!key.exists());

    configure(place.path(), &ANY_PORT, free_address());
    drop(start(place.path()));
    configure(place.path(), &elsewhere, free_address());
    complaint(place.path(), &["run"]);
    assert!(key.exists());
}

#[test]
fn relay_without_a_configuration_says_where_one_is_shown() {
    let place = tempfile::tempdir().expect("folder");

    for arguments in [&["status"][..], &["run", "--check"], &["run"]] {
        let message = complaint(place.path(), arguments);
        let advice = "write it as docs/relay.md shows, or name another with --config";
        assert!(
            message.contains("relay.toml") && message.ends_with(advice),
            "{message}"
        );
    }
}

/// Its addresses are its own: a changed configuration can be checked before it is started anew.
#[test]
fn running_relay_is_checked_and_not_started_twice() {
    let place = tempfile::tempdir().expect("folder");
    let metrics = free_address();
    configure(place.path(), &ANY_PORT, metrics);
    let (_running, _) = start(place.path());

    let check = relay(place.path(), &["run", "--check"]).output();
    let message = complaint(place.path(), &["run"]);

    let check = check.expect("runs");
    let shown = String::from_utf8_lossy(&check.stdout);
    assert!(
        check.status.success() && shown.contains("[limits]"),
        "{shown}"
    );
    assert!(
        message.contains("another process serves with this key"),
        "{message}"
    );
}

const SMALLEST: &str = "[host]\nkey = \"relay.key\"\nnetwork = \"network.toml\"\nlisten = []\n";

#[test]
fn relay_without_a_network_file_does_not_start() {
    let place = tempfile::tempdir().expect("folder");
    let config = format!("{SMALLEST}private_addresses = true\n");
    std::fs::write(place.path().join("relay.toml"), config).expect("written");

    for arguments in [&["run", "--check"][..], &["run"]] {
        let message = complaint(place.path(), arguments);
        assert!(message.contains("network.toml"), "{message}");
    }
}

#[test]
fn relay_that_does_not_know_where_it_is_reached_does_not_start() {
    let place = tempfile::tempdir().expect("folder");
    std::fs::write(place.path().join("network.toml"), network()).expect("written");
    std::fs::write(place.path().join("relay.toml"), SMALLEST).expect("written");

    for arguments in [&["run", "--check"][..], &["run"]] {
        let message = complaint(place.path(), arguments);
        assert!(message.starts_with("host.external:"), "{message}");
    }
}

/// Another host, say a bootstrap node, has the address at which the metrics were looked for.
#[test]
fn status_of_what_is_no_relay_is_an_error() {
    let place = tempfile::tempdir().expect("folder");
    let other = TcpListener::bind("127.0.0.1:0").expect("port");
    let at = other.local_addr().expect("address");
    let config = format!("{SMALLEST}metrics = \"{at}\"\n");
    std::fs::write(place.path().join("relay.toml"), config).expect("written");

    for answer in [
        "HTTP/1.1 200 OK\r\n\r\nvettid_federation_connections_open 1\n",
        "HTTP/1.1 404 Not Found\r\n\r\n",
    ] {
        let message = std::thread::scope(|threads| {
            threads.spawn(|| {
                let (mut asker, _) = other.accept().expect("accepted");
                let mut asked = BufReader::new(asker.try_clone().expect("cloned")).lines();
                while asked
                    .next()
                    .is_some_and(|line| line.is_ok_and(|l| !l.is_empty()))
                {}
                asker.write_all(answer.as_bytes()).expect("answered");
            });
            complaint(place.path(), &["status"])
        });
        let expected = format!("what answers at {at} is no relay: check host.metrics");
        assert_eq!(message, expected);
    }
}
