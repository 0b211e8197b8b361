//! `vettid` as a person uses it, with scripts' exit codes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use serde_json::Value;
use vettid_tests::command_line::CommandLine;
use vettid_tests::node::Node;
use vettid_tests::processes::family;

const PIN: &str = "418302";
const PASSWORD: &str = "nine paper herons walk";

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}

fn enrolled(node: &Node, home: &std::path::Path) -> CommandLine {
    let owner = CommandLine::at(home);
    let enrolled = owner.expect(&["enroll", &node.invitation()], &[PIN, PASSWORD]);
    assert!(
        text(&enrolled, "vault").starts_with("vettid1"),
        "{enrolled}"
    );
    owner
}

#[test]
fn owner_of_a_suspended_space_is_told_so_and_comes_back_when_it_is_resumed() {
    let (node, place) = (Node::started(), tempfile::tempdir().expect("a folder"));
    let owner = enrolled(&node, &place.path().join("ada"));
    let spaces = node.spaces();
    let space = text(&spaces["spaces"][0], "space");

    let unsure = node.ask(&["space", "remove", &space]).expect_err("unsure");
    assert!(unsure.contains("--yes"), "{unsure}");
    node.expect(&["space", "suspend", &space]);
    let refused = owner.run(&["item", "list"], &[]);
    assert_eq!(refused.code, 3, "{}", refused.text);
    assert!(refused.text.contains("operator"), "{}", refused.text);
    node.expect(&["space", "resume", &space]);

    owner.expect(&["status"], &[]);
    owner.expect(&["unlock"], &[PIN]);
    owner.expect(&["item", "list"], &[]);
}

#[test]
fn owner_keeps_reads_finds_reveals_and_removes_items() {
    let (mut node, place) = (Node::started(), tempfile::tempdir().expect("a folder"));
    let owner = enrolled(&node, &place.path().join("ada"));

    let card = [
        "item",
        "put",
        "--name",
        "Library card",
        "--sensitivity",
        "data",
    ];
    let card = owner.expect(
        &[&card[..], &["--field", "text:number=green-heron"]].concat(),
        &[],
    );
    let mail = [
        "item",
        "put",
        "--name",
        "Mail",
        "--category",
        "login",
        "--sensitivity",
        "secret",
    ];
    let mail = owner.expect(
        &[&mail[..], &["--secret-field", "password:word"]].concat(),
        &["amber-otter"],
    );
    let wallet = [
        "item",
        "put",
        "--name",
        "Wallet",
        "--sensitivity",
        "critical",
    ];
    let wallet = owner.expect(
        &[&wallet[..], &["--secret-field", "password:seed"]].concat(),
        &[PASSWORD, "lynx"],
    );
    let (card, mail, wallet) = (text(&card, "id"), text(&mail, "id"), text(&wallet, "id"));

    let listed = owner.expect(&["item", "list"], &[]).to_string();
    assert!(
        ["Library card", "Mail", "Wallet"]
            .iter()
            .all(|name| listed.contains(name))
    );
    assert!(
        owner
            .expect(&["item", "get", &card], &[])
            .to_string()
            .contains("green-heron")
    );
    assert!(
        !owner
            .expect(&["item", "get", &mail], &[])
            .to_string()
            .contains("amber-otter")
    );
    assert!(
        owner
            .expect(&["item", "reveal", &mail], &[])
            .to_string()
            .contains("amber-otter")
    );
    let shown = owner
        .expect(&["item", "reveal", &wallet], &[PASSWORD])
        .to_string();
    assert!(shown.contains("lynx"), "{shown}");
    assert!(
        owner
            .expect(&["item", "search", "heron"], &[])
            .to_string()
            .contains(&card)
    );
    let wrong = owner.run(&["item", "reveal", &wallet], &["not the password"]);
    assert_eq!(
        (wrong.code, wrong.error()),
        (3, "wrong-password"),
        "{}",
        wrong.text
    );
    owner.expect(
        &[
            "item",
            "put",
            "--id",
            &card,
            "--field",
            "text:number=blue-heron",
        ],
        &[],
    );
    let history = owner.expect(&["item", "history", &card], &[]).to_string();
    assert!(history.contains('2') && history.contains('1'), "{history}");
    owner.expect(&["item", "remove", &card], &[]);
    owner.expect(&["item", "restore", &card], &[]);
    owner.expect(&["item", "remove", &mail, "--forever"], &[]);

    node.kill_all();
    node.start();
    let locked = owner.run(&["item", "list"], &[]);
    assert_eq!(
        (locked.code, locked.error()),
        (3, "locked"),
        "{}",
        locked.text
    );
    let wrong = owner.run(&["unlock"], &["000000"]);
    assert_eq!(
        (wrong.code, wrong.error()),
        (3, "wrong-pin"),
        "{}",
        wrong.text
    );
    owner.expect(&["unlock"], &[PIN]);
    assert!(
        owner
            .expect(&["item", "get", &card], &[])
            .to_string()
            .contains("blue-heron")
    );
    owner.expect(&["audit", "verify"], &[PIN]);
}

