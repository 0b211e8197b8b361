//! The program as a shell sees it: exit codes, streams and JSON, without a node.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use vettid_sdk::wire::Secret;
use vettid_sdk::wire::id::{NetworkId, NetworkKind, NodeId};
use vettid_sdk::wire::invitation::Invitation;
use vettid_sdk::wire::time::UnixMillis;

fn link(address: &str, expires: u64) -> String {
    Invitation {
        address: address.into(),
        network: NetworkId {
            kind: NetworkKind::Emulated,
            anchors: [1; 32],
        },
        secret: Secret::new(vec![2; 32]),
        node: NodeId([3; 32]),
        expires: UnixMillis(expires),
    }
    .link()
}

fn vettid(home: &Path, arguments: &[&str], secrets: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vettid"))
        .arg("--home")
        .arg(home)
        .args(arguments)
        .env_remove("VETTID_HOME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("standard input");
    // A command that reads no secrets may have ended.
    let _ = input.write_all(secrets.as_bytes());
    drop(input);
    child.wait_with_output().expect("ended")
}

fn outcome(arguments: &[&str], secrets: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = vettid(&folder.path().join("home"), arguments, secrets);
    let json: Value = serde_json::from_slice(&output.stdout).expect("one JSON value");
    assert_eq!(output.stderr, b"", "nothing else is said");
    let code = json["error"]["code"].as_str().expect("a code").to_owned();
    assert!(
        !json["error"]["message"]
            .as_str()
            .expect("a message")
            .is_empty()
    );
    (output.status.code().expect("exited"), code)
}

/// An address where nothing listens: no other process takes a port in this one's own part of the
/// loopback network.
fn nowhere() -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x40, middle, low);
    let listener = std::net::TcpListener::bind((own, 0)).expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn enroll(link: &str) -> [&str; 4] {
    ["enroll", link, "--json", "--secrets-stdin"]
}

const SECRETS: &str = "123456\nseven brass otters\n";

#[test]
fn device_that_is_not_enrolled_says_so() {
    for command in [
        &["status"][..],
        &["item", "list"],
        &["unlock", "--secrets-stdin"],
    ] {
        let arguments = [command, &["--json"]].concat();

        assert_eq!(
            outcome(&arguments, "123456\n"),
            (6, "not-enrolled-here".into())
        );
    }
}

#[test]
fn what_is_entered_is_looked_at_before_anything_is_sent() {
    let link = link("http://127.0.0.1:1", u64::MAX);

    assert_eq!(
        outcome(&enroll("nonsense"), SECRETS),
        (2, "not-an-invitation".into())
    );
    assert_eq!(
        // Before the password is asked for.
        outcome(&enroll(&link), "12345\n"),
        (2, "pin-form".into())
    );
    assert_eq!(
        outcome(&enroll(&link), "123456\nshort\n"),
        (2, "password-form".into())
    );
    assert_eq!(
        outcome(&enroll(&link), "123456\n"),
        (2, "secret-missing".into())
    );
}

#[test]
fn expired_invitation_is_told_from_a_node_that_is_away() {
    let nowhere = nowhere();

    assert_eq!(
        outcome(&enroll(&link(&nowhere, 1)), SECRETS),
        (2, "invitation-expired".into())
    );
    assert_eq!(
        outcome(&enroll(&link(&nowhere, u64::MAX)), SECRETS),
        (4, "node-unreachable".into())
    );
}

#[test]
fn wrong_grammar_is_an_error_in_json_too() {
    for arguments in [
        &["--json", "item", "get", "x"][..],
        &["--json", "fly"],
        &["--json"],
    ] {
        assert_eq!(outcome(arguments, ""), (2, "usage".into()), "{arguments:?}");
    }
}

#[test]
fn foreign_and_damaged_folders_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let code = |content: &[u8]| {
        fs::write(&state, content).expect("written");
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).expect("private");
        let output = vettid(folder.path(), &["status", "--json"], "");
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (
            output.status.code(),
            json["error"]["code"].as_str().map(String::from),
        )
    };

    assert_eq!(code(b"{\"a\": 1}"), (Some(6), Some("home-foreign".into())));
    assert_eq!(
        code(b"vettid\r\n\0\x01garbage"),
        (Some(6), Some("home-damaged".into()))
    );
    assert_eq!(
        code(b"vettid\r\n\0\x09"),
        (Some(6), Some("home-newer".into()))
    );
}

#[test]
fn errors_for_people_go_to_standard_error() {
    let folder = tempfile::tempdir().expect("a folder");

    let output = vettid(&folder.path().join("home"), &["status"], "");

    assert_eq!(output.stdout, b"");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "vettid: this device is not enrolled: run `vettid enroll` with an invitation\n"
    );
}

#[test]
fn secrets_come_through_a_descriptor() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    fs::write(&secrets, "12345\npassword\n").expect("written");
    let program = env!("CARGO_BIN_EXE_vettid");
    let link = link("http://127.0.0.1:1", u64::MAX);
    let line = format!(
        "{program} --home {0}/home --json --secrets-fd 5 enroll {link} 5<{0}/secrets",
        folder.path().display()
    );

    let line = line.replace("vettid:invite?d=", "");
    let output = Command::new("sh")
        .args(["-c", &line])
        .output()
        .expect("ran");

    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["error"]["code"], "pin-form");
}

#[test]
fn interrupted_enrollment_can_be_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let link = link(&nowhere(), u64::MAX);
    let arguments = ["enroll", &link, "--json", "--secrets-stdin"];

    let first = vettid(&home, &arguments, SECRETS);
    let unfinished = vettid(&home, &["status", "--json"], "");
    let second = vettid(&home, &arguments, SECRETS);

    assert_eq!(first.status.code(), Some(4));
    let json: Value = serde_json::from_slice(&unfinished.stdout).expect("JSON");
    assert_eq!(json["error"]["code"], "enrollment-unfinished");
    assert_eq!(second.status.code(), Some(4));
}
