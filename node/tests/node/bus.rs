//! What the bus lets through, with a real `nats-server`.

use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use futures_util::{FutureExt, Stream};
use nkeys::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vettid_node::admin::{Reply, Request};
use vettid_node::bus::credentials::Credentials;
use vettid_node::clock::unix_seconds;
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, SessionId, SpaceId};
use vettid_wire::subject;

use crate::fixture::{Device, Place, Running, connect_with, soon};

pub(crate) fn envelope(device: DeviceRoute, body: &[u8]) -> Vec<u8> {
    let session = SessionId([8; 16]);
    Envelope {
        kind: Kind::Transport,
        device,
        session,
        body,
    }
    .to_bytes()
}

pub(crate) async fn next(subscriber: &mut async_nats::Subscriber) -> Bytes {
    let message = std::future::poll_fn(|c| std::pin::Pin::new(&mut *subscriber).poll_next(c));
    soon(message).await.expect("a message").payload
}

async fn publish(client: &Client, subject: String, bytes: Vec<u8>) {
    client
        .publish(subject, Bytes::from(bytes))
        .await
        .expect("queued");
    client.flush().await.expect("flushed");
}

#[tokio::test]
async fn device_reaches_its_own_vault_and_no_other() {
    let mut running = Running::start().await;
    let (own, foreign) = (running.enroll().await, running.enroll().await);
    let client = own.connect().await;
    publish(
        &client,
        subject::for_vault(foreign.space),
        envelope(own.route, b"foreign"),
    )
    .await;
    publish(
        &client,
        subject::for_app(own.space, own.route),
        envelope(own.route, b"self"),
    )
    .await;
    publish(&client, "anything".to_owned(), b"x".to_vec()).await;

    publish(
        &client,
        subject::for_vault(own.space),
        envelope(own.route, b"own"),
    )
    .await;

    soon(running.enclave.open(own.space)).await;
    let arrived = soon(running.enclave.envelope(own.space)).await;
    assert_eq!(arrived, envelope(own.route, b"own"));
    running.stop().await;
}

