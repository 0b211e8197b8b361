//! Text for people, JSON for scripts.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stdout};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use crate::admin::{Reply, Status};
use crate::federation::{self, PeerState};
use crate::release::KeptRelease;
use crate::{invitation, network, release, space};

/// Why a command failed: one sentence that says what to do.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(super) fn print(&self, json: bool) {
        if json {
            say(json!({ "error": { "message": self.0 } }).to_string());
        } else {
            complain(&format!("vettid-node: {}", self.0));
        }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(super) fn print_reply(reply: &Reply, json: bool) {
    if json {
        say(serde_json::to_value(reply)
            .unwrap_or(Value::Null)
            .to_string());
        return;
    }
    match reply {
        Reply::AlreadyJoined { epoch } => {
            say(format!(
                "joined already: this node has this file, of epoch {epoch}"
            ));
        }
        Reply::Done => say("done"),
        Reply::Failed { message } => complain(message),
        Reply::Invitation {
            id,
            link,
            web_link,
            expires,
        } => {
            print_invitation(*id, link, web_link, *expires);
        }
        Reply::Invitations { invitations } => invitations.iter().for_each(print_listed),
        Reply::Network(shown) => print_network(shown),
        Reply::Peers { running, peers } => {
            if !running {
                say("the node does not run; when it stopped:");
            }
            peers.iter().for_each(print_peer);
        }
        Reply::Prepared { release, accepted } => print_prepared(*release, *accepted),
        Reply::Releases {
            running,
            releases,
            here,
        } => {
            for listed in releases {
                let kept = here.iter().find(|kept| kept.release == listed.release);
                print_release(listed, *running == Some(listed.release), kept);
            }
            let is_listed = |kept: &&KeptRelease| {
                let listed = releases.iter().any(|listed| listed.release == kept.release);
                kept.vaults > 0 && !listed
            };
            for kept in here.iter().filter(|kept| is_listed(kept)) {
                say(format!(
                    "release {}  not listed by the network",
                    kept.release
                ));
                print_vaults(kept);
            }
        }
        Reply::Spaces { spaces } => spaces.iter().for_each(print_space),
        Reply::Status(status) => print_status(status),
    }
}

/// A line on standard output; whoever closed it wants no more.
pub(super) fn say(line: impl Display) {
    if let Err(error) = writeln!(stdout(), "{line}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        complain(&format!("vettid-node: {error}"));
    }
}

#[expect(clippy::print_stderr, reason = "a command line speaks here")]
fn complain(line: &str) {
    eprintln!("{line}");
}

fn print_invitation(id: u64, link: &str, web_link: &str, expires: u64) {
    say(format!(
        "invitation {id}, usable once within {}",
        span(expires)
    ));
    say(format!("\n  {link}\n\n  {web_link}\n"));
    // A scanner sees the terminal; a program that reads on has no use for it.
    let shown = stdout().is_terminal();
    if let Some(code) = shown.then(|| QrCode::new(link).ok()).flatten() {
        // Most terminals show light on dark, which scanners want the other way round.
        let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
        say(code
            .render::<Dense1x2>()
            .dark_color(dark)
            .light_color(light)
            .build());
    }
    say("Whoever has this link can enroll: hand it over in private.");
}

fn print_listed(listed: &invitation::Listed) {
    let state = match listed.state {
        invitation::State::Expired => "expired",
        invitation::State::Open => "open",
        invitation::State::Revoked => "revoked",
        invitation::State::Used => "used",
    };
    say(format!("{:>5}  {state:<8}  {}", listed.id, listed.label));
}

fn print_network(shown: &network::Shown) {
    say(format!("network    {}", shown.id));
    say(format!("epoch      {}", shown.epoch));
    say(format!("release    {} or later", shown.release_floor));
    for (what, lines) in [
        ("image    ", &shown.images),
        ("bootstrap", &shown.bootstrap),
        ("relay    ", &shown.relays),
    ] {
        for line in lines {
            say(format!("{what}  {line}"));
        }
    }
}

fn print_peer(listed: &federation::Listed) {
    let since = age(listed.since);
    let state = match (listed.state, listed.path.as_str()) {
        (PeerState::Admitted, path) => {
            let path = if path.is_empty() { "connected" } else { path };
            let left = span(listed.expires);
            format!(
                "for {since}, {path}, until {left} from now; release {}",
                listed.release
            )
        }
        (PeerState::Away, _) => format!("for {since}"),
        (PeerState::Refused, _) if listed.expires > 0 => {
            let left = span(listed.expires);
            format!("{since} ago, kept out for {left}: {}", listed.why)
        }
        (PeerState::Refused, _) => format!("{since} ago: {}", listed.why),
    };
    let node = listed.node.as_deref().unwrap_or("unknown node");
    let (peer, word) = (&listed.peer, listed.state.as_str());
    say(format!("{word:<8}  {node}\n          {peer}  {state}"));
}

fn print_prepared(release: u32, accepted: bool) {
    say(format!("release {release} is prepared"));
    say(match accepted {
        true => "start the enclave of the earlier release anew: owners can then approve",
        false => {
            "the network does not accept it yet: join a newer file, then start the enclave of the \
             earlier release anew"
        }
    });
}

fn print_vaults(kept: &KeptRelease) {
    say(format!("  {} vaults are sealed for it", kept.vaults));
}

fn print_release(listed: &release::Listed, runs: bool, kept: Option<&KeptRelease>) {
    let here = match kept {
        _ if runs => ", runs here",
        Some(kept) if kept.prepared => ", prepared here",
        _ => "",
    };
    let accepted = if listed.accepted {
        ""
    } else {
        ", not accepted"
    };
    say(format!(
        "release {}  {}{accepted}{here}",
        listed.release, listed.status
    ));
    if let Some(kept) = kept {
        print_vaults(kept);
    }
    for (name, value) in [
        ("PCR0", &listed.pcr0),
        ("PCR1", &listed.pcr1),
        ("PCR2", &listed.pcr2),
    ] {
        say(format!("  {name} {value}"));
    }
}

fn print_space(listed: &space::Listed) {
    let space::Listed {
        space,
        state,
        label,
        devices,
        newest,
        ..
    } = listed;
    let state = state.as_str();
    say(format!(
        "{space}  {state:<9}  {devices} device(s)  record {newest}  {label}"
    ));
}

fn print_status(status: &Status) {
    say(format!("network  {}", status.network));
    say(format!(
        "node     {}",
        status.node.as_deref().unwrap_or("not known yet")
    ));
    match status.readiness {
        None => say("running  no"),
        Some(parts) => {
            let word = |there| if there { "up" } else { "down" };
            say(format!(
                "running  yes; bus {}, enclave {}, storage {}",
                word(parts.bus),
                word(parts.enclave),
                word(parts.storage)
            ));
        }
    }
    say(format!(
        "spaces   {} active, {} pending, {} suspended",
        status.spaces_active, status.spaces_pending, status.spaces_suspended
    ));
    say(format!("audit    {} rows, chain whole", status.audit_rows));
}

/// Time from now until `expires`, roughly.
fn span(expires: u64) -> String {
    length(expires.saturating_sub(crate::clock::unix_seconds()))
}

/// Time from `since` until now, roughly.
fn age(since: u64) -> String {
    length(crate::clock::unix_seconds().saturating_sub(since))
}

fn length(seconds: u64) -> String {
    match seconds {
        0..=120 => format!("{seconds} seconds"),
        121..=7_200 => format!("{} minutes", seconds / 60),
        7_201..=172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}
