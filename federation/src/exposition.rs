//! Metrics over HTTP: one page, on an address of its own, for a scraper beside the program.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Answers every request on `listener` with what `text` returns, until the future is dropped.
///
/// Whoever asks too slowly or is one too many is turned away.
pub async fn serve_metrics<F>(listener: TcpListener, text: F)
where
    F: Fn() -> String + Send + Sync + 'static,
{
    let text = Arc::new(text);
    let free = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: others need them more.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(permit) = free.clone().try_acquire_owned() else {
            continue;
        };
        let text = text.clone();
        tokio::spawn(async move {
            // A scraper that has gone is not answered.
            let _ = timeout(PATIENCE, answer(stream, || text())).await;
            drop(permit);
        });
    }
}

async fn answer(mut stream: TcpStream, text: impl FnOnce() -> String) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 512];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await?;
        if read == 0 || request.len() > LONGEST {
            return Ok(());
        }
        request.extend(piece.iter().take(read));
    }
    let (status, body) = if request.starts_with(b"GET /metrics ") {
        ("200 OK", text())
    } else {
        ("404 Not Found", String::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// Requests at once.
const AT_ONCE: usize = 8;
/// Longest request head, bytes.
const LONGEST: usize = 4 * 1024;
/// A request must be over by then.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let address = listener.local_addr().expect("address");
        let server = tokio::spawn(serve_metrics(listener, || "up 1\n".into()));
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request).await.expect("asked");
        let mut answer = String::new();
        // Whoever is turned away may see the connection reset.
        let _ = stream.read_to_string(&mut answer).await;
        server.abort();
        answer
    }

    #[tokio::test]
    async fn metrics_are_one_page() {
        let page = ask(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").await;
        let other = ask(b"GET / HTTP/1.1\r\n\r\n").await;

        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("\r\n\r\nup 1\n"));
        assert!(other.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn endless_request_is_turned_away() {
        assert_eq!(ask(&[b'x'; 16 * 1024]).await, "");
    }
}
