//! From nothing to two owners who talk.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::governance::Governance;
use super::introducer::Introducer;
use super::setting::{LABEL, NAMES, Side, TEXTS, is};
use crate::demo::owner::{Owner, refusal, text_of};
use crate::demo::scene::Scene;
use crate::local_node::LocalNode;

const PEOPLE: [(&str, &str, &str, &str); 2] = [
    ("north", "Cleo", "551209", "two copper foxes yawn"),
    ("south", "Dan", "730418", "five linen crows hum"),
];

pub(crate) fn found(scene: &mut Scene) -> Result<String> {
    let (binaries, _) = scene.parts()?;
    let governance = Governance::found(binaries, &scene.folder.join("network"))?;
    let shown = governance.shown()?;
    let id = text_of(&shown, "id")?;
    scene.federation.governance = Some(governance);
    Ok(format!("{id}, complete with the second signature"))
}

pub(crate) fn introduce(scene: &mut Scene) -> Result<String> {
    let (binaries, _) = scene.parts()?;
    let first = scene.federation.governance()?.file();
    let start = |program: &str, place: &str| {
        Introducer::start(&binaries.path(program), &scene.folder.join(place), first)
    };
    let bootstrap = start("vettid-bootstrap", "bootstrap")?;
    let relay = start("vettid-relay", "relay")?;

    let federation = &mut scene.federation;
    let governance = federation.governance.as_mut().context("no network yet")?;
    governance.introduce(&bootstrap.address(), &relay.address())?;
    for introducer in [&bootstrap, &relay] {
        introducer.take(governance.file())?;
    }
    let told = format!("{}\n{}", bootstrap.address(), relay.address());
    federation.bootstrap = Some(bootstrap);
    federation.relay = Some(relay);
    Ok(told)
}

pub(crate) fn nodes(scene: &mut Scene) -> Result<String> {
    let (binaries, tools) = scene.parts()?;
    let governance = scene.federation.governance()?;
    let mut sides = Vec::new();
    for (place, name, pin, password) in PEOPLE {
        let folder = scene.folder.join(place);
        let (file, root) = (governance.file(), governance.root());
        let mut node = LocalNode::join(binaries, tools, &folder, file, &root)?;
        node.start()?;
        let home = scene.folder.join(name);
        let owner = Owner::new(name, pin, password, binaries.path("vettid"), home);
        sides.push(Side {
            place,
            node,
            owner,
            connection: String::new(),
        });
    }
    scene.federation.sides = sides;
    let peer = scene.federation.admitted("direct")?;
    let (node, image) = (text_of(&peer, "node")?, text_of(&peer, "image")?);
    let image = image.get(..16).unwrap_or_default();
    Ok(format!("north has admitted {node}, image {image}.."))
}

pub(crate) fn owners(scene: &mut Scene) -> Result<String> {
    for side in &scene.federation.sides {
        let link = text_of(&side.node.invitation()?, "link")?;
        side.owner.enroll(&link)?;
    }
    Ok("Cleo at north, Dan at south".to_owned())
}

pub(crate) fn connect(scene: &mut Scene) -> Result<String> {
    let federation = &mut scene.federation;
    let [cleos, dans] = NAMES;
    let link = federation.side(0)?.owner.invite(cleos, LABEL)?;
    federation.side(1)?.owner.accept(&link, dans, "Cleo")?;
    for number in 0..2 {
        let side = federation.side_mut(number)?;
        let connection = side.owner.connected("pending")?;
        side.connection = text_of(&connection, "id")?;
        let shown = connection.pointer("/card/name").and_then(Value::as_str);
        let expected = NAMES.into_iter().nth(1 - number);
        ensure!(shown == expected, "{} sees {connection}", side.owner.name);
        refusal(
            side.owner.say(&side.connection, "too early"),
            "not-connected",
        )
        .context("before both have approved")?;
    }
    Ok("each sees the name that the other chose to show".to_owned())
}

pub(crate) fn compare(scene: &mut Scene) -> Result<String> {
    let code = |number: usize| -> Result<String> {
        let side = scene.federation.side(number)?;
        let shown = side.owner.with_connection("get", &side.connection, &[])?;
        text_of(&shown, "safety_code")
    };
    let (cleos, dans) = (code(0)?, code(1)?);
    ensure!(cleos == dans, "Cleo sees {cleos}, Dan {dans}");
    for (side, seen_there) in scene.federation.sides.iter().zip([&dans, &cleos]) {
        let verify = side
            .owner
            .with_connection("verify", &side.connection, &[seen_there]);
        verify.with_context(|| side.owner.name)?;
    }
    Ok(format!(
        "{cleos} on both screens; each has entered what the other sees"
    ))
}

pub(crate) fn approve(scene: &mut Scene) -> Result<String> {
    for side in &scene.federation.sides {
        side.owner
            .with_connection("approve", &side.connection, &[])?;
    }
    for side in &scene.federation.sides {
        side.owner.connected("active")?;
    }
    Ok("the connection is active on both sides".to_owned())
}

pub(crate) fn talk(scene: &mut Scene) -> Result<String> {
    let (cleo, dan) = (scene.federation.side(0)?, scene.federation.side(1)?);
    let asked = cleo.owner.say(&cleo.connection, TEXTS[0])?;
    dan.owner.hears(&dan.connection, &TEXTS[..1])?;
    cleo.owner.receipt(&cleo.connection, &asked, "delivered")?;
    let answered = dan.owner.say(&dan.connection, TEXTS[1])?;
    cleo.owner.hears(&cleo.connection, &TEXTS[..2])?;
    dan.owner.receipt(&dan.connection, &answered, "delivered")?;

    dan.owner.read_all(&dan.connection)?;
    cleo.owner.read_all(&cleo.connection)?;
    cleo.owner.receipt(&cleo.connection, &asked, "read")?;
    dan.owner.receipt(&dan.connection, &answered, "read")?;
    let last = dan.owner.messages(&dan.connection)?;
    ensure!(
        last.iter().any(|message| is(message, "text", TEXTS[1])),
        "{last:?}"
    );
    Ok("one message each way, delivered and read".to_owned())
}
