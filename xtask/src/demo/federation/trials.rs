//! What goes wrong between two owners, and what their hosts saw of it.

use std::fs::{self, OpenOptions};
use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::setting::{LABEL, NAMES, TEXTS, found, is};
use super::sight::{Sight, log_of};
use crate::demo::owner::{members, refusal, text_of};
use crate::demo::scene::Scene;
use crate::demo::traces::Search;
use crate::demo::wait;
use crate::local_node::LocalNode;
use crate::node_toml::NodeToml;

/// Tables of what waits: in a mailbox, or to be sent.
const WAITING: [&str; 2] = ["mail", "spool"];

pub(crate) fn locked(scene: &mut Scene) -> Result<String> {
    let (cleo, dan) = (scene.federation.side(0)?, scene.federation.side(1)?);
    dan.owner.lock()?;
    let mut sent = String::new();
    for text in [TEXTS[2], TEXTS[3]] {
        sent = cleo.owner.say(&cleo.connection, text)?;
    }
    cleo.owner.receipt(&cleo.connection, &sent, "stored")?;
    let sight = Sight::all(&dan.node, "south, while Dan's vault was closed")?;
    let waiting = sight.rows("mail");
    ensure!(waiting >= 2, "{waiting} wait in the mailbox");
    let sight = sight.only(&WAITING);

    dan.owner.unlock(dan.owner.pin)?;
    dan.owner.hears(&dan.connection, &TEXTS[..4])?;
    dan.owner.read_all(&dan.connection)?;
    cleo.owner.receipt(&cleo.connection, &sent, "read")?;
    scene.federation.seen.push(sight);
    Ok(format!(
        "{waiting} sealed deliveries waited; all are there, in order"
    ))
}

pub(crate) fn killed(scene: &mut Scene) -> Result<String> {
    let killed = scene.federation.side_mut(1)?.node.kill_all()?.len();
    let cleo = scene.federation.side(0)?;
    let sent = cleo.owner.say(&cleo.connection, TEXTS[4])?;
    let of = "north, while Dan's node was dead";
    let sight = wait::until("what was said waits to be sent", || {
        let sight = Sight::all(&cleo.node, of)?;
        Ok((sight.rows("spool") > 0).then_some(sight))
    })?;
    let sight = sight.only(&WAITING);

    scene.federation.side_mut(1)?.node.start()?;
    let (cleo, dan) = (scene.federation.side(0)?, scene.federation.side(1)?);
    dan.owner.unlock(dan.owner.pin)?;
    dan.owner.hears(&dan.connection, &TEXTS[..5])?;
    dan.owner.read_all(&dan.connection)?;
    cleo.owner.receipt(&cleo.connection, &sent, "read")?;
    scene.federation.seen.push(sight);
    Ok(format!(
        "{killed} processes killed; nothing is lost or doubled"
    ))
}

pub(crate) fn relayed(scene: &mut Scene) -> Result<String> {
    for side in &mut scene.federation.sides {
        side.node.stop();
        NodeToml::read(side.node.folder())?.hide()?;
    }
    for side in &mut scene.federation.sides {
        side.node.start()?;
        side.owner.unlock(side.owner.pin)?;
    }
    let federation = &scene.federation;
    let (cleo, dan) = (federation.side(0)?, federation.side(1)?);
    let sent = cleo.owner.say(&cleo.connection, TEXTS[5])?;
    dan.owner.hears(&dan.connection, &TEXTS[..6])?;
    dan.owner.read_all(&dan.connection)?;
    cleo.owner.receipt(&cleo.connection, &sent, "read")?;
    federation.admitted("relayed")?;
    let relay = federation.relay.as_ref().context("no relay yet")?;
    let status = relay.status()?;
    let circuits = status.get("circuits").and_then(Value::as_u64);
    ensure!(circuits > Some(0), "the relay carries nothing: {status}");
    Ok(format!(
        "both list the other as relayed; the relay counts {}",
        members(&status)
    ))
}

