//! Chunks of attachments over HTTP.

use std::net::SocketAddr;

use data_encoding::BASE64URL_NOPAD;
use vettid_federation::key::peer_text;
use vettid_node::clock::unix_millis;
use vettid_wire::home::HomeNode;
use vettid_wire::http::{SIGNATURE_HEADER, TIME_HEADER, USER_HEADER, attachment_text};
use vettid_wire::id::AttachmentId;
use vettid_wire::limits;

use crate::fixture::{Device, Running};
use crate::http::{code, exchange};

const ID: AttachmentId = AttachmentId([6; 16]);

/// Headers of a signed request.
fn signed(device: &Device, method: &str, index: u32, time: u64) -> String {
    let user = device.key.public_key();
    let text = attachment_text(method, ID, index, &user, time);
    let signature = BASE64URL_NOPAD.encode(&device.key.sign(&text).expect("signed"));
    format!(
        "host: node\r\nconnection: close\r\n{USER_HEADER}: {user}\r\n{TIME_HEADER}: {time}\r\n\
         {SIGNATURE_HEADER}: {signature}\r\n"
    )
}

fn put(device: &Device, index: u32, time: u64, length: usize) -> String {
    let headers = signed(device, "PUT", index, time);
    format!(
        "PUT /v1/attachments/{ID}/{index} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n"
    )
}

/// Stores a chunk; the status.
pub(crate) async fn store(device: &Device, http: SocketAddr, index: u32, bytes: &[u8]) -> u16 {
    let mut request = put(device, index, unix_millis().0, bytes.len()).into_bytes();
    request.extend_from_slice(bytes);
    exchange(http, &request).await.0
}

/// Fetches a chunk: status, headers and body.
pub(crate) async fn fetch(
    device: &Device,
    http: SocketAddr,
    index: u32,
    from: Option<&HomeNode>,
    offset: Option<u64>,
) -> (u16, String, Vec<u8>) {
    let query = from.map_or_else(String::new, |from| {
        let (node, peer) = (from.node, peer_text(&from.peers[0]));
        let address = from.addresses[0].replace('/', "%2F");
        format!("?node={node}&peer={peer}&address={address}")
    });
    let range = offset.map_or_else(String::new, |at| format!("range: bytes={at}-\r\n"));
    let headers = signed(device, "GET", index, unix_millis().0);
    let request =
        format!("GET /v1/attachments/{ID}/{index}{query} HTTP/1.1\r\n{headers}{range}\r\n");
    exchange(http, request.as_bytes()).await
}

#[tokio::test]
async fn chunk_is_stored_once_and_fetched_whole_or_from_a_byte_on() {
    let running = Running::start().await;
    let (device, http) = (running.enroll().await, running.node.http);
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(store(&device, http, 3, &bytes).await, 201);
    assert_eq!(store(&device, http, 3, &bytes).await, 200);

    let (status, headers, body) = fetch(&device, http, 3, None, None).await;
    assert_eq!(status, 200);
    assert!(headers.contains("content-length: 300000"), "{headers}");
    assert!(body == bytes);
    let (status, headers, body) = fetch(&device, http, 3, None, Some(299_990)).await;
    assert_eq!(status, 206);
    assert!(
        headers.contains("content-range: bytes 299990-299999/300000"),
        "{headers}"
    );
    assert!(body == bytes[299_990..]);
    // Whoever knows the id may fetch, from another space too; only its owner stores.
    let other = running.enroll().await;
    assert_eq!(fetch(&other, http, 3, None, None).await.0, 200);
    assert_eq!(store(&other, http, 3, b"mine").await, 409);
    assert_eq!(fetch(&device, http, 4, None, None).await.0, 404);
    running.stop().await;
}

#[tokio::test]
async fn answer_that_needs_no_body_is_heard_behind_a_large_one() {
    let running = Running::start().await;
    let (device, http) = (running.enroll().await, running.node.http);
    let bytes = vec![7; 6 * 1024 * 1024];
    assert_eq!(store(&device, http, 0, &bytes).await, 201);

    for _ in 0..3 {
        assert_eq!(store(&device, http, 0, &bytes).await, 200);
    }
    let other = running.enroll().await;
    assert_eq!(store(&other, http, 0, &bytes).await, 409);
    running.stop().await;
}