#[test]
fn pin_and_password_are_changed_and_the_vault_is_locked_from_the_command_line() {
    let (node, place) = (Node::started(), tempfile::tempdir().expect("a folder"));
    let owner = enrolled(&node, &place.path().join("ada"));
    owner.expect(&["pin", "change"], &[PIN, "735261"]);
    owner.expect(&["password", "change"], &[PASSWORD, "seven brass otters"]);
    owner.expect(&["lock"], &[]);

    let old = owner.run(&["unlock"], &[PIN]);
    assert_eq!((old.code, old.error()), (3, "wrong-pin"), "{}", old.text);
    owner.expect(&["unlock"], &["735261"]);
    let key = [
        "key",
        "generate",
        "--algorithm",
        "ed25519",
        "--label",
        "signing",
    ];
    let old = owner.run(&key, &[PASSWORD]);
    assert_eq!(
        (old.code, old.error()),
        (3, "wrong-password"),
        "{}",
        old.text
    );
    owner.expect(&key, &["seven brass otters"]);
    let status = owner.expect(&["status"], &[]);
    assert_eq!(status["locked"], false, "{status}");
}

#[test]
fn export_of_a_rotated_identity_leads_from_the_vault_to_the_key_that_signed() {
    let (node, place) = (Node::started(), tempfile::tempdir().expect("a folder"));
    let owner = enrolled(&node, &place.path().join("ada"));
    let rotated = owner.expect(&["credential", "rotate-identity"], &[PASSWORD]);

    owner.expect(&["audit", "verify"], &[PIN]);
    let exported = owner.expect(&["audit", "export"], &[PIN]);

    let head = &exported["head"];
    assert_eq!(text(head, "identity_key"), text(&rotated, "identity_key"));
    let rotations = head["succession"]["rotations"].as_array().expect("a list");
    let [rotation] = rotations.as_slice() else {
        panic!("one rotation: {head}");
    };
    assert_eq!(text(rotation, "from"), text(&head["succession"], "first"));
    assert_eq!(text(rotation, "to"), text(head, "identity_key"));
}

#[test]
fn every_failure_has_its_exit_code_and_says_what_to_do() {
    let (mut node, place) = (Node::started(), tempfile::tempdir().expect("a folder"));
    let stranger = CommandLine::at(&place.path().join("stranger"));
    let link = node.invitation();

    let not_enrolled = stranger.run(&["item", "list"], &[]);
    assert_eq!(not_enrolled.code, 6, "{}", not_enrolled.text);
    let short = stranger.run(&["enroll", &link], &["12", PASSWORD]);
    assert_eq!(
        (short.code, short.error()),
        (2, "pin-form"),
        "{}",
        short.text
    );
    let mistyped = stranger.run(&["enroll", "vettid:invite?d=invite1qqq"], &[PIN, PASSWORD]);
    assert_eq!(
        (mistyped.code, mistyped.error()),
        (2, "not-an-invitation"),
        "{}",
        mistyped.text
    );
    let owner = CommandLine::at(&place.path().join("ada"));
    owner.expect(&["enroll", &link], &[PIN, PASSWORD]);
    let used = stranger.run(&["enroll", &link], &[PIN, PASSWORD]);
    assert_eq!(
        (used.code, used.error()),
        (3, "invitation-used"),
        "{}",
        used.text
    );
    let unknown = owner.run(&["item", "get", &"00".repeat(16)], &[]);
    assert_eq!(
        (unknown.code, unknown.error()),
        (3, "not-found"),
        "{}",
        unknown.text
    );
    node.kill_all();
    let away = owner.run(&["status"], &[]);
    assert_eq!(away.code, 4, "{}", away.text);
}

#[test]
fn secrets_of_the_command_line_are_in_no_argument_and_no_file() {
    let (node, place) = (Node::started(), tempfile::tempdir().expect("a folder"));
    let home = place.path().join("ada");
    let owner = enrolled(&node, &home);
    let put = ["item", "put", "--name", "Mail", "--sensitivity", "secret"];
    owner.expect(
        &[&put[..], &["--secret-field", "password:word"]].concat(),
        &["planted-value-of-amber-otter"],
    );
    owner.expect(&["unlock"], &[PIN]);

    let words = [PASSWORD, "planted-value-of-amber-otter"];
    let (files, hits) = vettid_tests::plaintext::find_in_files(&words, &home);
    assert!(files >= 2, "{files}");
    assert_eq!(hits, [""; 0]);
    let private = std::fs::metadata(&home).expect("a folder").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&private) & 0o077, 0);
    // Nothing of it went to the host either.
    assert_eq!(
        vettid_tests::plaintext::find_in_files(&words, node.folder()).1,
        [""; 0]
    );
    assert!(!family(node.pid().expect("a node")).is_empty());
}