#[tokio::test]
async fn device_hears_only_what_is_for_it() {
    let mut running = Running::start().await;
    let (own, other) = (running.enroll().await, running.enroll().await);
    let (client, spy) = (own.connect().await, other.connect().await);
    let mut heard = client
        .subscribe(subject::for_app(own.space, own.route))
        .await
        .expect("asked");
    let mut spied = Vec::new();
    for foreign in [
        subject::for_app(own.space, own.route),
        subject::EVERY_APP.to_owned(),
        subject::EVERY_VAULT.to_owned(),
        ">".to_owned(),
        "OwnerSpace.>".to_owned(),
        format!("{}.>", subject::inbox(own.route)),
        "_INBOX.>".to_owned(),
        "$SYS.>".to_owned(),
    ] {
        spied.push(spy.subscribe(foreign.clone()).await.expect("asked"));
        let group = spy.queue_subscribe(foreign, "group".to_owned()).await;
        spied.push(group.expect("asked"));
    }
    spy.flush().await.expect("flushed");
    client.flush().await.expect("flushed");

    // The vault answers, which proves that the subscription was there before.
    publish(
        &client,
        subject::for_vault(own.space),
        envelope(own.route, b"ask"),
    )
    .await;
    soon(running.enclave.open(own.space)).await;
    soon(running.enclave.envelope(own.space)).await;
    let reply = vettid_wire::link::FromEnclave::Frame {
        space: own.space,
        after: 0,
        envelope: envelope(own.route, b"reply"),
    };
    running.enclave.send(&reply).await;

    assert_eq!(next(&mut heard).await, envelope(own.route, b"reply"));
    for mut subscriber in spied {
        let message = std::future::poll_fn(|c| std::pin::Pin::new(&mut subscriber).poll_next(c));
        assert!(
            !matches!(message.now_or_never(), Some(Some(_))),
            "heard what is not for it"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn strangers_and_forged_or_expired_tokens_are_not_let_in() {
    let running = Running::start().await;
    let device = running.enroll().await;
    let credentials = Credentials::load(&running.place.folder.bus()).expect("keys");
    let (url, inbox) = (device.issued.bus[0].clone(), subject::inbox(device.route));
    let user = device.key.public_key();
    let expired = credentials
        .device_token(&user, device.space, device.route, unix_seconds() - 90_000)
        .expect("signed");
    let elsewhere = tempfile::tempdir().expect("folder");
    let foreign = Credentials::create(elsewhere.path(), unix_seconds())
        .and_then(|keys| {
            Ok(keys.device_token(&user, device.space, device.route, unix_seconds())?)
        })
        .expect("signed");

    let refused =
        async |jwt: &str, key: &KeyPair| connect_with(&url, jwt, key, &inbox).await.is_err();

    assert!(refused(&expired, &device.key).await, "expired");
    assert!(refused(&foreign, &device.key).await, "of another operator");
    assert!(
        refused(&device.issued.jwt, &KeyPair::new_user()).await,
        "signed by a stranger"
    );
    assert!(async_nats::connect(&url).await.is_err(), "anonymous");
    assert!(
        !refused(&device.issued.jwt, &device.key).await,
        "the device itself"
    );
    running.stop().await;
}

/// Whether the bus has cut this client off.
async fn is_cut(client: &Client) -> bool {
    client.connection_state() != async_nats::connection::State::Connected
}

async fn until_cut(client: &Client) {
    soon(async {
        while !is_cut(client).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn refused(device: &Device) -> bool {
    let url = &device.issued.bus[0];
    let inbox = subject::inbox(device.route);
    connect_with(url, &device.issued.jwt, &device.key, &inbox)
        .await
        .is_err()
}

#[tokio::test]
async fn revocation_cuts_the_live_connection_and_survives_restarts() {
    let running = Running::start().await;
    let (gone, stays) = (running.enroll().await, running.enroll().await);
    let (cut, kept) = (gone.connect().await, stays.connect().await);

    let remove = Request::SpaceRemove {
        space: gone.issued.space.clone(),
    };
    assert_eq!(running.node.operator.answer(remove).await, Reply::Done);

    until_cut(&cut).await;
    assert!(refused(&gone).await);
    assert!(!is_cut(&kept).await, "others stay connected");
    kill_bus(&running.place);
    let again = reconnected(&stays).await;
    assert!(refused(&gone).await, "after a restart of the bus");
    drop((again, kept, cut));

    let place = stop_and_keep(running).await;
    let running = Running::start_in(place).await;
    assert!(refused(&gone).await, "after a restart of the node");
    assert!(!refused(&stays).await);
    running.stop().await;
}

#[tokio::test]
async fn node_reconnects_when_its_bus_dies_and_frames_flow_again() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    kill_bus(&running.place);

    let client = reconnected(&device).await;
    soon(async {
        // Until the node's own subscription is back, the bus has nobody to hand this to.
        loop {
            publish(
                &client,
                subject::for_vault(device.space),
                envelope(device.route, b"x"),
            )
            .await;
            let opened = tokio::time::timeout(
                Duration::from_millis(200),
                running.enclave.open(device.space),
            );
            if opened.await.is_ok() {
                break;
            }
        }
    })
    .await;
    assert_eq!(
        soon(running.enclave.envelope(device.space)).await,
        envelope(device.route, b"x")
    );
    running.stop().await;
}

#[tokio::test]
async fn what_is_not_offered_is_not_there() {
    let running = Running::start().await;
    let info = greeting(running.place.config.bus.tcp).await;

    for absent in [
        "\"jetstream\":true",
        "\"leafnode_urls\"",
        "\"connect_urls\"",
    ] {
        assert!(!info.contains(absent), "{info}");
    }
    assert!(info.contains("\"auth_required\":true"), "{info}");
    assert!(info.contains("\"nonce\":"), "{info}");
    let file = std::fs::read_to_string(running.place.folder.bus().join("server.conf"))
        .expect("the server's file");
    for absent in [
        "mqtt",
        "leafnodes",
        "jetstream",
        "no_auth_user",
        "cluster",
        "monitor",
        "http",
    ] {
        assert!(!file.contains(&format!("\"{absent}")), "{absent}");
    }
    assert!(file.contains("\"compression\": false"));
    running.stop().await;
}

#[tokio::test]
async fn devices_with_oversized_messages_or_too_many_subscriptions_are_refused() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    let client = device.connect().await;
    let large = client
        .publish(
            subject::for_vault(device.space),
            Bytes::from(vec![0; 80_000]),
        )
        .await;
    assert!(large.is_err() || client.flush().await.is_err() || is_cut(&client).await);

    let client = device.connect().await;
    publish(
        &client,
        subject::for_vault(device.space),
        envelope(device.route, b"fits"),
    )
    .await;
    soon(running.enclave.open(device.space)).await;
    let arrived = soon(running.enclave.envelope(device.space)).await;
    assert_eq!(arrived, envelope(device.route, b"fits"));
    running.stop().await;
}

#[tokio::test]
async fn websocket_carries_the_same_bus() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    let (url, inbox) = (&device.issued.bus[1], subject::inbox(device.route));
    assert!(url.starts_with("ws://"));
    let client = connect_with(url, &device.issued.jwt, &device.key, &inbox).await;
    let client = client.expect("connected");

    publish(
        &client,
        subject::for_vault(device.space),
        envelope(device.route, b"web"),
    )
    .await;

    soon(running.enclave.open(device.space)).await;
    let arrived = soon(running.enclave.envelope(device.space)).await;
    assert_eq!(arrived, envelope(device.route, b"web"));
    running.stop().await;
}

#[test]
fn token_names_exactly_two_subjects_and_an_inbox() {
    let folder = tempfile::tempdir().expect("folder");
    let credentials = Credentials::create(folder.path(), 1_000).expect("keys");
    let (space, route) = (SpaceId([1; 16]), DeviceRoute([2; 16]));
    let user = KeyPair::new_user().public_key();

    let token = credentials
        .device_token(&user, space, route, 1_000)
        .expect("signed");

    let claims = token.split('.').nth(1).expect("claims");
    let claims = data_encoding::BASE64URL_NOPAD
        .decode(claims.as_bytes())
        .expect("base64");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    let (one, two) = ("01".repeat(16), "02".repeat(16));
    assert_eq!(claims["exp"], 1_000 + 86_400);
    assert_eq!(
        claims["nats"]["pub"]["allow"],
        serde_json::json!([format!("OwnerSpace.{one}.forVault")])
    );
    let hears = [
        format!("OwnerSpace.{one}.forApp.{two}"),
        format!("_INBOX_{two}.>"),
    ];
    assert_eq!(claims["nats"]["sub"]["allow"], serde_json::json!(hears));
}

/// First line the server sends.
async fn greeting(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let mut bytes = vec![0; 4_096];
    let count = soon(stream.read(&mut bytes)).await.expect("greeted");
    let _ = stream.shutdown().await;
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

async fn reconnected(device: &Device) -> Client {
    let inbox = subject::inbox(device.route);
    let connected = async {
        loop {
            let url = &device.issued.bus[0];
            match connect_with(url, &device.issued.jwt, &device.key, &inbox).await {
                Ok(client) => return client,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    soon(connected).await
}

fn bus_pid(place: &Place) -> i32 {
    let text = std::fs::read_to_string(place.folder.run().join("nats.pid")).expect("recorded");
    text.trim().parse().expect("a number")
}

fn kill_bus(place: &Place) {
    let id = nix::unistd::Pid::from_raw(bus_pid(place));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).expect("killed");
}

async fn stop_and_keep(running: Running) -> Place {
    let Running {
        node,
        mut enclave,
        listening,
        place,
    } = running;
    let stopping = tokio::spawn(node.stop());
    soon(enclave.until_shutdown()).await;
    drop((enclave, listening));
    soon(stopping).await.expect("stopped");
    place
}
