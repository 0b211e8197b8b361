//! The story: its steps in order, those of one node first.

use std::fs;
use std::io::stdout;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::federation;
use super::owner::{Owner, refusal, text_of};
use super::scene::{ITEMS, Scene};
use super::step::{Step, Voice, tell};
use super::traces::Search;
use super::wiretap::Wiretap;
use crate::local_node::{Binaries, LocalNode};
use crate::repository::Repository;
use crate::tools::{Need, provide};

/// How the story is told, and what is left afterwards.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One JSON object a step: step, ok, detail
    #[arg(long)]
    json: bool,
    /// Leave the nodes running and their folder in place
    #[arg(long)]
    keep: bool,
}

const STEPS: &[Step<Scene>] = &[
    Step {
        name: "tools",
        words: "Get the tools: a verified nats-server, compilers",
        run: tools,
    },
    Step {
        name: "build",
        words: "Build node, emulated enclave, command line, bootstrap node and relay",
        run: build,
    },
    Step {
        name: "init",
        words: "Make a node with a network of its own",
        run: init,
    },
    Step {
        name: "run",
        words: "Start it: node, enclave, bus",
        run: start,
    },
    Step {
        name: "enroll",
        words: "Two owners enroll through invitations",
        run: enroll,
    },
    Step {
        name: "invitation-used",
        words: "A used invitation is worth nothing",
        run: used_invitation,
    },
    Step {
        name: "put",
        words: "The first owner keeps data, a secret and a critical value",
        run: put,
    },
    Step {
        name: "other-owner",
        words: "The second owner sees none of it",
        run: other_owner,
    },
    Step {
        name: "reveal",
        words: "Reveal the secret, which leaves a trace in the audit log",
        run: reveal,
    },
    Step {
        name: "critical",
        words: "Use the critical value with the password",
        run: critical,
    },
    Step {
        name: "clone-alarm",
        words: "A stolen copy of the phone raises the alarm",
        run: clone_alarm,
    },
    Step {
        name: "crash",
        words: "kill -9 node, enclave and bus",
        run: crash,
    },
    Step {
        name: "restart",
        words: "Start again; a wrong PIN opens nothing",
        run: restart,
    },
    Step {
        name: "read-back",
        words: "The right PIN finds everything",
        run: read_back,
    },
    Step {
        name: "ciphertext",
        words: "Look through all that the host ever saw",
        run: ciphertext,
    },
    Step {
        name: "audit",
        words: "Verify the chain of the audit log",
        run: audit,
    },
];

/// Tells the story; fails if a step is not as told.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("vettid-demo-").tempdir()?;
    let mut scene = Scene::new(repository.clone(), folder.path().to_path_buf());
    let voice = if options.json {
        Voice::Json
    } else {
        Voice::Words
    };
    let steps: Vec<_> = STEPS.iter().chain(federation::STEPS).collect();
    let outcome = tell(&steps, &mut scene, voice, &mut stdout());
    if options.keep {
        let kept = folder.keep();
        eprintln!("kept: {} and what runs in it", kept.display());
        if let Some(node) = scene.node.take() {
            node.keep();
        }
        scene.federation.keep();
    }
    outcome
}

fn tools(scene: &mut Scene) -> Result<String> {
    scene.tools = Some(provide(
        &scene.repository,
        &[Need::Build, Need::NatsServer, Need::Python],
    )?);
    Ok("in place".to_owned())
}

fn build(scene: &mut Scene) -> Result<String> {
    scene.binaries = Some(Binaries::build(&scene.repository, false)?);
    Ok("vettid-node, vettid-enclave-emulated, vettid, vettid-bootstrap, vettid-relay".to_owned())
}

fn init(scene: &mut Scene) -> Result<String> {
    let (binaries, tools) = scene.parts()?;
    let node = LocalNode::init(binaries, tools, &scene.folder.join("node"))?;
    let wiretap = Wiretap::before_bus(node.folder())?;
    let told = format!(
        "{}, wiretap at {}",
        node.folder().display(),
        wiretap.address()
    );
    scene.node = Some(node);
    scene.wiretap = Some(wiretap);
    Ok(told)
}

fn start(scene: &mut Scene) -> Result<String> {
    let node = scene.node()?;
    node.start()?;
    Ok("ready".to_owned())
}

fn enroll(scene: &mut Scene) -> Result<String> {
    let program = scene
        .binaries
        .as_ref()
        .context("nothing is built yet")?
        .path("vettid");
    let people = [
        ("Ada", "418302", "seven brass otters sing"),
        ("Ben", "902714", "nine paper herons walk"),
    ];
    for (name, pin, password) in people {
        let link = text_of(&scene.node()?.invitation()?, "link")?;
        let owner = Owner::new(
            name,
            pin,
            password,
            program.clone(),
            scene.folder.join(name),
        );
        owner.enroll(&link)?;
        fs::write(scene.folder.join(format!("{name}.link")), link)?;
        scene.owners.push(owner);
    }
    Ok("two vaults, each with its own PIN and password".to_owned())
}

fn used_invitation(scene: &mut Scene) -> Result<String> {
    let program = scene
        .binaries
        .as_ref()
        .context("nothing is built yet")?
        .path("vettid");
    let link = fs::read_to_string(scene.folder.join("Ada.link"))?;
    let home = scene.folder.join("stranger");
    let stranger = Owner::new("stranger", "111111", "no such password", program, home);
    refusal(stranger.enroll(&link), "invitation-used")
}

