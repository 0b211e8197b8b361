//! The HTTP API.

use std::net::SocketAddr;

use nkeys::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vettid_node::admin::{Reply, Request};
use vettid_node::clock::unix_seconds;
use vettid_wire::http::{Credentials, Failure};
use vettid_wire::network::SignedNetwork;

use crate::fixture::{Place, Running, enroll_body, renew_body, soon};

pub(crate) async fn post(address: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let (status, _, body) = exchange(address, request.as_bytes()).await;
    (status, String::from_utf8(body).expect("text"))
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
    exchange(address, request.as_bytes()).await
}

/// Status, headers and body of the answer.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    // The node may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec())
        .expect("text")
        .to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .expect("a status");
    (status, head, answer[end + 4..].to_vec())
}

pub(crate) fn code(answer: &str) -> String {
    serde_json::from_str::<Failure>(answer)
        .expect("a failure")
        .error
        .code
}

#[tokio::test]
async fn invitation_gives_credentials_once_and_the_same_again_to_the_same_device() {
    let running = Running::start().await;
    let invitation = running.invite().await;
    let body = enroll_body(&invitation, &KeyPair::new_user().public_key());

    let (status, first) = post(running.node.http, "/v1/enroll", &body).await;
    assert_eq!(status, 200);
    let first: Credentials = serde_json::from_str(&first).expect("credentials");
    let (_, again) = post(running.node.http, "/v1/enroll", &body).await;
    let again: Credentials = serde_json::from_str(&again).expect("credentials");
    assert_eq!((&first.space, &first.device), (&again.space, &again.device));

    let other = enroll_body(&invitation, &KeyPair::new_user().public_key());
    let (status, answer) = post(running.node.http, "/v1/enroll", &other).await;
    assert_eq!((status, code(&answer).as_str()), (409, "invitation-used"));
    running.stop().await;
}

#[tokio::test]
async fn answer_to_an_enrollment_names_bus_and_network() {
    let running = Running::start().await;
    let issued = running.enroll().await.issued;

    let network = data_encoding::BASE64
        .decode(issued.network.as_bytes())
        .expect("base64");
    SignedNetwork::verify(&network).expect("a network file");
    assert_eq!(issued.bus, running.place.config.bus_urls());
    let lifetime = issued.expires / 1_000 - unix_seconds();
    assert!((86_000..=86_400).contains(&lifetime), "{lifetime}");
    let (status, _, file) = get(running.node.http, "/v1/network").await;
    assert_eq!((status, file), (200, network));
    running.stop().await;
}

#[tokio::test]
async fn requests_that_are_none_are_refused_in_one_shape() {
    let running = Running::start().await;
    let http = running.node.http;
    let user = KeyPair::new_user().public_key();
    let account = KeyPair::new_account().public_key();
    let token = "A".repeat(43);
    let enroll = |token: &str, user: &str| format!("{{\"token\":\"{token}\",\"user\":\"{user}\"}}");
    let extra = format!("{{\"token\":\"{token}\",\"user\":\"{user}\",\"more\":1}}");

    for (body, expected) in [
        ("", "malformed"),
        ("[]", "malformed"),
        (extra.as_str(), "malformed"),
        (enroll("short", &user).as_str(), "malformed"),
        (enroll(&token, &account).as_str(), "malformed"),
        (enroll(&token, &user).as_str(), "invitation-unknown"),
    ] {
        let (_, answer) = post(http, "/v1/enroll", body).await;
        assert_eq!(code(&answer), expected, "{body}");
    }
    let (status, _, body) = get(http, "/v1/nothing").await;
    assert_eq!(
        (
            status,
            code(std::str::from_utf8(&body).expect("text")).as_str()
        ),
        (404, "not-found")
    );
    let (status, _, body) = get(http, "/v1/enroll").await;
    let text = std::str::from_utf8(&body).expect("text");
    assert_eq!((status, code(text).as_str()), (405, "method-not-allowed"));
    running.stop().await;
}

