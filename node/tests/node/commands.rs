//! The program as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use vettid_node::config::Config;
use vettid_node::folder::NodeFolder;
use vettid_wire::link::sealing::FromEnclave as Say;
use vettid_wire::link::{FromEnclave, FromHost};
use vettid_wire::network_file::NetworkText;

use crate::enclave::{Enclave, Listening};
use crate::fixture::{Place, network_file, network_file_naming, soon};

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
    let mut piped = program();
    piped
        .arg("--folder")
        .arg(folder)
        .args(["invitation", "create"]);
    let text = soon(piped.output()).await.expect("ran").stdout;
    let text = String::from_utf8(text).expect("text");
    assert!(
        text.contains("vettid:invite?d=invite1") && text.is_ascii(),
        "{text}"
    );
    let (_, status) = run(folder, &["status"]).await;
    assert_eq!(status["running"], true);
    // Its addresses are its own.
    let (ok, checked) = run(folder, &["check"]).await;
    assert!(ok, "{checked}");
    assert_eq!(status["readiness"]["enclave"], true);
    terminate(&child);
    soon(enclave.until_shutdown()).await;
    drop(enclave);
    assert!(soon(child.wait()).await.expect("ended").success());

    let (_, status) = run(folder, &["status"]).await;
    assert_eq!(
        (&status["running"], &status["audit_rows"]),
        (&false.into(), &2.into())
    );
    assert!(run(folder, &["invitation", "revoke", "1"]).await.0);
    assert!(!run(folder, &["invitation", "revoke", "1"]).await.0);
    let (_, listed) = run(folder, &["invitation", "list"]).await;
    assert_eq!(listed["invitations"][1]["state"], "revoked");
    assert_eq!(listed["invitations"][1]["label"], "aunt");
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
async fn who_only_looks_makes_no_database_and_changes_none() {
    let (place, listening) = ours();
    let (folder, path) = (place.folder.path(), place.folder.database());
    let detail = |shown: &Value| {
        let findings = shown["findings"].as_array().expect("findings");
        let database = findings.iter().find(|one| one["what"] == "database");
        database.expect("looked at")["detail"].to_string()
    };
    let (ok, shown) = run(folder, &["check"]).await;
    assert!(ok && detail(&shown).contains("none yet"), "{shown}");
    let looks = async || {
        for command in [
            &["status"][..],
            &["invitation", "list"],
            &["network", "show"],
            &["peer", "list"],
            &["release", "show"],
            &["space", "list"],
        ] {
            let (ok, shown) = run(folder, command).await;
            assert!(ok, "{command:?}: {shown}");
        }
    };
    looks().await;
    assert!(!path.exists());

    let (mut child, mut enclave) = serve(&place, &listening).await;
    terminate(&child);
    soon(enclave.until_shutdown()).await;
    drop(enclave);
    assert!(soon(child.wait()).await.expect("ended").success());
    // As a release before this one leaves it.
    let earlier = rusqlite::Connection::open(&path).expect("opened");
    let set = earlier.execute_batch("DROP TABLE audited_peer; PRAGMA user_version = 3;");
    set.expect("set");
    drop(earlier);
    let before = std::fs::read(&path).expect("there");

    let (ok, shown) = run(folder, &["check"]).await;

    let told = detail(&shown);
    assert!(ok && told.contains("will be migrated"), "{shown}");
    looks().await;
    assert!(std::fs::read(&path).expect("there") == before);
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
async fn address_of_the_bus_that_somebody_has_is_named_and_nobody_there_is_spoken_to() {
    let (mut place, _listening) = ours();
    let squatter = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = squatter.local_addr().expect("an address");
    squatter.set_nonblocking(true).expect("nonblocking");
    let free = place.config.bus.clone();
    let folder = place.folder.path().to_owned();
    for key in ["bus.tcp", "bus.websocket"] {
        place.config.bus = free.clone();
        match key {
            "bus.tcp" => place.config.bus.tcp = taken,
            _ => place.config.bus.websocket = taken,
        }
        place.write_config();

        let (ok, shown) = run(&folder, &["run"]).await;

        let message = shown["error"]["message"].as_str().expect("text");
        let wanted = format!("{key}: {taken}");
        assert!(!ok && message.contains(&wanted), "{message}");
        let checked = program().arg("--folder").arg(&folder).arg("check").output();
        let checked = soon(checked).await.expect("ran");
        let findings = String::from_utf8_lossy(&checked.stdout);
        assert!(findings.contains(&wanted), "{findings}");
        assert!(!checked.status.success());
    }
    assert!(squatter.accept().is_err(), "nobody has connected");
}

#[tokio::test]
async fn two_of_one_nodes_addresses_that_are_the_same_are_named() {
    let (mut place, _listening) = ours();
    let folder = place.folder.path().to_owned();
    let free = place.config.clone();
    for change in [
        |config: &mut Config| config.bus.websocket = config.bus.tcp,
        |config: &mut Config| config.http.listen = config.bus.tcp,
        |config: &mut Config| {
            config.federation.tcp = config.bus.tcp;
            config.federation.enabled = Some(true);
        },
    ] {
        place.config = free.clone();
        change(&mut place.config);
        place.write_config();
        for verb in ["run", "check"] {
            let (ok, shown) = run(&folder, &[verb]).await;
            let message = shown["error"]["message"].as_str().expect("text");
            let wanted = "are the same address: choose another for one of them";
            assert!(!ok && message.contains(wanted), "{verb}: {message}");
            assert!(message.contains("bus.tcp"), "{verb}: {message}");
        }
    }
}

#[tokio::test]
async fn same_address_for_peers_and_apps_is_named_where_the_network_file_has_peers_met() {
    let (mut place, _listening) = ours();
    let folder = place.folder.path().to_owned();
    let peer = vettid_federation::HostKey::from_seed([9; 32]).peer();
    let peer = vettid_federation::key::peer_text(&peer);
    let named = vec![format!("/ip4/192.0.2.1/tcp/4001/p2p/{peer}")];
    std::fs::write(
        folder.join("network.toml"),
        network_file_naming(1, 1, named),
    )
    .expect("written");
    place.config.http.listen = place.config.federation.tcp;
    place.write_config();

    let (ok, shown) = run(&folder, &["run"]).await;
    let checked = program().arg("--folder").arg(&folder).arg("check").output();
    let checked = soon(checked).await.expect("ran");

    let wanted = "http.listen and federation.tcp are the same address";
    assert!(!ok && shown.to_string().contains(wanted), "{shown}");
    let findings = String::from_utf8_lossy(&checked.stdout);
    assert!(findings.contains(wanted), "{findings}");
}

#[tokio::test]
async fn every_address_that_somebody_has_is_told_by_check_and_refused_by_run() {
    let (mut place, _listening) = ours();
    let squatters = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [http, metrics, tcp] = squatters.each_ref().map(|squatter| {
        let address = squatter.local_addr();
        address.expect("an address")
    });
    let quic = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let free = place.config.clone();
    place.config.http.listen = http;
    place.config.metrics.listen = metrics;
    let federation = &mut place.config.federation;
    (federation.tcp, federation.enabled) = (tcp, Some(true));
    federation.quic = quic.local_addr().expect("an address");
    let wrong = [
        format!("http.listen: {http}"),
        format!("metrics.listen: {metrics}"),
        format!("federation.tcp: {tcp}"),
        format!("federation.quic: {}", federation.quic),
    ];
    place.write_config();
    let folder = place.folder.path().to_owned();

    let checked = program().arg("--folder").arg(&folder).arg("check").output();
    let checked = soon(checked).await.expect("ran");
    let findings = String::from_utf8_lossy(&checked.stdout).into_owned();
    for wrong in &wrong {
        let line = format!("{wrong}: another program listens there");
        assert!(findings.contains(&line), "{findings}");
    }

    let alone = |wanted: usize| {
        let (mut config, taken) = (free.clone(), &place.config);
        match wanted {
            0 => config.http.listen = taken.http.listen,
            1 => config.metrics.listen = taken.metrics.listen,
            _ => config.federation = taken.federation.clone(),
        }
        config
    };
    for (config, wanted) in [0, 1, 2].map(alone).into_iter().zip([
        wrong[0].clone(),
        wrong[1].clone(),
        format!("/ip4/127.0.0.1/tcp/{}", tcp.port()),
    ]) {
        let text = toml::to_string(&config).expect("written");
        std::fs::write(folder.join("node.toml"), text).expect("written");
        let (ok, shown) = run(&folder, &["run"]).await;
        let message = shown["error"]["message"].as_str().expect("text");
        let wanted = format!("{wanted}: another program listens there");
        assert!(!ok && message.contains(&wanted), "{message}");
    }
}

/// What `release prepare` answers when the enclave says these things.
async fn prepared(place: &Place, listening: &Listening, says: Vec<Say>) -> (bool, Value) {
    let address = place.config.enclave.address.clone();
    let arguments = ["release", "prepare", "--enclave", &address];
    let enclave = async {
        let mut enclave = listening.accept_raw().await;
        assert!(matches!(enclave.any().await, Some(FromHost::Hello(_))));
        for said in says {
            enclave.send(&FromEnclave::Sealing(said)).await;
        }
        // What the node says ends with its hanging up.
        while enclave.any().await.is_some() {}
    };
    tokio::join!(run(place.folder.path(), &arguments), enclave).0
}

#[tokio::test]
async fn later_release_is_prepared_and_anything_else_is_refused_with_the_reason() {
    let (place, listening) = ours();
    let offer = |release| Say::Offer {
        release,
        offer: b"offer".to_vec(),
    };

    let (ok, told) = prepared(&place, &listening, vec![Say::Others(2), offer(2)]).await;

    assert!(
        ok && told["release"] == 2 && told["accepted"] == false,
        "{told}"
    );
    let shown = run(place.folder.path(), &["release", "show"]).await.1;
    let here = &shown["here"][0];
    assert_eq!(
        (&here["release"], &here["prepared"], &here["served"]),
        (&2.into(), &true.into(), &false.into())
    );
    let failed = Say::Failed("no module\n".to_owned());
    for (says, wanted) in [
        (vec![failed], "the enclave says: no module"),
        (vec![offer(2)], "out of turn"),
        (vec![Say::Others(2), offer(3)], "out of turn"),
    ] {
        let (ok, told) = prepared(&place, &listening, says).await;
        assert!(!ok && told.to_string().contains(wanted), "{told}");
    }

    // The first release has served since.
    let (mut child, mut enclave) = serve(&place, &listening).await;
    terminate(&child);
    soon(enclave.until_shutdown()).await;
    drop(enclave);
    assert!(soon(child.wait()).await.expect("ended").success());
    let (ok, told) = prepared(&place, &listening, vec![Say::Others(1)]).await;
    assert!(
        !ok && told.to_string().contains("not later than release 1"),
        "{told}"
    );
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
    let (ok, again) = join(network_file(1, 5)).await;
    assert!(ok && again["answer"] == "already-joined", "{again}");
    let (ok, missing) = run(folder, &["network", "join", "/nowhere/network.toml"]).await;
    let missing = missing["error"]["message"].to_string();
    assert!(
        !ok && missing.contains("/nowhere/network.toml") && missing.contains("name a network file"),
        "{missing}"
    );
    for (text, wanted) in [
        (network_file(1, 4), "a newer network file, of epoch 5"),
        (network_file(2, 9), "another network"),
        (
            "id = \"x\"\nsigned = \"AAAA\"\n".to_owned(),
            "given.toml: network file",
        ),
        ("no TOML".to_owned(), "whoever runs the network hands out"),
        (unsigned(), "`vettid-bootstrap network sign`"),
    ] {
        let (ok, shown) = join(text).await;
        let message = shown["error"]["message"].as_str().expect("text");
        assert!(!ok && message.contains(wanted), "{message}");
    }
    assert_eq!(run(folder, &["network", "show"]).await.1["epoch"], 5);
    let (_, status) = run(folder, &["status"]).await;
    assert_eq!(status["audit_rows"], 1);
}

/// A network file that nobody has signed.
fn unsigned() -> String {
    let signed = NetworkText::parse(&network_file(1, 9)).expect("a file");
    let draft = NetworkText::draft(signed.network().clone());
    draft.expect("a draft").to_toml()
}

#[tokio::test]
async fn development_root_must_be_there_and_of_the_network() {
    let (place, _listening) = ours();
    let parent = tempfile::tempdir().expect("a folder");
    let (folder, root) = (parent.path().join("new"), parent.path().join("enclave"));
    let network = place.folder.network();
    let given = ["init", "--network", network.to_str().expect("text")];
    let init = async || {
        let root = root.to_str().expect("text");
        let arguments = [&given[..], &["--development-root", root]].concat();
        let (ok, shown) = run(&folder, &arguments).await;
        assert!(!ok);
        shown["error"]["message"].to_string()
    };

    std::fs::create_dir(&root).expect("made");
    let empty = init().await;
    assert!(empty.contains("holds no development root"), "{empty}");
    for name in ["development-root.key", "development-root.der"] {
        std::fs::write(root.join(name), "of another").expect("written");
    }
    let other = init().await;
    assert!(other.contains("are of two networks"), "{other}");
    assert!(!folder.exists());
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
    assert!(!folder.exists(), "what it has made is gone");
}

fn terminate(child: &Child) {
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .expect("running");
    let id = nix::unistd::Pid::from_raw(id);
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("told");
}
