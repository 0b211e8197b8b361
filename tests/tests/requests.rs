//! Requests that no honest app sends: replayed, reordered, altered, oversized, unknown.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::items::{done, put_request, refused, under};
use vettid_tests::node::Node;
use vettid_tests::noise::noise;
use vettid_tests::owner::Owner;
use vettid_tests::processes::kill_now;
use vettid_tests::raw::{Fault, Said, request_of};
use vettid_wire::cbor::{self, minicbor};
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::SessionId;
use vettid_wire::operation::item;
use vettid_wire::refusal::Code;
use vettid_wire::{Secret, limits, subject};

/// Names of all items.
fn names(owner: &mut Owner) -> Vec<String> {
    let list = item::List {
        category: None,
        tag: None,
        favorite: false,
        removed: false,
        after: None,
        limit: None,
    };
    owner
        .call(&list)
        .expect("listed")
        .items
        .into_iter()
        .map(|item| item.name)
        .collect()
}

#[test]
fn replayed_frame_ends_the_session_and_is_not_carried_out_twice() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let mut session = owner.hang_up().expect("a session");
    let request = put_request("once", "and not twice");
    let envelopes = session.seal(&cbor::encode(&request)).expect("sealed");
    session.publish(&envelopes[0]).expect("sent");
    session.reply(request.id).expect("a reply");

    session.publish(&envelopes[0]).expect("sent again");

    assert_eq!(session.end(), Fault::Reset);
    assert_eq!(names(&mut owner), ["once"]);
}

#[test]
fn reordered_frames_end_the_session_and_nothing_of_them_is_carried_out() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let mut session = owner.hang_up().expect("a session");
    let first = session
        .seal(&cbor::encode(&put_request("first", "x")))
        .expect("sealed");
    let second = session
        .seal(&cbor::encode(&put_request("second", "x")))
        .expect("sealed");

    session.publish(&second[0]).expect("sent");
    session.publish(&first[0]).expect("sent");

    assert_eq!(session.end(), Fault::Reset);
    assert_eq!(names(&mut owner), [""; 0]);
}

#[test]
fn altered_cut_or_foreign_frames_end_the_session_at_most() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let attacks: [fn(&mut Vec<u8>); 3] = [
        |envelope| vettid_tests::host_disk::alter(envelope),
        |envelope| envelope.truncate(envelope.len() - 1),
        |envelope| envelope.truncate(vettid_wire::envelope::HEADER),
    ];
    for attack in attacks {
        owner.hang_up();
        let mut session = owner.app.open().expect("a session");
        let sealed = session.seal(&cbor::encode(&put_request("altered", "x")));
        let mut envelope = sealed.expect("sealed").swap_remove(0);
        attack(&mut envelope);
        session.publish(&envelope).expect("sent");
        assert_eq!(session.end(), Fault::Reset);
    }
    owner.hang_up();
    owner.unlock().expect("another session");
    assert_eq!(names(&mut owner), [""; 0]);
}

#[test]
fn frame_of_an_unknown_session_is_answered_with_a_reset() {
    let node = Node::started();
    let owner = Owner::enrolled(&node);
    let mut line = owner.app.line().expect("a connection");
    let (device, session) = (owner.app.route, SessionId([0x77; 16]));
    let frame = noise(1, 512);
    let lost = Envelope {
        kind: Kind::Transport,
        device,
        session,
        body: &frame,
    };
    line.publish(&subject::for_vault(owner.app.space), &lost.to_bytes())
        .expect("sent");

    let heard = line.next(vettid_tests::wait::PATIENCE).expect("an answer");

    let reset = Envelope::reset(device, session).to_bytes();
    assert_eq!(
        heard,
        Said::Message(subject::for_app(owner.app.space, device), reset)
    );
}

