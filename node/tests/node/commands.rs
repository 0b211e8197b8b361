//! The program as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use vettid_node::folder::NodeFolder;

use crate::enclave::{Enclave, Listening};
use crate::fixture::{Place, network_file, soon};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vettid-node"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end; success and what it printed.
async fn run(folder: &Path, arguments: &[&str]) -> (bool, Value) {
    let output = program()
        .arg("--json")
        .arg("--folder")
        .arg(folder)
        .args(arguments)
        .output();
    let output = soon(output).await.expect("ran");
    let text = String::from_utf8(output.stdout).expect("text");
    let shown = serde_json::from_str(text.lines().last().unwrap_or("null"));
    let said = String::from_utf8_lossy(&output.stderr);
    (
        output.status.success(),
        shown.unwrap_or_else(|_| panic!("no JSON: {text} {said}")),
    )
}

/// A node process that is ready, and the enclave played beside it.
async fn serve(place: &Place, listening: &Listening) -> (Child, Enclave) {
    let mut child = program()
        .args(["--json", "run", "--folder"])
        .arg(place.folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let enclave = soon(listening.accept()).await;
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = soon(lines.next_line())
        .await
        .expect("readable")
        .expect("a line");
    assert!(line.contains("\"ready\":true"), "{line}");
    (child, enclave)
}

fn ours() -> (Place, Listening) {
    let place = Place::new();
    let listening = place.listen();
    (place, listening)
}

#[tokio::test]
async fn operator_makes_lists_and_revokes_invitations_while_the_node_runs_and_when_not() {
    let (place, listening) = ours();
    let folder = place.folder.path();
    let (ok, early) = run(folder, &["invitation", "create"]).await;
    assert!(
        !ok && early["error"]["message"]
            .as_str()
            .expect("text")
            .contains("start the node")
    );

    let (mut child, mut enclave) = serve(&place, &listening).await;
    let (mut made, mut shown) = (false, Value::Null);
    while !made {
        (made, shown) = run(folder, &["invitation", "create", "--label", "aunt"]).await;
    }
    assert!(
        shown["link"]
            .as_str()
            .expect("a link")
            .starts_with("vettid:invite?d=invite1")
    );
    let (_, status) = run(folder, &["status"]).await;
    assert_eq!(status["running"], true);
    assert_eq!(status["readiness"]["enclave"], true);
    terminate(&child);
    soon(enclave.until_shutdown()).await;
    drop(enclave);
    assert!(soon(child.wait()).await.expect("ended").success());

    let (_, status) = run(folder, &["status"]).await;
    assert_eq!(
        (&status["running"], &status["audit_rows"]),
        (&false.into(), &1.into())
    );
    assert!(run(folder, &["invitation", "revoke", "1"]).await.0);
    assert!(!run(folder, &["invitation", "revoke", "1"]).await.0);
    let (_, listed) = run(folder, &["invitation", "list"]).await;
    assert_eq!(listed["invitations"][0]["state"], "revoked");
    assert_eq!(listed["invitations"][0]["label"], "aunt");
}

#[tokio::test]
async fn node_that_was_killed_starts_again_beside_the_bus_it_left() {
    let (place, listening) = ours();
    let (mut child, enclave) = serve(&place, &listening).await;
    child.kill().await.expect("killed");
    drop(enclave);
    let left = std::fs::read_to_string(place.folder.run().join("nats.pid")).expect("recorded");
    assert!(
        Path::new(&format!("/proc/{left}")).exists(),
        "the bus outlives a killed node"
    );

    let (mut child, mut enclave) = serve(&place, &listening).await;

    let now = std::fs::read_to_string(place.folder.run().join("nats.pid")).expect("recorded");
    assert_ne!(now, left);
    terminate(&child);
    soon(enclave.until_shutdown()).await;
    drop(enclave);
    assert!(soon(child.wait()).await.expect("ended").success());
    assert!(
        !Path::new(&format!("/proc/{now}")).exists(),
        "the bus ends with the node"
    );
}

#[tokio::test]
async fn second_node_in_a_folder_is_refused() {
    let (place, listening) = ours();
    let (mut child, mut enclave) = serve(&place, &listening).await;

    let (ok, shown) = run(place.folder.path(), &["run"]).await;

    assert!(!ok);
    assert!(
        shown["error"]["message"]
            .as_str()
            .expect("text")
            .contains("another vettid-node")
    );
    terminate(&child);
    soon(enclave.until_shutdown()).await;
    drop(enclave);
    assert!(soon(child.wait()).await.expect("ended").success());
}

#[tokio::test]
async fn check_shows_the_configuration_and_what_is_wrong() {
    let (place, _listening) = ours();
    let folder = place.folder.path();
    let (ok, shown) = run(folder, &["check"]).await;
    assert!(ok, "{shown}");
    assert_eq!(shown["config"]["public_url"], place.config.public_url);

    std::fs::write(place.folder.network(), "id = \"x\"\nsigned = \"AAAA\"\n").expect("damaged");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.folder.bus(), open).expect("opened");
    let (ok, shown) = run(folder, &["check"]).await;
    assert!(!ok);
    let wrong = shown.to_string();
    assert!(
        wrong.contains("3 of the checks") || wrong.contains("2 of the checks"),
        "{wrong}"
    );
}

