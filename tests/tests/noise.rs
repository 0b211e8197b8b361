//! Nonsense at every listener, from both sides of every socket; the node serves afterwards.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::fake_enclave::{FakeEnclave, nonsense};
use vettid_tests::node::{Node, set};
use vettid_tests::noise::{at_tcp, at_unix, noise};
use vettid_tests::owner::Owner;
use vettid_tests::raw::{exchange, request};
use vettid_tests::wait;
use vettid_wire::http::Failure;

#[test]
fn megabyte_of_noise_at_every_listener_leaves_the_node_serving() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner.put("note", "before the noise").expect("kept");
    let run = node.folder().join("run");
    let post = b"POST /v1/enroll HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n";
    let upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                    sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

    std::thread::scope(|scope| {
        for (seed, (address, opening)) in [
            (node.http(), &b""[..]),
            (node.http(), post),
            (node.http(), b"GET /"),
            (node.metrics(), b""),
            (node.bus(), b""),
            (node.bus(), b"CONNECT {\"jwt\":\""),
            (node.bus(), b"PUB OwnerSpace.x.forVault 1000000\r\n"),
            (node.websocket(), b""),
            (node.websocket(), upgrade),
        ]
        .into_iter()
        .enumerate()
        {
            scope.spawn(move || at_tcp(address, seed as u64, opening));
        }
        for (seed, socket) in ["admin.sock", "enclave.sock"].into_iter().enumerate() {
            let path = run.join(socket);
            scope.spawn(move || at_unix(&path, 50 + seed as u64, b""));
        }
    });

    node.wait_until_healthy();
    assert_eq!(node.get("/healthz").expect("alive").status, 200);
    assert!(node.metric("vettid_node_ready") > 0.0);
    assert_eq!(
        node.ask(&["status"]).expect("the admin socket")["running"],
        true
    );
    owner.come_back();
    assert_eq!(owner.value(kept.id).expect("served"), "before the noise");
    assert_eq!(owner.put("after", "x").expect("kept").version, 1);
}

#[test]
fn malformed_http_requests_get_one_shape_of_refusal_and_security_headers() {
    let node = Node::started();
    let refusal = |method: &str, path: &str, body: &serde_json::Value| {
        let answer = request(node.http(), method, path, Some(body)).expect("an answer");
        let failure: Failure = serde_json::from_slice(&answer.body)
            .unwrap_or_else(|_| panic!("{method} {path}: {}", answer.text()));
        for header in ["cache-control: no-store", "x-content-type-options: nosniff"] {
            assert!(answer.head.contains(header), "{}", answer.head);
        }
        assert!(!failure.error.message.is_empty());
        (answer.status, failure.error.code)
    };
    let (nothing, wrong) = (serde_json::json!({}), serde_json::json!({ "token": 7 }));
    let more = serde_json::json!({ "token": "AA", "user": "U", "extra": 1 });
    let malformed = (400, "malformed".to_owned());

    assert_eq!(refusal("POST", "/v1/enroll", &nothing), malformed);
    assert_eq!(refusal("POST", "/v1/enroll", &wrong), malformed);
    assert_eq!(refusal("POST", "/v1/enroll", &more), malformed);
    assert_eq!(refusal("POST", "/v1/credentials", &nothing), malformed);
    assert_eq!(
        refusal("POST", "/v1/nothing", &nothing),
        (404, "not-found".to_owned())
    );
    assert_eq!(
        refusal("PUT", "/v1/enroll", &nothing),
        (405, "method-not-allowed".to_owned())
    );
    // A body over the limit is not read to its end.
    let large = format!(
        "POST /v1/enroll HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    let answer = exchange(node.http(), large.as_bytes()).expect("an answer");
    assert!(matches!(answer.status, 0 | 400 | 413), "{}", answer.status);
}

#[test]
fn address_that_asks_too_often_is_told_to_wait() {
    let mut node = Node::made();
    node.configure(|config| set(config, "http", "requests_per_minute", 5.into()));
    node.start();
    let ask = || {
        let body = serde_json::json!({ "token": "AA", "user": "U" });
        let answer = request(node.http(), "POST", "/v1/enroll", Some(&body)).expect("an answer");
        (answer.status, answer.head)
    };

    let statuses: Vec<u16> = (0..6).map(|_| ask().0).collect();
    assert_eq!(statuses, [400, 400, 400, 400, 400, 429]);
    assert!(ask().1.contains("retry-after:"));
    assert_eq!(
        node.get("/healthz").expect("alive").status,
        200,
        "health is not limited"
    );
}

#[test]
fn enclave_that_speaks_nonsense_is_cut_off_and_the_node_stays() {
    // An honest run first, so that there is a vault to come back to.
    let mut node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let kept = owner
        .put("note", "kept by an honest enclave")
        .expect("kept");
    owner.hang_up();
    node.stop();
    let socket = node.folder().with_extension("sock");
    let scripts = nonsense();
    let count = scripts.len();
    let fake = FakeEnclave::at(
        &socket,
        scripts.into_iter().map(|(_, script)| script).collect(),
    );
    let address = format!("unix:{}", socket.display());
    node.configure(|config| set(config, "enclave", "address", address.into()));

    node.start_unready();
    wait::until("every nonsense was heard and cut off", || {
        (fake.served() == count).then_some(())
    });

    assert_eq!(node.get("/healthz").expect("alive").status, 200);
    wait::until("not ready", || {
        (node.get("/readyz")?.status == 503).then_some(())
    });
    assert!(node.metric("vettid_node_enclave_links_lost_total") >= 1.0);
    node.expect(&["invitation", "list"]);
    // An app is told at once that there is nobody.
    assert_eq!(
        owner.status().expect_err("nobody"),
        vettid_tests::raw::Fault::Reset
    );
    node.stop();
    node.configure(|config| set(config, "enclave", "address", "".into()));
    node.start();
    owner.come_back();
    assert_eq!(
        owner.value(kept.id).expect("kept"),
        "kept by an honest enclave"
    );
}

#[test]
fn session_frames_of_noise_do_not_disturb_an_open_session() {
    let node = Node::started();
    let mut owner = Owner::enrolled(&node);
    let mut line = owner.app.line().expect("another connection");
    let subject = vettid_wire::subject::for_vault(owner.app.space);
    for seed in 0..200_u64 {
        let body = noise(seed, 40 + usize::try_from(seed).expect("small") * 37);
        let envelope = vettid_wire::envelope::Envelope {
            kind: if seed % 2 == 0 {
                vettid_wire::envelope::Kind::Handshake
            } else {
                vettid_wire::envelope::Kind::Transport
            },
            device: owner.app.route,
            session: vettid_wire::id::SessionId([u8::try_from(seed % 251).expect("small"); 16]),
            body: &body,
        };
        line.publish(&subject, &envelope.to_bytes()).expect("sent");
    }
    line.flush().expect("taken");

    assert_eq!(
        owner
            .put("note", "undisturbed")
            .expect("the same session")
            .version,
        1
    );
}
