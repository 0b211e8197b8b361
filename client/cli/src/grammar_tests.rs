use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use vettid_sdk::wire::id::ConnectionId;

use super::*;

/// Every option and positional of every command, with the path that leads to it.
fn walk(command: &clap::Command, path: &str, out: &mut Vec<(String, clap::Arg)>) {
    let path = format!("{path} {}", command.get_name());
    out.extend(
        command
            .get_arguments()
            .map(|argument| (path.clone(), argument.clone())),
    );
    for inner in command.get_subcommands() {
        walk(inner, &path, out);
    }
}

fn every_argument() -> Vec<(String, clap::Arg)> {
    let mut out = Vec::new();
    walk(&Arguments::command(), "", &mut out);
    out
}

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' ').map(OsString::from))
}

#[test]
fn grammar_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn no_argument_takes_a_secret() {
    // What an argument may hold: ids, names, numbers, choices, files, and values of data items.
    let allowed = [
        "after",
        "alias",
        "algorithm",
        "archived",
        "attach",
        "base",
        "before",
        "category",
        "color",
        "command",
        "connection",
        "description",
        "disappear_after",
        "everywhere",
        "device_name",
        "favorite",
        "field",
        "field_stdin",
        "fields",
        "forever",
        "group",
        "help",
        "home",
        "id",
        "in_person",
        "into",
        "json",
        "label",
        "life",
        "limit",
        "link",
        "member",
        "members",
        "message_file",
        "muted",
        "name",
        "notes",
        "number",
        "operation",
        "reaction",
        "release",
        "read_receipts",
        "remove_field",
        "removed",
        "replacement",
        "reply_to",
        "safety_code",
        "secret_field",
        "secret_notes",
        "secrets_fd",
        "secrets_stdin",
        "sensitivity",
        "state",
        "tag",
        "tags",
        "text",
        "through",
        "to",
        "unread",
        "version",
        "watch",
        "yes",
    ];
    for (path, argument) in every_argument() {
        let id = argument.get_id().as_str();
        assert!(
            allowed.contains(&id),
            "{path}: {id} is not known to be harmless"
        );
    }
    for line in [
        "vettid unlock 123456",
        "vettid unlock --pin 123456",
        "vettid enroll link --password x",
        "vettid pin change 123456 654321",
        "vettid password change x",
        "vettid item put --name a --sensitivity secret --secret-field password:a=b",
        "vettid key import --algorithm ed25519 --label a 00",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn times_that_no_message_disappears_after_are_refused_with_those_that_one_does() {
    let id = ConnectionId([1; 16]);
    let send = |seconds: &str| {
        parse(&format!(
            "vettid message send {id} --disappear-after {seconds}"
        ))
    };
    for seconds in ["0", "31536001", "18446744073709551615"] {
        let refused = send(seconds).unwrap_err().to_string();
        assert!(refused.contains("1..=31536000"), "{refused}");
    }
    for seconds in ["1", "31536000"] {
        assert!(send(seconds).is_ok(), "{seconds}");
    }
}

#[test]
fn only_the_home_folder_comes_from_the_environment() {
    for (path, argument) in every_argument() {
        let variable = argument
            .get_env()
            .map(|name| name.to_string_lossy().into_owned());
        match argument.get_id().as_str() {
            "home" => assert_eq!(variable.as_deref(), Some(HOME)),
            id => assert_eq!(variable, None, "{path}: {id}"),
        }
    }
}

#[test]
fn help_is_as_documented() {
    let help = Arguments::command().render_long_help().to_string();
    let lines = |text: &str| {
        text.trim_end()
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };

    assert_eq!(lines(&help), lines(include_str!("help.txt")));
}

#[test]
fn options_stand_before_or_after_the_command() {
    for line in [
        "vettid --json --home /tmp/x --secrets-stdin unlock",
        "vettid unlock --json --home /tmp/x --secrets-stdin",
    ] {
        let arguments = parse(line).unwrap();

        assert!(arguments.json && arguments.secrets.secrets_stdin, "{line}");
        assert_eq!(arguments.home, Some("/tmp/x".into()), "{line}");
    }
}

#[test]
fn secrets_have_one_source() {
    assert!(parse("vettid unlock --secrets-stdin --secrets-fd 3").is_err());
}

#[test]
fn new_item_says_what_it_is_called_and_how_well_it_is_kept() {
    assert!(parse("vettid item put --name a --sensitivity data").is_ok());
    assert!(parse("vettid item put --name a").is_err());
    assert!(parse("vettid item put --sensitivity data").is_err());
    assert!(parse(&format!("vettid item put --id {}", "0a".repeat(16))).is_ok());
    assert!(parse("vettid item get zz").is_err());
}

#[test]
fn message_goes_to_one_conversation() {
    let id = "0a".repeat(16);
    for line in [
        format!("vettid message send {id}"),
        format!("vettid message send --group {id}"),
        format!("vettid message send {id} --attach a.jpg b.jpg --reply-to {id}"),
        format!("vettid message send {id} --attach a.jpg --attach b.jpg"),
        format!("vettid message list {id} --watch"),
        "vettid message list --watch".into(),
        format!("vettid message list {id} --after 7 --limit 3"),
        format!("vettid message read {id}"),
        format!("vettid message clear {id} --yes"),
        format!("vettid message clear --group {id} --before {id} --yes"),
        format!("vettid message attachment save {id} 1 --to x"),
        format!("vettid connection verify {id} 123 456"),
        "vettid connection list --state pending".into(),
    ] {
        assert!(parse(&line).is_ok(), "{line}");
    }
    for line in [
        "vettid message send".into(),
        format!("vettid message send {id} --group {id}"),
        "vettid message clear --yes".into(),
        format!("vettid message send {id} --text hello"),
        "vettid message list".into(),
        format!("vettid message list {id} --before 7 --after 3"),
        format!("vettid message list {id} --before 7 --watch"),
        format!("vettid message attachment save {id}"),
        "vettid invitation accept vettid:connect?d=connect1xyz".into(),
        format!("vettid connection verify {id}"),
    ] {
        assert!(parse(&line).is_err(), "{line}");
    }
}

/// Without a conversation there is no place to go on from.
#[test]
fn place_of_a_list_needs_a_conversation() {
    let id = "0123456789abcdef".repeat(2);
    for (line, holds) in [
        ("message list --watch".to_owned(), true),
        ("message list --watch --after 3".to_owned(), false),
        (format!("message list {id} --watch --after 3"), true),
    ] {
        assert_eq!(parse(&format!("vettid {line}")).is_ok(), holds, "{line}");
    }
}
