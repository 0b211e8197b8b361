//! The bootstrap program: a network is made with it, and served by it.

#![allow(clippy::expect_used, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bootstrap(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vettid-bootstrap"));
    command.arg("--json").args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let output = bootstrap(folder, arguments).output().expect("runs");
    assert!(output.status.success(), "{arguments:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn network_is_made_signed_from_a_pipe_and_served() {
    let place = tempfile::tempdir().expect("folder");
    let folder = place.path();
    std::fs::write(folder.join("root.der"), b"certificate").expect("written");
    let key = answer(folder, &["network", "key", "--out", "governance.key"]);
    let pcr = "ab".repeat(48);
    let image = format!("1:{pcr}:{pcr}:{pcr}");
    let made = answer(
        folder,
        &[
            "network",
            "create",
            "--governance",
            key["governance"].as_str().expect("key"),
            "--threshold",
            "1",
            "--trust-root",
            "root.der",
            "--image",
            &image,
        ],
    );
    assert_eq!(made["complete"], false);
    let config = "[host]\nkey = \"bootstrap.key\"\nnetwork = \"network.toml\"\n\
                  listen = [\"/ip4/127.0.0.1/tcp/0\"]\nmetrics = \"127.0.0.1:0\"\n\
                  private_addresses = true\n";
    std::fs::write(folder.join("bootstrap.toml"), config).expect("written");
    let unsigned = bootstrap(folder, &["run"]).status().expect("runs");
    assert!(
        !unsigned.success(),
        "served a file that too few have signed"
    );

    let mut sign = bootstrap(folder, &["network", "sign", "network.toml"]);
    let mut signing = sign
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("runs");
    let secret = std::fs::read(folder.join("governance.key")).expect("key");
    let mut pipe = signing.stdin.take().expect("input");
    pipe.write_all(&secret).expect("written");
    drop(pipe);
    assert!(signing.wait().expect("ended").success());
    let shown = answer(folder, &["network", "show", "network.toml"]);
    assert_eq!(shown["complete"], true);
    assert_eq!(shown["id"], made["id"]);

    let mut run = bootstrap(folder, &["run"]);
    let mut running = Running(run.stdout(Stdio::piped()).spawn().expect("starts"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("output")).lines();
    let ready = lines.next().expect("a line").expect("text");
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!(ready["ready"], true);
}
