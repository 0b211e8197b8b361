//! One request and its answer over HTTP/1.1. RFC 9112.
//!
//! What the key service sends is read and no more: a status, a length, that many bytes. Anything else,
//! such as a body in chunks, is refused.

use std::io::{self, Read, Write};

use crate::failure::KmsError;

/// Most bytes of a head.
const HEAD: usize = 16 * 1024;

/// Most headers of an answer.
const HEADERS: usize = 64;

/// Most bytes of a body: a policy has 32 KiB at most and is written as a string in JSON.
const BODY: usize = 256 * 1024;

/// An answer.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends `head` and `body`, and reads one answer. The connection can be used again.
pub(crate) fn exchange(
    stream: &mut (impl Read + Write),
    operation: &'static str,
    head: &str,
    body: &[u8],
) -> Result<Answer, KmsError> {
    let mut request = Vec::with_capacity(head.len().saturating_add(body.len()));
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    stream
        .write_all(&request)
        .and_then(|()| stream.flush())
        .map_err(failure)?;
    let mut received = Vec::new();
    let (status, start, length) = loop {
        if let Some(parsed) = parse(&received, operation)? {
            break parsed;
        }
        if received.len() >= HEAD {
            return Err(KmsError::TooLarge(operation));
        }
        more(stream, &mut received)?;
    };
    let end = start.saturating_add(length);
    while received.len() < end {
        more(stream, &mut received)?;
    }
    // Nothing was asked that more could answer.
    if received.len() > end {
        return Err(KmsError::Malformed(operation));
    }
    received.drain(..start);
    Ok(Answer {
        status,
        body: received,
    })
}

fn more(stream: &mut impl Read, received: &mut Vec<u8>) -> Result<(), KmsError> {
    let mut piece = [0; 4096];
    let count = stream.read(&mut piece).map_err(failure)?;
    if count == 0 {
        return Err(KmsError::Connection(io::ErrorKind::UnexpectedEof));
    }
    received.extend_from_slice(piece.get(..count).unwrap_or_default());
    Ok(())
}

/// TLS reports what it does not accept as invalid data.
fn failure(error: io::Error) -> KmsError {
    match error.kind() {
        io::ErrorKind::InvalidData => KmsError::NotGenuine,
        kind => KmsError::Connection(kind),
    }
}

/// Status, where the body begins and how long it is, once the head is there.
pub(crate) fn parse(
    received: &[u8],
    operation: &'static str,
) -> Result<Option<(u16, usize, usize)>, KmsError> {
    let malformed = KmsError::Malformed(operation);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(received).map_err(|_| malformed)?;
    let httparse::Status::Complete(start) = parsed else {
        return Ok(None);
    };
    let status = response.code.ok_or(malformed)?;
    let mut length = None;
    for header in response.headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(malformed);
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = core::str::from_utf8(header.value).map_err(|_| malformed)?;
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number).ok_or(malformed)?;
            if length.replace(number).is_some() {
                return Err(malformed);
            }
        }
    }
    let length: usize = length.ok_or(malformed)?;
    if length > BODY {
        return Err(KmsError::TooLarge(operation));
    }
    Ok(Some((status, start, length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream that gives an answer in pieces and takes everything.
    struct Canned<'a>(&'a [u8], usize);

    impl Read for Canned<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len()).min(self.0.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    impl Write for Canned<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(bytes: &[u8]) -> Result<Answer, KmsError> {
        exchange(
            &mut Canned(bytes, 7),
            "Decrypt",
            "POST / HTTP/1.1\r\n\r\n",
            b"{}",
        )
    }

    #[test]
    fn answer_in_pieces_comes_out_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\n{...}";

        let answer = answer(bytes);

        let body = b"{...}".to_vec();
        assert_eq!(answer, Ok(Answer { status: 200, body }));
    }

    #[test]
    fn whatever_is_not_one_plain_answer_is_refused() {
        let malformed = Err(KmsError::Malformed("Decrypt"));
        for bytes in [
            &b"HTTP/1.1 200 OK\r\n\r\n{}"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert_eq!(answer(bytes), malformed, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn answers_that_end_early_or_never_are_refused() {
        let ended = KmsError::Connection(io::ErrorKind::UnexpectedEof);
        assert_eq!(answer(b""), Err(ended));
        assert_eq!(
            answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"),
            Err(ended)
        );
        let large = b"HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n";
        assert_eq!(answer(large), Err(KmsError::TooLarge("Decrypt")));
        let endless = [&b"HTTP/1.1 200 OK\r\nx: "[..], &[b'x'; 20_000]].concat();
        assert_eq!(answer(&endless), Err(KmsError::TooLarge("Decrypt")));
    }

    proptest! {
        #[test]
        fn nothing_that_is_received_panics(bytes: Vec<u8>) {
            let _ = answer(&bytes);
        }
    }
}
