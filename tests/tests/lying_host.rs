//! A host that lies about what it keeps: every lie is told from the truth, and nothing is served.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::host_disk::{HostDisk, Stored, alter};
use vettid_tests::items::replace;
use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::progress::Watch;
use vettid_tests::raw::Fault;
use vettid_tests::wait;
use vettid_wire::operation::item;
use vettid_wire::operation::vault::Status;
use vettid_wire::refusal::Code;

/// Changes a log at a place.
type Lie = fn(&mut Vec<Stored>, usize);

/// Unlocks after the host lied: what the owner is told.
fn told(owner: &mut Owner) -> Option<Code> {
    owner.hang_up();
    wait::until("an answer", || match owner.unlock() {
        Ok(_) => Some(None),
        Err(fault) => fault.code().map(Some),
    })
}

/// Nothing of the vault is served, whatever is asked.
fn assert_silent(owner: &mut Owner, id: vettid_wire::id::ItemId, why: &str) {
    for answer in [
        owner.value(id).err(),
        owner.put("more", "x").err(),
        owner.feed().err(),
    ] {
        let code = answer.unwrap_or_else(|| panic!("{why}: served")).code();
        assert!(
            matches!(
                code,
                None | Some(Code::Damaged | Code::Locked | Code::RolledBack)
            ),
            "{why}: {code:?}"
        );
    }
}

/// One vault with a few records, its node stopped.
fn stopped() -> (Node, Owner, item::Written) {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let mut at = owner.put("note", "version 1").expect("kept");
    for version in 2..6 {
        at = owner
            .call(&replace(at, "note", &format!("version {version}")))
            .expect("replaced");
    }
    node.stop();
    (node, owner, at)
}

/// Lies with `lie`, starts the node, and says what the owner is told; then tells the truth again.
fn after(
    (node, owner, at): &mut (Node, Owner, item::Written),
    why: &str,
    lie: impl FnOnce(&mut Vec<Stored>),
) -> Option<Code> {
    let space = owner.app.space;
    let truth = HostDisk::of(node).log(space);
    let mut lied = truth.clone();
    lie(&mut lied);
    HostDisk::of(node).replace_log(space, &lied);
    node.start();
    let told = told(owner);
    if told.is_some() {
        assert_silent(owner, at.id, why);
    }
    node.stop();
    HostDisk::of(node).replace_log(space, &truth);
    told
}

#[test]
fn missing_altered_repeated_or_swapped_records_are_damage_and_nothing_is_served() {
    let mut scene = stopped();
    let middle = |log: &Vec<Stored>| log.len() / 2;

    let lies: [(&str, Lie); 6] = [
        ("a record is missing", |log, at| drop(log.remove(at))),
        ("a record is altered", |log, at| alter(&mut log[at].bytes)),
        ("a record has another's number", |log, at| {
            let other = log[at].bytes.clone();
            log[at + 1].bytes = other;
        }),
        ("two records are swapped", |log, at| {
            let (one, other) = (log[at].bytes.clone(), log[at + 1].bytes.clone());
            (log[at].bytes, log[at + 1].bytes) = (other, one);
        }),
        ("a record is cut short", |log, at| {
            log[at].bytes.truncate(60)
        }),
        ("the checkpoint is altered", |log, _| {
            alter(&mut log[0].bytes)
        }),
    ];
    for (why, lie) in lies {
        let told = after(&mut scene, why, |log| {
            let at = middle(log);
            lie(log, at);
        });
        assert_eq!(told, Some(Code::Damaged), "{why}");
    }
    // The newest record has no successor to give it away: its own seal does.
    let told = after(&mut scene, "newest altered", |log| {
        alter(&mut log.last_mut().expect("a record").bytes);
    });
    assert!(
        matches!(told, Some(Code::Damaged | Code::RolledBack)),
        "{told:?}"
    );
    // None of the lies did harm.
    assert_eq!(after(&mut scene, "the truth", |_| {}), None);
}

#[test]
fn older_state_is_told_to_the_owner_as_rolled_back_and_no_attempt_is_charged() {
    let mut scene = stopped();
    for newest in [1, 2, 4] {
        let told = after(&mut scene, "rolled back", |log| log.truncate(newest));
        assert_eq!(told, Some(Code::RolledBack), "only {newest} records");
    }
    let (node, owner, at) = &mut scene;
    node.start();
    let unlocked = owner.come_back();
    assert_eq!(unlocked.failed_attempts, 0);
    assert_eq!(owner.value(at.id).expect("the truth again"), "version 5");
}