#[test]
fn unknown_operations_and_malformed_requests_are_refused_and_the_session_goes_on() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("kept", "as it was").expect("kept");

    let mut unknown = request_of(&item::Get { id: kept.id });
    unknown.operation = "item.steal".to_owned();
    assert_eq!(
        refused(&owner.try_once(&unknown).expect("told")),
        Some(Code::UnknownOperation)
    );

    let mut more_fields = request_of(&item::Get { id: kept.id });
    let mut body = vec![];
    let mut encoder = minicbor::Encoder::new(&mut body);
    encoder.map(2).and_then(|e| e.u8(0)).expect("encoded");
    encoder
        .bytes(&kept.id.0)
        .and_then(|e| e.u8(99))
        .and_then(|e| e.bool(true))
        .expect("encoded");
    more_fields.body = Secret::new(body);
    assert_eq!(
        refused(&owner.try_once(&more_fields).expect("told")),
        Some(Code::Malformed)
    );

    let mut trailing = request_of(&item::Get { id: kept.id });
    trailing.body = Secret::new([cbor::encode(&item::Get { id: kept.id }), vec![0]].concat());
    assert_eq!(
        refused(&owner.try_once(&trailing).expect("told")),
        Some(Code::Malformed)
    );

    for garbage in [vec![], vec![0xff; 100], noise(3, 1000)] {
        let session = owner.session().expect("the same session");
        session.send_bytes(&garbage).expect("sent");
    }
    assert_eq!(owner.value(kept.id).expect("served"), "as it was");
}

#[test]
fn oversized_requests_are_refused_with_the_limit() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);

    let large = "x".repeat(limits::ITEM);
    match owner.put("large", &large) {
        Err(Fault::Refused(refusal)) => {
            let limit = refusal.limit.expect("which limit");
            assert_eq!(refusal.code, Code::LimitExceeded);
            assert!(limit.size > limit.max, "{limit:?}");
        }
        other => panic!("{other:?}"),
    }
    // Larger than any envelope: the bus refuses it, and serves whoever comes next.
    let mut line = owner.app.line().expect("a connection");
    let subject = subject::for_vault(owner.app.space);
    let sent = line
        .publish(&subject, &noise(5, 200_000))
        .and_then(|()| line.flush());
    assert!(
        matches!(sent, Err(Fault::Bus(_) | Fault::Closed)),
        "{sent:?}"
    );
    // An envelope that is none is dropped.
    let mut line = owner.app.line().expect("a connection");
    line.publish(&subject, &noise(6, 5_000))
        .and_then(|()| line.flush())
        .expect("taken");
    assert_eq!(owner.put("small", "x").expect("kept").version, 1);
}

#[test]
fn repeated_request_gets_the_same_reply_and_another_one_under_its_id_is_refused() {
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let request = put_request("once", "x");
    let first: item::Written = done(&owner.try_once(&request).expect("a reply"));

    let again: item::Written = done(&owner.try_once(&request).expect("a reply"));
    assert_eq!(again, first);
    let other = under(request.id, put_request("another", "y"));
    assert_eq!(
        refused(&owner.try_once(&other).expect("told")),
        Some(Code::RequestIdReused)
    );

    // The memory of it outlives the process, the enclave and the node.
    node.vaults().into_iter().for_each(kill_now);
    let again: item::Written = done(&owner.insist(&request));
    assert_eq!(again, first);
    node.kill_all();
    node.start();
    let again: item::Written = done(&owner.insist(&request));
    assert_eq!(again, first);
    assert_eq!(refused(&owner.insist(&other)), Some(Code::RequestIdReused));
    assert_eq!(names(&mut owner), ["once"]);
}

#[test]
fn change_that_is_based_on_an_earlier_version_is_refused() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let first = owner.put("note", "first").expect("kept");
    let second = vettid_tests::items::replace(first, "note", "second");
    owner.call(&second).expect("replaced");

    match owner.call(&vettid_tests::items::replace(
        first,
        "note",
        "from an old screen",
    )) {
        Err(Fault::Refused(refusal)) => {
            assert_eq!((refusal.code, refusal.current), (Code::Conflict, Some(2)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(owner.value(first.id).expect("kept"), "second");
}