#[tokio::test]
async fn large_body_is_refused() {
    let running = Running::start().await;
    let (status, _) = post(running.node.http, "/v1/enroll", &"x".repeat(9_000)).await;
    assert_eq!(status, 413);
    running.stop().await;
}

#[tokio::test]
async fn credentials_are_renewed_for_who_signs_with_the_devices_key() {
    let running = Running::start().await;
    let device = running.enroll().await;
    let (status, answer) = device.renew(running.node.http).await;
    assert_eq!(status, 200, "{answer}");
    let renewed: Credentials = serde_json::from_str(&answer).expect("credentials");
    assert_eq!(renewed.space, device.issued.space);

    let (user, now) = (device.key.public_key(), unix_seconds() * 1_000);
    let stranger = KeyPair::new_user();
    for (body, expected) in [
        (renew_body(&stranger, &user, now), "signature-wrong"),
        (renew_body(&device.key, &user, now - 400_000), "clock-wrong"),
        (
            renew_body(&stranger, &stranger.public_key(), now),
            "unknown-device",
        ),
    ] {
        let (status, answer) = post(running.node.http, "/v1/credentials", &body).await;
        assert_eq!((status, code(&answer).as_str()), (403, expected));
    }
    running.stop().await;
}

#[tokio::test]
async fn suspended_and_removed_spaces_are_not_renewed() {
    let running = Running::start().await;
    let (one, other) = (running.enroll().await, running.enroll().await);
    let remove = Request::SpaceRemove {
        space: other.issued.space.clone(),
    };
    assert_eq!(running.node.operator.answer(remove).await, Reply::Done);

    let (_, answer) = other.renew(running.node.http).await;

    assert_eq!(code(&answer), "unknown-device");
    assert_eq!(one.renew(running.node.http).await.0, 200);
    running.stop().await;
}

#[tokio::test]
async fn every_answer_bears_the_security_headers() {
    let running = Running::start().await;
    for path in ["/healthz", "/v1/network", "/nothing"] {
        let (_, head, _) = get(running.node.http, path).await;
        for header in [
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
        ] {
            assert!(head.contains(header), "{path}: {head}");
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn address_that_asks_too_often_is_told_to_wait() {
    let mut place = Place::new();
    place.config.http.requests_per_minute = 3;
    let running = Running::start_in(place).await;
    let mut last = (0, String::new());
    for _ in 0..4 {
        last = post(running.node.http, "/v1/enroll", "{}").await;
    }

    assert_eq!((last.0, code(&last.1).as_str()), (429, "too-fast"));
    assert_eq!(get(running.node.http, "/healthz").await.0, 200);
    running.stop().await;
}

#[tokio::test]
async fn readiness_follows_the_enclave_and_metrics_show_it() {
    let running = Running::start().await;
    assert_eq!(get(running.node.http, "/readyz").await.0, 200);
    let (_, _, text) = get(running.node.metrics_address, "/metrics").await;
    assert!(
        String::from_utf8(text)
            .expect("text")
            .contains("vettid_node_ready 1\n")
    );
    assert_eq!(get(running.node.http, "/metrics").await.0, 404);

    let Running {
        node,
        enclave,
        listening,
        ..
    } = running;
    drop((enclave, listening));
    soon(async {
        while get(node.http, "/readyz").await.0 != 503 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(get(node.http, "/healthz").await.0, 200);
    soon(node.stop()).await;
}

#[tokio::test]
async fn api_speaks_tls_when_a_certificate_is_configured() {
    let mut place = Place::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("certificate");
    let (certificate, key) = (
        place.folder.path().join("tls.crt"),
        place.folder.path().join("tls.key"),
    );
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let tls = vettid_node::config::Tls { certificate, key };
    place.config.http.tls = Some(tls.clone());
    place.config.bus.tls = Some(tls);
    let running = Running::start_in(place).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(running.node.http)
        .await
        .expect("connected");
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, stream).await.expect("TLS");
    stream
        .write_all(b"GET /healthz HTTP/1.0\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;

    assert!(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"));
    assert!(
        running.node.health.readiness().bus,
        "the node itself reaches its bus over TLS"
    );
    running.stop().await;
}
