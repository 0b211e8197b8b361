//! The numbers of a running relay, read where a scraper reads them.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The metrics page at `address`; nothing when what answers there has none.
pub(crate) async fn page(address: SocketAddr) -> io::Result<Option<String>> {
    let read = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n")
            .await?;
        let mut page = String::new();
        let mut bounded = stream.take(LARGEST);
        bounded.read_to_string(&mut page).await?;
        io::Result::Ok(page.starts_with(FOUND).then_some(page))
    };
    timeout(PATIENCE, read)
        .await
        .map_err(|_| io::Error::from(ErrorKind::TimedOut))?
}

/// The value of one metric on a page.
pub(crate) fn value(page: &str, name: &str) -> Option<u64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

const FOUND: &str = "HTTP/1.1 200 ";
const LARGEST: u64 = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_found_by_its_whole_name() {
        let page = "# TYPE a counter\na_total 3\na 5\n";

        assert_eq!(value(page, "a"), Some(5));
        assert_eq!(value(page, "a_total"), Some(3));
        assert_eq!(value(page, "b"), None);
    }
}
