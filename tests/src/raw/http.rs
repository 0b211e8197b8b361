//! HTTP/1.1, one request a connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde::Serialize;
use serde::de::DeserializeOwned;
use vettid_wire::http::Failure;

use super::Fault;
use crate::wait::PATIENCE;

/// What a listener answered.
#[derive(Debug)]
pub struct Answer {
    /// Status; zero where no answer came.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, or the refusal in it.
    ///
    /// # Errors
    /// When the answer is a refusal, or not of this shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if self.status == 200 {
            return serde_json::from_slice(&self.body)
                .map_err(|_| Fault::Malformed("body of an answer"));
        }
        let failure: Failure = serde_json::from_slice(&self.body)
            .map_err(|_| Fault::Malformed("body of a refusal"))?;
        Err(Fault::Http(self.status, failure.error.code))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request with a JSON body, if there is one.
///
/// # Errors
/// When the connection breaks.
pub fn request<T: Serialize>(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&T>,
) -> io::Result<Answer> {
    let body = body
        .map(|body| serde_json::to_vec(body).expect("JSON"))
        .unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, &[head.as_bytes(), &body].concat())
}

/// Sends bytes and reads until the other side closes.
///
/// # Errors
/// When no connection is to be had. One that breaks later gives what had come until then.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A listener that has heard enough closes while we still write.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    let end = received
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or(received.len());
    let head = String::from_utf8_lossy(&received[..end]).to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    let body = received.get(end + 4..).unwrap_or_default().to_vec();
    Ok(Answer { status, head, body })
}