fn put(scene: &mut Scene) -> Result<String> {
    let ids: Result<Vec<String>> = ITEMS.iter().map(|item| scene.owner(0)?.put(item)).collect();
    scene.kept = ids?;
    let listed = scene.owner(0)?.list()?.to_string();
    ensure!(
        ITEMS.iter().all(|item| listed.contains(item.name)),
        "not all are listed: {listed}"
    );
    Ok(format!("{} items", scene.kept.len()))
}

fn other_owner(scene: &mut Scene) -> Result<String> {
    let listed = scene.owner(1)?.list()?.to_string();
    ensure!(
        ITEMS.iter().all(|item| !listed.contains(item.name)),
        "he sees {listed}"
    );
    refusal(scene.owner(1)?.get(scene.item(0)?), "not-found")?;
    Ok("his vault is empty, and the first owner's ids mean nothing in it".to_owned())
}

fn reveal(scene: &mut Scene) -> Result<String> {
    let id = scene.item(1)?;
    let shown = scene.owner(0)?.get(id)?.to_string();
    ensure!(
        !shown.contains(ITEMS[1].field.value),
        "shown without revealing: {shown}"
    );
    expect(
        &scene.owner(0)?.reveal(id, None)?.to_string(),
        ITEMS[1].field.value,
    )?;
    Ok("hidden in a plain reading, shown when revealed".to_owned())
}

fn critical(scene: &mut Scene) -> Result<String> {
    let copied = scene.owner(0)?.copied(scene.folder.join("copied-phone"))?;
    let owner = scene.owner(0)?;
    let id = scene.item(2)?;
    let shown = owner.reveal(id, Some(owner.password))?;
    expect(&shown.to_string(), ITEMS[2].field.value)?;
    refusal(owner.reveal(id, Some("not the password")), "wrong-password")?;
    scene.copied = Some(copied);
    Ok("shown with the password, refused without; the credential rotated".to_owned())
}

fn clone_alarm(scene: &mut Scene) -> Result<String> {
    let copied = scene.copied.as_ref().context("no copied phone yet")?;
    let id = scene.item(2)?;
    let words = refusal(copied.reveal(id, Some(copied.password)), "credential-stale")?;
    let status = scene.owner(0)?.status()?;
    ensure!(
        status.to_string().contains("\"credential_frozen\":true"),
        "no freeze in {status}"
    );
    Ok(format!("{words}; credential operations are frozen"))
}

fn crash(scene: &mut Scene) -> Result<String> {
    let killed = scene.node()?.kill_all()?;
    let pids: Vec<String> = killed.iter().map(ToString::to_string).collect();
    Ok(format!("killed processes {}", pids.join(", ")))
}

fn restart(scene: &mut Scene) -> Result<String> {
    scene.node()?.start()?;
    let words = refusal(scene.owner(0)?.unlock("000000"), "wrong-pin")?;
    refusal(scene.owner(0)?.list(), "(locked)")?;
    Ok(words)
}

fn read_back(scene: &mut Scene) -> Result<String> {
    for owner in &scene.owners {
        owner.unlock(owner.pin)?;
    }
    let owner = scene.owner(0)?;
    expect(
        &owner.get(scene.item(0)?)?.to_string(),
        ITEMS[0].field.value,
    )?;
    expect(
        &owner.reveal(scene.item(1)?, None)?.to_string(),
        ITEMS[1].field.value,
    )?;
    expect(&owner.search("heron")?.to_string(), scene.item(0)?)?;
    Ok("all items are there, the search finds them".to_owned())
}

fn ciphertext(scene: &mut Scene) -> Result<String> {
    let words = scene.private_words();
    let mut search = Search::default();
    search.folder(scene.node()?.folder(), &words)?;
    let files = search.files;
    let heard = scene.wiretap.as_ref().context("no wiretap yet")?.heard();
    ensure!(!heard.is_empty(), "the wiretap heard nothing");
    search.bytes("bus", &heard, &words);
    if !search.hits.is_empty() {
        bail!("plaintext found: {}", search.hits.join(", "));
    }
    Ok(format!(
        "{files} files and the bus, {} bytes: no private word in them",
        search.bytes
    ))
}

fn audit(scene: &mut Scene) -> Result<String> {
    let verified: Result<Vec<String>> = scene.owners.iter().map(verified).collect();
    Ok(verified?.join("\n"))
}

fn verified(owner: &Owner) -> Result<String> {
    let answer = owner.verify_audit()?;
    let is = |name: &str| answer.get(name) == Some(&Value::Bool(true));
    ensure!(is("valid"), "the chain is broken: {answer}");
    let count = |name: &str| answer.get(name).and_then(Value::as_u64);
    let (Some(events), Some(here)) = (count("events"), count("checked_here")) else {
        bail!("no events in {answer}");
    };
    Ok(format!(
        "{}: {events} events in one chain, verified in the vault; {here} of them once more outside",
        owner.name
    ))
}

fn expect(text: &str, word: &str) -> Result<()> {
    ensure!(text.contains(word), "\"{word}\" is not in {text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_step_has_its_own_name() {
        let steps = || STEPS.iter().chain(federation::STEPS);
        let names: BTreeSet<_> = steps().map(|step| step.name).collect();

        assert_eq!(names.len(), steps().count());
    }
}