#[tokio::test]
async fn requests_that_are_not_signed_by_a_device_of_this_node_get_nothing() {
    let running = Running::start().await;
    let (device, http) = (running.enroll().await, running.node.http);
    assert_eq!(store(&device, http, 0, b"sealed").await, 201);
    let now = unix_millis().0;
    let line = format!("GET /v1/attachments/{ID}/0 HTTP/1.1\r\n");

    let unsigned = format!("{line}host: node\r\nconnection: close\r\n\r\n");
    let (status, _, body) = exchange(http, unsigned.as_bytes()).await;
    assert_eq!(status, 400);
    assert_eq!(code(&String::from_utf8_lossy(&body)), "malformed");
    for (headers, wanted) in [
        (signed(&device, "PUT", 0, now), "signature-wrong"),
        (signed(&device, "GET", 1, now), "signature-wrong"),
        (
            signed(&device, "GET", 0, now - limits::CLOCK_SKEW - 2_000),
            "clock-wrong",
        ),
    ] {
        let (status, _, body) = exchange(http, format!("{line}{headers}\r\n").as_bytes()).await;
        assert_eq!(status, 403);
        assert_eq!(code(&String::from_utf8_lossy(&body)), wanted);
    }
    let mut stranger = device;
    stranger.key = nkeys::KeyPair::new_user();
    let (status, _, body) = fetch(&stranger, http, 0, None, None).await;
    assert_eq!(status, 403);
    assert_eq!(code(&String::from_utf8_lossy(&body)), "unknown-device");
    running.stop().await;
}

#[tokio::test]
async fn chunks_of_impossible_sizes_places_and_ranges_are_refused_before_their_bodies() {
    let running = Running::start().await;
    let (device, http) = (running.enroll().await, running.node.http);
    let now = unix_millis().0;
    for (length, wanted) in [(0, 413), (9 * 1024 * 1024, 413)] {
        let request = put(&device, 0, now, length);
        assert_eq!(exchange(http, request.as_bytes()).await.0, wanted);
    }
    let endless =
        put(&device, 0, now, 1).replace("content-length: 1", "transfer-encoding: chunked");
    let endless = format!("{endless}1\r\nx\r\n0\r\n\r\n");
    assert_eq!(exchange(http, endless.as_bytes()).await.0, 411);
    let beyond = put(&device, limits::ATTACHMENT_CHUNKS, now, 1) + "x";
    assert_eq!(exchange(http, beyond.as_bytes()).await.0, 400);
    for range in ["bytes=1-2", "bytes=-5", "bytes=99999999999-", "lines=1-"] {
        let headers = signed(&device, "GET", 0, now);
        let request =
            format!("GET /v1/attachments/{ID}/0 HTTP/1.1\r\n{headers}range: {range}\r\n\r\n");
        assert_eq!(exchange(http, request.as_bytes()).await.0, 416, "{range}");
    }
    running.stop().await;
}

#[tokio::test]
async fn broken_upload_leaves_nothing_and_can_be_done_again() {
    let running = Running::start().await;
    let (device, http) = (running.enroll().await, running.node.http);
    let mut request = put(&device, 0, unix_millis().0, 100_000).into_bytes();
    request.extend_from_slice(&[1; 500]);
    {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(http)
            .await
            .expect("connected");
        stream.write_all(&request).await.expect("sent");
    }
    assert_eq!(fetch(&device, http, 0, None, None).await.0, 404);

    assert_eq!(store(&device, http, 0, &[2; 100_000]).await, 201);
    running.stop().await;
}

#[tokio::test]
async fn vault_that_has_used_its_share_stores_no_more() {
    let mut place = crate::fixture::Place::new();
    place.config.objects.attachments_mib = 1;
    place.write_config();
    let running = Running::start_in(place).await;
    let (device, http) = (running.enroll().await, running.node.http);
    assert_eq!(store(&device, http, 0, &[1; 900_000]).await, 201);

    assert_eq!(store(&device, http, 1, &[1; 200_000]).await, 507);
    assert_eq!(store(&device, http, 2, &[1; 1_000]).await, 201);
    running.stop().await;
}