pub(crate) fn changed(scene: &mut Scene) -> Result<String> {
    let (binaries, tools) = scene.parts()?;
    let governance = scene.federation.governance()?;
    let folder = scene.folder.join("east");
    let (file, root) = (governance.file(), governance.root());
    let mut node = LocalNode::join(binaries, tools, &folder, file, &root)?;
    let program = scene.folder.join("changed-enclave");
    fs::copy(binaries.path("vettid-enclave-emulated"), &program).context("copy of the enclave")?;
    // Behind everything that is run, but measured.
    let mut byte = OpenOptions::new().append(true).open(&program)?;
    byte.write_all(b"!")?;
    drop(byte);
    NodeToml::read(&folder)?.run_enclave(&program)?;
    node.start()?;
    let east = text_of(&node.status()?, "node")?;

    let mut told = Vec::new();
    for side in &scene.federation.sides {
        let peer = wait::until(&format!("{} refuses east", side.place), || {
            let peer = found(&side.node.peers()?, "node", &east);
            Ok(peer.filter(|peer| is(peer, "state", "refused")))
        })?;
        let why = text_of(&peer, "why")?;
        ensure!(why.contains("image"), "{} says: {why}", side.place);
        told.push(format!("{} lists east as refused: {why}", side.place));
    }
    // Whoever is refused is not told why; it would let the others in, if they let it.
    wait::until("east has nobody", || {
        let peers = node.peers()?;
        let nobody = found(&peers, "state", "admitted").is_none();
        Ok(nobody.then_some(()))
    })?;
    told.push("east, which is not told why, is connected with nobody".to_owned());
    scene.federation.changed = Some(node);
    Ok(told.join("\n"))
}

pub(crate) fn revoke(scene: &mut Scene) -> Result<String> {
    let (cleo, dan) = (scene.federation.side(0)?, scene.federation.side(1)?);
    let sent = cleo.owner.say(&cleo.connection, TEXTS[6])?;
    cleo.owner.receipt(&cleo.connection, &sent, "delivered")?;
    cleo.owner
        .with_connection("revoke", &cleo.connection, &[])?;
    dan.owner.connected("revoked")?;
    for side in &scene.federation.sides {
        refusal(
            side.owner.say(&side.connection, "one more"),
            "not-connected",
        )
        .with_context(|| side.owner.name.to_owned())?;
    }
    dan.owner.hears(&dan.connection, &TEXTS)?;
    Ok("both are refused; Dan still has what was said".to_owned())
}

pub(crate) fn hosts_saw(scene: &mut Scene) -> Result<String> {
    let federation = &scene.federation;
    let mut lines: Vec<String> = federation.seen.iter().flat_map(Sight::lines).collect();
    for side in &federation.sides {
        let of = format!("{}, at the end", side.place);
        lines.extend(Sight::all(&side.node, of)?.lines());
        lines.push(log_of(&side.node)?);
    }
    let relay = federation.relay.as_ref().context("no relay yet")?;
    let counts = members(&relay.status()?);
    lines.push(format!("relay:\n  counts {counts}"));
    Ok(format!(
        "rows, and lengths of what is in them\n{}",
        lines.join("\n")
    ))
}

pub(crate) fn ciphertext(scene: &mut Scene) -> Result<String> {
    let mut words: Vec<String> = TEXTS
        .iter()
        .chain(&NAMES)
        .map(|&word| word.to_owned())
        .collect();
    words.push(LABEL.to_owned());
    let owners = scene.federation.sides.iter().map(|side| &side.owner);
    words.extend(owners.map(|owner| owner.password.to_owned()));
    let mut search = Search::default();
    for folder in scene.federation.host_folders() {
        search.folder(&folder, &words)?;
    }
    if !search.hits.is_empty() {
        bail!("plaintext found: {}", search.hits.join(", "));
    }
    let Search { files, bytes, .. } = search;
    Ok(format!(
        "{files} files, {bytes} bytes: none of {} private words in them",
        words.len()
    ))
}
