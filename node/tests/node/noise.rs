//! One megabyte of noise at every listener.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use vettid_node::admin::{Reply, Request, ask};

use crate::fixture::{Running, soon};
use crate::http::get;
use crate::link::noise;

async fn shout(address: SocketAddr, first: &[u8]) {
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut reading, mut writing) = stream.into_split();
    let loud = noise(1_000_000);
    let first = first.to_vec();
    let shouting = tokio::spawn(async move {
        // It is cut off somewhere in between.
        let _ = writing.write_all(&first).await;
        let _ = writing.write_all(&loud).await;
    });
    let mut answer = Vec::new();
    let _ = soon(reading.read_to_end(&mut answer)).await;
    soon(shouting).await.expect("sent");
}

#[tokio::test]
async fn listeners_survive_a_megabyte_of_noise() {
    let running = Running::start().await;
    let config = &running.place.config;
    let listeners = [
        config.http.listen,
        config.metrics.listen,
        config.bus.tcp,
        config.bus.websocket,
    ];
    for address in listeners {
        shout(address, b"").await;
    }
    shout(
        config.http.listen,
        b"POST /v1/enroll HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
    )
    .await;
    shout(config.bus.tcp, b"CONNECT {").await;
    shout(config.bus.websocket, b"GET / HTTP/1.1\r\n").await;

    let socket = running.place.folder.admin_socket();
    let mut stream = UnixStream::connect(&socket).await.expect("connected");
    let _ = stream.write_all(&noise(1_000_000)).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;

    assert_eq!(get(running.node.http, "/readyz").await.0, 200);
    assert!(matches!(
        ask(&socket, &Request::Status).await,
        Ok(Reply::Status(_))
    ));
    let device = running.enroll().await;
    device.connect().await;
    running.stop().await;
}

#[tokio::test]
async fn request_that_never_ends_is_cut_off() {
    let running = Running::start().await;
    let mut stream = TcpStream::connect(running.node.http)
        .await
        .expect("connected");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: ")
        .await
        .expect("sent");

    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer))
        .await
        .expect("closed by the node");

    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    running.stop().await;
}
