//! What the host can see: ciphertext, private files, and processes that show nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use vettid_tests::host_disk::collect;
use vettid_tests::items::{draft, put};
use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::plaintext::{find, find_in_files};
use vettid_tests::raw::{BusLine, Said};
use vettid_tests::tokens;
use vettid_tests::wait;
use vettid_wire::Secret;
use vettid_wire::operation::{item, key, tag, vault};

const LONG_PIN: &str = "71830249918273640182";
const LONG_PASSWORD: &str = "planted-password-of-amber-otters";
const WORDS: [&str; 10] = [
    LONG_PIN,
    LONG_PASSWORD,
    "90817263544536271809",
    "planted-name-of-an-item",
    "planted-value-of-a-data-item",
    "planted-value-of-a-secret-item",
    "planted-value-of-a-critical-item",
    "planted-tag",
    "planted-key-label",
    "planted-device-name",
];

/// Hears everything that the bus carries for vaults and apps, as the host can.
struct Wiretap {
    stop: mpsc::Sender<()>,
    heard: thread::JoinHandle<Vec<u8>>,
}

impl Wiretap {
    fn at(node: &Node) -> Self {
        let (user, token) = tokens::listener(node.folder());
        let mut line = BusLine::connect(node.bus(), &token, &user).expect("the host's own user");
        line.subscribe("OwnerSpace.>").expect("allowed");
        let (stop, stopped) = mpsc::channel();
        let heard = thread::spawn(move || {
            let mut all = Vec::new();
            loop {
                match line.next(std::time::Duration::from_millis(100)) {
                    Ok(Said::Message(subject, payload)) => {
                        all.extend_from_slice(subject.as_bytes());
                        all.extend_from_slice(&payload);
                    }
                    Ok(Said::Closed) => return all,
                    Ok(_) | Err(_) => {
                        if stopped.try_recv().is_ok() {
                            return all;
                        }
                    }
                }
            }
        });
        Self { stop, heard }
    }

    fn heard(self) -> Vec<u8> {
        self.stop.send(()).expect("it listens");
        self.heard.join().expect("what was heard")
    }
}

/// Does everything with planted words.
fn live(owner: &mut Owner) {
    let mut data = put(WORDS[3], WORDS[4]);
    data.draft.tags = vec!["planted-tag".to_owned()];
    owner.call(&data).expect("kept");
    let secret = item::Put {
        id: None,
        base: None,
        draft: draft(WORDS[3], WORDS[5], item::Sensitivity::Secret),
    };
    let secret = owner.call(&secret).expect("kept");
    owner
        .call(&item::Reveal {
            id: secret.id,
            version: None,
        })
        .expect("revealed");
    let critical = owner.put_critical(WORDS[3], WORDS[6]).expect("kept");
    assert_eq!(
        owner.critical_value(critical.id).expect("revealed"),
        WORDS[6]
    );
    let tag = tag::Tag {
        name: WORDS[7].to_owned(),
        color: None,
        description: Some(WORDS[3].to_owned()),
    };
    owner.call(&tag::Put { tag }).expect("kept");
    let key = key::Generate {
        algorithm: key::Algorithm::P256,
        label: WORDS[8].to_owned(),
    };
    owner.prove(&key, None).expect("made");
    let search = item::Search {
        text: Secret::from(WORDS[4]),
        limit: None,
    };
    assert_eq!(owner.call(&search).expect("found").items.len(), 1);
    // A request for something that is not there is where programs like to log what was asked for.
    owner
        .try_pin("00000000000000000000", None)
        .expect_err("wrong");
    owner.unlock().expect("right");
    let change = vault::ChangePin {
        current: Secret::from(owner.pin.as_str()),
        replacement: Secret::from(WORDS[2]),
    };
    owner.call(&change).expect("changed");
    WORDS[2].clone_into(&mut owner.pin);
}

