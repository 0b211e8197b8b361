//! Chunks of attachments over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::http::request;
use hyper::{Method, Response, StatusCode, header};
use tokio::time::timeout;
use vettid_wire::home::HomeNode;
use vettid_wire::http::{SIGNATURE_HEADER, TIME_HEADER, USER_HEADER};
use vettid_wire::limits;

use super::ChunkRequest;
use super::http::{LARGEST, Line, not_an_address, refused};
use crate::attachment::AttachmentFault;
use crate::error::{Error, Unreachable};

/// Stores a chunk.
pub(super) async fn store(
    address: &str,
    request: ChunkRequest,
    sealed: Bytes,
) -> Result<(), Error> {
    let size = u64::try_from(sealed.len()).unwrap_or(u64::MAX);
    let time = BEGIN.saturating_add(Duration::from_secs(size / limits::TRANSFER_SLOWEST));
    let exchange = async {
        let mut line = Line::connect(address).await?;
        let asked = headed(line.request(Method::PUT, &path(&request)), &request)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(sealed))
            .map_err(|_| not_an_address(address))?;
        let response = line.send(asked).await?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(refusal(address, response).await)
        }
    };
    timeout(time, exchange)
        .await
        .unwrap_or_else(|_| Err(broken(address)))
}

/// Fetches what `sealed` lacks of a chunk of `whole` bytes.
pub(super) async fn fetch(
    address: &str,
    request: ChunkRequest,
    from: &HomeNode,
    sealed: &mut Vec<u8>,
    whole: usize,
) -> Result<(), Error> {
    let asking = async {
        let mut line = Line::connect(address).await?;
        let place = format!("{}?{}", path(&request), query(from));
        let mut asked = headed(line.request(Method::GET, &place), &request);
        if !sealed.is_empty() {
            asked = asked.header(header::RANGE, format!("bytes={}-", sealed.len()));
        }
        let asked = asked
            .body(Full::new(Bytes::new()))
            .map_err(|_| not_an_address(address))?;
        let response = line.send(asked).await?;
        Ok::<_, Error>((line, response))
    };
    let (_line, response) = timeout(BEGIN, asking)
        .await
        .map_err(|_| broken(address))??;
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {}
        status if status.is_success() => sealed.clear(),
        _ => return Err(refusal(address, response).await),
    }
    // Whoever sealed the chunk has said how long it is.
    let left = whole.saturating_sub(sealed.len());
    if length(&response).is_some_and(|length| length != left) {
        return Err(AttachmentFault::Altered(request.index).into());
    }
    let mut body = response.into_body();
    while sealed.len() < whole {
        let frame = timeout(STALL, body.frame()).await;
        let frame = frame.ok().flatten().and_then(Result::ok);
        let piece = frame.ok_or_else(|| broken(address))?.into_data();
        let piece = piece.unwrap_or_default();
        if piece.len() > whole.saturating_sub(sealed.len()) {
            return Err(AttachmentFault::Altered(request.index).into());
        }
        sealed.extend_from_slice(&piece);
    }
    Ok(())
}

fn headed(builder: request::Builder, request: &ChunkRequest) -> request::Builder {
    builder
        .header(USER_HEADER, &request.user)
        .header(TIME_HEADER, request.time)
        .header(SIGNATURE_HEADER, &request.signature)
}

fn path(request: &ChunkRequest) -> String {
    format!("/v1/attachments/{}/{}", request.id, request.index)
}

/// Names the node that stores a chunk, and how its host is reached.
fn query(from: &HomeNode) -> String {
    let mut query = format!("node={}", from.node);
    for peer in &from.peers {
        query.push_str("&peer=");
        query.push_str(&bs58::encode(&**peer).into_string());
    }
    for address in &from.addresses {
        query.push_str("&address=");
        encode(address, &mut query);
    }
    query
}

/// Percent-encoding of all that is not plainly harmless.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
}

fn length(response: &Response<Incoming>) -> Option<usize> {
    let length = response.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn refusal(address: &str, response: Response<Incoming>) -> Error {
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect();
    match timeout(STALL, body).await {
        Ok(Ok(body)) => refused(address, status, &body.to_bytes()),
        _ => broken(address),
    }
}

fn broken(address: &str) -> Error {
    Unreachable::Http(address.to_owned()).into()
}

/// Time until an answer begins: the node may have to reach another one first, or to find room before
/// it takes what is sent with pauses.
const BEGIN: Duration = Duration::from_millis(2 * limits::TRANSFER_PAUSE);
/// Time for one piece to come.
const STALL: Duration = Duration::from_millis(limits::TRANSFER_PAUSE);

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::id::NodeId;

    #[test]
    fn node_is_named_as_its_api_reads_it() {
        let home = HomeNode {
            node: NodeId([3; 32]),
            peers: vec![vec![0, 1, 255].into()],
            addresses: vec!["/dns/a&b=c/tcp/1".into()],
        };

        let query = query(&home);

        assert_eq!(
            query,
            format!(
                "node={}&peer=19p&address=/dns/a%26b%3Dc/tcp/1",
                NodeId([3; 32])
            )
        );
    }
}
