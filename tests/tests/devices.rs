//! Devices on the bus: what their tokens allow, how long, and how they are taken away.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::time::Duration;

use serde_json::{Value, json};
use vettid_tests::node::Node;
use vettid_tests::owner::Owner;
use vettid_tests::raw::{BusLine, Fault, Said, SystemEntropy, now};
use vettid_tests::tokens;
use vettid_tests::wait::PATIENCE;
use vettid_wire::refusal::Code;
use vettid_wire::request::FromVault;
use vettid_wire::{limits, subject};

/// What ends a connection.
fn end_of(line: &mut BusLine) -> Said {
    loop {
        match line.next(PATIENCE).expect("an end") {
            Said::Message(..) | Said::Pong => {}
            said => return said,
        }
    }
}

#[test]
fn device_token_allows_its_two_subjects_and_its_inbox_for_a_day() {
    let node = Node::started();
    let owner = Owner::enrolled(&node);
    let claims: Value = tokens::claims(&owner.app.jwt);

    let rights = &claims["nats"];
    assert_eq!(
        rights["pub"]["allow"],
        json!([subject::for_vault(owner.app.space)])
    );
    assert_eq!(
        rights["sub"]["allow"],
        json!([
            subject::for_app(owner.app.space, owner.app.route),
            format!("{}.>", subject::inbox(owner.app.route))
        ])
    );
    let expires = claims["exp"].as_u64().expect("an end") * 1000;
    let left = expires.saturating_sub(now().0);
    assert!(
        (limits::BUS_CREDENTIAL - 120_000..=limits::BUS_CREDENTIAL).contains(&left),
        "{left}"
    );
}

#[test]
fn device_cannot_hear_or_speak_on_foreign_subjects() {
    let node = Node::started();
    let (mut ada, ben) = (Owner::enrolled(&node), Owner::enrolled(&node));
    for foreign in [
        subject::for_app(ada.app.space, ada.app.route),
        subject::for_vault(ben.app.space),
        "OwnerSpace.>".to_owned(),
        ">".to_owned(),
        "$SYS.>".to_owned(),
        format!("{}.>", subject::inbox(ada.app.route)),
    ] {
        let mut line = ben.app.line().expect("a connection");
        let refused = line.subscribe(&foreign).expect_err("refused");
        assert!(
            matches!(&refused, Fault::Bus(why) if why.contains("Permissions")),
            "{refused}"
        );
    }
    for foreign in [
        subject::for_vault(ada.app.space),
        subject::for_app(ada.app.space, ada.app.route),
        "$SYS.REQ.CLAIMS.UPDATE".to_owned(),
    ] {
        let mut line = ben.app.line().expect("a connection");
        let refused = line
            .publish(&foreign, b"x")
            .and_then(|()| line.flush())
            .expect_err("refused");
        assert!(
            matches!(&refused, Fault::Bus(why) if why.contains("Permissions")),
            "{refused}"
        );
    }
    assert_eq!(ada.put("undisturbed", "x").expect("kept").version, 1);
}

#[test]
fn strangers_and_foreign_tokens_are_not_let_onto_the_bus() {
    let (node, other) = (Node::started(), Node::started());
    let (owner, elsewhere) = (Owner::enrolled(&node), Owner::enrolled(&other));
    let stranger = nkeys::KeyPair::new_user();

    let refused = |jwt: &str, key: &nkeys::KeyPair| {
        let refused = BusLine::connect(node.bus(), jwt, key)
            .err()
            .expect("refused");
        assert!(
            matches!(refused, Fault::Bus(_) | Fault::Closed),
            "{refused}"
        );
    };
    refused(&owner.app.jwt, &stranger);
    refused(&elsewhere.app.jwt, &elsewhere.app.user);
    refused("", &stranger);
    let mut anonymous = BusLine::dial(node.bus()).expect("a connection");
    anonymous
        .write(b"CONNECT {\"verbose\":false}\r\nPING\r\n")
        .expect("sent");
    assert!(matches!(
        end_of(&mut anonymous),
        Said::Error(_) | Said::Closed
    ));
}