#[test]
fn rolling_back_under_a_running_enclave_is_noticed_without_the_app() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "version 1").expect("kept");
    let early = vettid_tests::host_disk::copy_of_log(node.folder(), owner.app.space);
    owner
        .call(&replace(kept, "note", "version 2"))
        .expect("replaced");
    // The process ends; the enclave goes on and remembers the newest record of this boot.
    node.vaults()
        .into_iter()
        .for_each(vettid_tests::processes::kill_now);
    vettid_tests::host_disk::overwrite_log(node.folder(), owner.app.space, &early);

    owner.hang_up();
    owner.seen = None;
    assert_eq!(told(&mut owner), Some(Code::RolledBack));
    assert_silent(&mut owner, kept.id, "rolled back");
    node.kill_all();
}

#[test]
fn record_of_another_vault_is_damage_in_both() {
    let mut node = Node::started();
    let (mut ada, mut ben) = (Owner::enrolled(&node), Owner::enrolled(&node));
    let of_ada = ada.put("note", "of Ada").expect("kept");
    let of_ben = ben.put("note", "of Ben").expect("kept");
    node.stop();
    let disk = HostDisk::of(&node);
    let (log_a, log_b) = (disk.log(ada.app.space), disk.log(ben.app.space));

    // One record each, then the whole logs.
    let (mut a, mut b) = (log_a.clone(), log_b.clone());
    std::mem::swap(&mut a[1].bytes, &mut b[1].bytes);
    for (a, b) in [(a, b), (log_b.clone(), log_a.clone())] {
        disk.replace_log(ada.app.space, &a);
        disk.replace_log(ben.app.space, &b);
        node.start();
        for (owner, id) in [(&mut ada, of_ada.id), (&mut ben, of_ben.id)] {
            owner.hang_up();
            let code = wait::until("an answer", || match owner.unlock() {
                Ok(_) => Some(None),
                // A device of another vault is not even let into a session.
                Err(Fault::Reset) => Some(Some(Code::UnknownDevice)),
                Err(fault) => fault.code().map(Some),
            });
            assert!(
                matches!(
                    code,
                    Some(Code::Damaged | Code::UnknownDevice | Code::RolledBack)
                ),
                "{code:?}"
            );
            assert!(owner.value(id).is_err());
        }
        node.stop();
    }
    disk.replace_log(ada.app.space, &log_a);
    disk.replace_log(ben.app.space, &log_b);
    node.start();
    ada.come_back();
    assert_eq!(ada.value(of_ada.id).expect("the truth again"), "of Ada");
}

#[test]
fn missing_or_altered_snapshot_chunk_is_damage_and_the_true_one_heals_it() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let mut at = owner.put("large", "x").expect("kept");
    // More than 1 MiB of log makes a snapshot due, which is taken in a quiet moment.
    for version in 0..30 {
        let value = format!("{version}{}", "x".repeat(48 * 1024));
        at = owner.call(&replace(at, "large", &value)).expect("replaced");
    }
    let watch = Watch::of(node.folder(), owner.app.space);
    wait::until("one snapshot, and the log behind it", || {
        let now = watch.look()?;
        (now.snapshots == 1 && now.first == now.checkpoint && now.first > 1).then_some(())
    });
    node.stop();
    let disk = HostDisk::of(&node);
    let chunks = disk.chunks();
    let first = disk
        .log(owner.app.space)
        .first()
        .expect("a checkpoint")
        .clone();
    assert!(
        first.checkpoint && first.number > 1,
        "the log was cut: {}",
        first.number
    );
    let truth = std::fs::read(&chunks[0]).expect("a chunk");
    let mut altered = truth.clone();
    alter(&mut altered);

    for lie in [
        None,
        Some(altered),
        Some(truth[..truth.len() - 1].to_vec()),
        Some(vec![]),
    ] {
        match &lie {
            None => std::fs::remove_file(&chunks[0]).expect("removed"),
            Some(bytes) => std::fs::write(&chunks[0], bytes).expect("written"),
        }
        node.start();
        assert_eq!(
            told(&mut owner),
            Some(Code::Damaged),
            "{:?}",
            lie.map(|lie| lie.len())
        );
        assert_silent(&mut owner, at.id, "chunk");
        node.stop();
        std::fs::write(&chunks[0], &truth).expect("written");
    }
    node.start();
    owner.come_back();
    assert!(owner.value(at.id).expect("healed").starts_with("29"));
    owner.verified_audit().expect("verified");
}