#[test]
fn disk_bus_log_arguments_and_environment_hold_no_plaintext() {
    let mut node = Node::made();
    node.start_with(&["--log", "debug"]);
    node.wait_until_ready();
    let wiretap = Wiretap::at(&node);
    let mut owner = Owner::enroll(&node.invitation(), LONG_PIN, LONG_PASSWORD).expect("enrolled");
    live(&mut owner);
    // Enough for a snapshot, so that objects are looked through as well.
    let mut at = owner.put("large", WORDS[4]).expect("kept");
    for _ in 0..26 {
        let value = WORDS[4].repeat(1700);
        at = owner
            .call(&vettid_tests::items::replace(at, "large", &value))
            .expect("replaced");
    }
    wait::until("a snapshot", || {
        let mut found = vec![];
        collect(&node.folder().join("objects"), &mut found);
        (!found.is_empty()).then_some(())
    });
    let processes = node.processes();
    assert!(
        processes.len() >= 5,
        "node, bus, supervisor, zygote, vault: {processes:?}"
    );
    for pid in processes {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            let bytes = fs::read(&path).unwrap_or_default();
            assert_eq!(find(&WORDS, &[(&path, &bytes)]), [""; 0]);
        }
    }
    let heard = wiretap.heard();
    let space = owner.app.space.to_string();
    assert!(
        find(&[&space], &[("bus", &heard)]).len() == 1,
        "the wiretap hears the bus"
    );
    assert!(heard.len() > 26 * 40_000, "and all of it: {}", heard.len());
    assert_eq!(find(&WORDS, &[("bus", &heard)]), [""; 0]);
    // While it runs (the write-ahead log is there) and after it was stopped.
    for _ in 0..2 {
        let (files, hits) = find_in_files(&WORDS, node.folder());
        assert!(files > 10, "{files} files");
        assert_eq!(hits, [""; 0]);
        let log = fs::read(node.log()).expect("a log");
        assert!(!log.is_empty());
        assert_eq!(find(&WORDS, &[("log", &log)]), [""; 0]);
        node.stop();
    }
}

#[test]
fn files_of_a_running_node_are_private_to_its_operator() {
    let node = Node::started();
    let _owner = Owner::enrolled(&node);
    let mut files = vec![];
    collect(node.folder(), &mut files);
    files.push(node.folder().to_owned());

    for path in files {
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_symlink() {
            continue;
        }
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:03o}", path.display());
    }
}

#[test]
fn node_refuses_a_folder_that_others_can_read() {
    let node = Node::made();
    let seed = node.folder().join("bus/signing.seed");
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o644)).expect("chmod");

    let refused = node.ask(&["run"]).expect_err("refused");

    assert!(refused.contains("chmod"), "{refused}");
}

#[test]
fn enclave_processes_dump_no_core_and_vault_processes_can_do_nothing_else() {
    let node = Node::started();
    let _owner = Owner::enrolled(&node);
    let enclave = node.enclave().expect("an enclave");
    let vaults = node.vaults();
    assert_eq!(vaults.len(), 1, "one process for one open vault");

    for pid in vettid_tests::processes::family(enclave) {
        assert_eq!(limit(pid, "Max core file size"), "0", "process {pid}");
    }
    let vault = vaults[0];
    assert_eq!(status(vault, "NoNewPrivs"), "1");
    assert_eq!(status(vault, "Seccomp"), "2");
    let uid = status(vault, "Uid");
    let uid = uid.split_whitespace().next().expect("a user").to_owned();
    if nix::unistd::geteuid().is_root() {
        assert_ne!(uid, "0", "a user of its own");
        // What a dumpable process shows belongs to its user; what this one shows, to root.
        let owner = fs::metadata(format!("/proc/{vault}/environ"))
            .expect("shown")
            .uid();
        assert_eq!(owner, 0, "not dumpable");
        let open = fs::read_dir(format!("/proc/{vault}/fd"))
            .expect("descriptors")
            .count();
        assert_eq!(open, 1, "one socket and nothing else");
    }
    for process in [enclave, vault] {
        assert_eq!(
            fs::read(format!("/proc/{process}/environ")).unwrap_or_default(),
            b""
        );
    }
}

#[test]
fn keys_of_the_enclave_are_never_opened_by_the_host() {
    let node = Node::started();
    let pid = node.pid().expect("a node");
    let keys = node.folder().join("enclave");
    let open = |pid: i32| -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .collect()
    };

    assert!(!open(pid).is_empty());
    assert!(open(pid).iter().all(|path| !path.starts_with(&keys)));
    assert!(Path::new(&keys).join("sealing-root.key").is_file());
}

/// The soft limit of a process.
fn limit(pid: i32, name: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("limits");
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("this limit");
    line.split_whitespace().next().expect("a value").to_owned()
}

/// A line of the status of a process.
fn status(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("this line").trim().to_owned()
}