#[test]
fn expired_token_ends_the_live_connection_and_a_renewed_one_opens_another() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "still there").expect("kept");
    owner.hang_up();
    let day = owner.app.jwt.clone();
    owner.app.jwt = tokens::expiring(node.folder(), &day, now().seconds() + 10);
    let mut line = owner.app.line().expect("still valid");

    let said = end_of(&mut line);
    assert!(matches!(&said, Said::Error(_) | Said::Closed), "{said:?}");
    let late = owner.app.line().err().expect("refused");
    assert!(matches!(late, Fault::Bus(_) | Fault::Closed), "{late}");
    owner.app.renew().expect("renewed");
    owner.come_back();
    assert_eq!(owner.value(kept.id).expect("kept"), "still there");
}

#[test]
fn suspending_a_space_drops_its_connection_at_once_and_resuming_lets_it_in_again() {
    let mut node = Node::started();
    let (mut owner, mut other) = (Owner::enrolled(&node), Owner::enrolled(&node));
    let kept = owner.put("note", "through it all").expect("kept");
    let mut session = owner.hang_up().expect("a session");

    node.space("suspend", owner.app.space);

    let said = end_of(&mut session.line);
    assert!(matches!(&said, Said::Error(_) | Said::Closed), "{said:?}");
    let refused = owner.app.line().err().expect("refused");
    assert!(
        matches!(refused, Fault::Bus(_) | Fault::Closed),
        "{refused}"
    );
    let renewed = owner.app.renew().expect_err("refused");
    assert_eq!(renewed, Fault::Http(403, "suspended".to_owned()));
    assert_eq!(other.put("others", "go on").expect("kept").version, 1);
    // A restart does not let it in again.
    node.stop();
    node.start();
    assert!(owner.app.line().is_err());

    node.space("resume", owner.app.space);
    owner.app.renew().expect("renewed");
    owner.come_back();
    assert_eq!(owner.value(kept.id).expect("kept"), "through it all");
}

#[test]
fn removed_space_is_gone_for_good() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    owner.put("note", "to be removed").expect("kept");
    let mut session = owner.hang_up().expect("a session");

    node.space("remove", owner.app.space);

    assert!(matches!(
        end_of(&mut session.line),
        Said::Error(_) | Said::Closed
    ));
    assert_eq!(
        owner.app.renew().expect_err("refused"),
        Fault::Http(403, "unknown-device".to_owned())
    );
    node.stop();
    let disk = vettid_tests::host_disk::HostDisk::of(&node);
    assert_eq!(disk.log(owner.app.space), []);
    assert_eq!(disk.count("SELECT count(*) FROM device"), 0);
}

#[test]
fn device_whose_key_is_not_registered_gets_no_session() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    owner.hang_up();
    let other = vettid_crypto::sign::SigningKey::generate(&mut SystemEntropy);
    let own = std::mem::replace(&mut owner.app.device, other);

    let refused = owner.status().expect_err("refused");
    assert!(
        refused == Fault::Reset || refused.code() == Some(Code::UnknownDevice),
        "{refused}"
    );
    owner.app.device = own;
    owner.come_back();
}

#[test]
fn two_sessions_at_once_see_one_vault_and_are_both_told() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let mut other = owner.app.open().expect("a second session");

    let kept = owner.put("note", "from the first").expect("kept");
    let read = other
        .call(&vettid_wire::operation::item::Get { id: kept.id })
        .expect("read");
    assert_eq!(vettid_tests::items::value_of(&read), "from the first");
    // Both write to one item: the second to come is told the current version.
    let change = vettid_tests::items::replace(kept, "note", "from the second");
    other.call(&change).expect("changed");
    let late = owner.call(&vettid_tests::items::replace(kept, "note", "too late"));
    assert_eq!(late.expect_err("refused").code(), Some(Code::Conflict));
    owner
        .call(&vettid_wire::operation::vault::ChangePin {
            current: vettid_wire::Secret::from(owner.pin.as_str()),
            replacement: vettid_wire::Secret::from("735261"),
        })
        .expect("changed");
    let told = other.hear(Duration::from_secs(20)).expect("told");
    assert!(matches!(told, FromVault::Feed(_)), "{told:?}");
    owner.verified_audit().expect("verified");
}

#[test]
fn ninth_session_does_not_shut_the_owner_out() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "x").expect("kept");
    let mut sessions: Vec<_> = (0..limits::DEVICE_SESSIONS + 2)
        .map(|_| owner.app.open().expect("a session"))
        .collect();

    let get = vettid_wire::operation::item::Get { id: kept.id };
    let last = sessions.last_mut().expect("the newest");
    last.call(&get).expect("the newest session is served");
    owner.hang_up();
    assert_eq!(owner.value(kept.id).expect("served"), "x");
}