#[tokio::test]
async fn bus_that_is_too_old_or_missing_is_refused_with_advice() {
    let (mut place, _listening) = ours();
    let script = place.folder.path().join("old-nats");
    std::fs::write(&script, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, executable).expect("executable");
    for (program, expected) in [
        (script, "2.9.10 is refused"),
        (PathBuf::from("/nowhere/nats"), "VETTID_NATS_SERVER"),
    ] {
        place.config.bus.program = program;
        place.write_config();
        let (ok, shown) = run(place.folder.path(), &["run"]).await;
        assert!(!ok);
        assert!(
            shown["error"]["message"]
                .as_str()
                .expect("text")
                .contains(expected),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn init_makes_a_folder_for_an_enclave_elsewhere_once() {
    let (place, _listening) = ours();
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("new");
    let network = place.folder.network();
    let arguments = [
        "init",
        "--enclave",
        "vsock:16:5005",
        "--network",
        network.to_str().expect("text"),
        "--http-port",
        "0",
        "--bus-port",
        "0",
        "--websocket-port",
        "0",
        "--metrics-port",
        "0",
    ];

    let (ok, shown) = run(&folder, &arguments).await;
    assert!(ok, "{shown}");
    assert!(
        shown["network"]
            .as_str()
            .expect("an id")
            .starts_with("emulated1")
    );
    NodeFolder::open(&folder)
        .expect("a node")
        .check_permissions()
        .expect("private");

    let (ok, shown) = run(&folder, &arguments).await;
    assert!(!ok);
    assert!(
        shown["error"]["message"]
            .as_str()
            .expect("text")
            .contains("already holds a node")
    );
}

#[tokio::test]
async fn network_file_is_shown_and_a_newer_one_taken() {
    let (place, _listening) = ours();
    let folder = place.folder.path();
    let file = folder.join("given.toml");
    let given = file.to_str().expect("text");
    let join = async |text: String| {
        std::fs::write(&file, text).expect("written");
        run(folder, &["network", "join", given]).await
    };
    assert_eq!(run(folder, &["network", "show"]).await.1["epoch"], 1);

    assert!(join(network_file(1, 5)).await.0);
    assert_eq!(run(folder, &["network", "show"]).await.1["epoch"], 5);
    // The same again is nothing new.
    assert!(join(network_file(1, 5)).await.0);
    for (text, wanted) in [
        (network_file(1, 4), "a newer one, of epoch 5"),
        (network_file(2, 9), "another network"),
        ("id = \"x\"\nsigned = \"AAAA\"\n".to_owned(), "network.toml"),
    ] {
        let (ok, shown) = join(text).await;
        let message = shown["error"]["message"].as_str().expect("text");
        assert!(!ok && message.contains(wanted), "{message}");
    }
    assert_eq!(run(folder, &["network", "show"]).await.1["epoch"], 5);
    let (_, status) = run(folder, &["status"]).await;
    assert_eq!(status["audit_rows"], 1);
}

#[tokio::test]
async fn releases_are_shown_and_what_is_none_is_refused() {
    let (place, _listening) = ours();
    let folder = place.folder.path();
    let file = folder.join("image.eif");
    std::fs::write(&file, b"no image").expect("written");

    let (ok, shown) = run(folder, &["release", "show"]).await;
    let (verified, said) = run(folder, &["release", "verify", file.to_str().expect("text")]).await;

    assert!(ok, "{shown}");
    assert_eq!(shown["running"], Value::Null);
    assert_eq!(shown["releases"][0]["status"], "active");
    assert_eq!(shown["releases"][0]["accepted"], true);
    let message = said["error"]["message"].as_str().expect("text");
    assert!(
        !verified && message.contains("no enclave image"),
        "{message}"
    );
}

#[tokio::test]
async fn peers_are_listed_also_when_no_node_runs() {
    let (place, _listening) = ours();

    let (ok, shown) = run(place.folder.path(), &["peer", "list"]).await;

    assert!(ok, "{shown}");
    assert_eq!(shown["peers"], serde_json::json!([]));
}

#[tokio::test]
async fn init_without_an_enclave_program_says_what_to_do() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("new");

    let (ok, shown) = run(&folder, &["init", "--enclave-program", "/nowhere/enclave"]).await;

    assert!(!ok);
    assert!(
        shown["error"]["message"]
            .as_str()
            .expect("text")
            .contains("--enclave-program")
    );
}

fn terminate(child: &Child) {
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .expect("running");
    let id = nix::unistd::Pid::from_raw(id);
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("told");
}