#[test]
fn of_two_nodes_that_open_one_vault_one_loses_and_wipes() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "before the split").expect("kept");
    node.stop();
    // Two nodes, two enclaves with the same secrets, one log: what a careless or lying host builds.
    let mut twin = node.copied();
    for name in ["node.db", "node.db-wal", "node.db-shm"] {
        let _ = std::fs::remove_file(twin.folder().join(name));
    }
    std::os::unix::fs::symlink(node.folder().join("node.db"), twin.folder().join("node.db"))
        .expect("one database");
    node.start();
    twin.start();
    owner.come_back();
    let mut at_twin = twin_of(&owner, &twin);
    at_twin.come_back();

    // Unlocking at the twin wrote two records: the first process does not know them and loses.
    let written = at_twin
        .put("first", "acknowledged")
        .expect("the newest to open goes on");
    let lost = owner
        .put("second", "never acknowledged")
        .expect_err("the other loses");
    assert_eq!(lost, Fault::Reset, "it is told that its session is gone");
    wait::until("it wipes its memory", || {
        node.vaults().is_empty().then_some(())
    });
    assert_eq!(twin.vaults().len(), 1);
    at_twin.put("third", "acknowledged").expect("undisturbed");

    // Whoever comes back reads what was acknowledged and nothing else.
    owner.seen = at_twin.seen;
    owner.come_back();
    assert_eq!(owner.value(kept.id).expect("kept"), "before the split");
    assert_eq!(
        owner.value(written.id).expect("acknowledged"),
        "acknowledged"
    );
    assert_eq!(owner.status().expect("status").open.expect("open").items, 3);
    owner.verified_audit().expect("verified");
}

#[test]
fn device_that_is_led_to_a_copy_with_more_records_is_told_before_it_asks_for_anything() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    owner.put("note", "before the split").expect("kept");
    node.stop();
    // Two enclaves with the same secrets, each over a log of its own.
    let mut twin = node.copied();
    node.start();
    twin.start();
    owner.come_back();
    let mut at_twin = twin_of(&owner, &twin);
    // It has seen nothing of what the first node has written since.
    at_twin.seen = None;
    at_twin.come_back();
    owner.put("mine", "acknowledged").expect("kept");
    for name in ["one", "two", "three", "four"] {
        at_twin.put(name, "acknowledged").expect("kept");
    }
    let number = |owner: &Owner| owner.seen.expect("a head").number;
    assert!(number(&at_twin) > number(&owner));

    for restarted in [false, true] {
        if restarted {
            twin.stop();
            twin.start();
            at_twin.hang_up();
        }
        let mut told = |seen| {
            wait::until("an answer", || match at_twin.call(&Status { seen }) {
                Ok(_) => Some(None),
                Err(fault) => fault.code().map(Some),
            })
        };
        assert_eq!(told(owner.seen), Some(Code::RolledBack), "{restarted}");
        assert_eq!(told(None), None, "{restarted}");
    }
    assert!(owner.status().is_ok(), "the first goes on");
}

/// The same device, with its eyes on another node.
fn twin_of(owner: &Owner, twin: &Node) -> Owner {
    let link = vettid_tests::raw::RawApp {
        user: nkeys::KeyPair::from_seed(&owner.app.user.seed().expect("seed")).expect("a key"),
        device: owner
            .app
            .device
            .expose_seed(vettid_crypto::sign::SigningKey::from_seed),
        session_key: owner
            .app
            .session_key
            .expose(vettid_crypto::x25519::X25519Secret::from_bytes),
        http: twin.http(),
        bus: twin.bus(),
        jwt: owner.app.jwt.clone(),
        space: owner.app.space,
        route: owner.app.route,
        node: owner.app.node,
        network: owner.app.network.clone(),
        token: owner.app.token.clone(),
    };
    let mut same = Owner::redeemed(link, &owner.pin, &owner.present.password);
    same.seen = owner.seen;
    same
}
