//! Seeded noise, and a megabyte of it at a listener.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use vettid_crypto::{Entropy, SeededEntropy};

/// How much is thrown at a listener.
const MEGABYTE: usize = 1 << 20;

/// How long a listener may keep a connection that speaks nonsense and has hung up.
const HANGING: Duration = Duration::from_secs(30);

/// Noise from a seed.
#[must_use]
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SeededEntropy::dangerous_new(seed).fill(&mut bytes);
    bytes
}

/// A number below `bound`, from a seed.
#[must_use]
pub fn below(seed: u64, bound: u64) -> u64 {
    let bytes: [u8; 8] = SeededEntropy::dangerous_new(seed).bytes();
    u64::from_be_bytes(bytes) % bound.max(1)
}

/// Throws `opening` and a megabyte of noise at a TCP listener; what it said to that.
///
/// # Panics
/// When nobody listens.
pub fn at_tcp(address: SocketAddr, seed: u64, opening: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).expect("a listener");
    stream
        .set_read_timeout(Some(HANGING))
        .expect("a time limit");
    stream
        .set_write_timeout(Some(HANGING))
        .expect("a time limit");
    throw(&stream, seed, opening, || {
        stream.shutdown(std::net::Shutdown::Write)
    })
}

/// The same at a Unix socket; nothing where nobody listens any more.
pub fn at_unix(path: &Path, seed: u64, opening: &[u8]) -> Option<Vec<u8>> {
    let stream = UnixStream::connect(path).ok()?;
    stream
        .set_read_timeout(Some(HANGING))
        .expect("a time limit");
    stream
        .set_write_timeout(Some(HANGING))
        .expect("a time limit");
    Some(throw(&stream, seed, opening, || {
        stream.shutdown(std::net::Shutdown::Write)
    }))
}

/// A listener that has heard enough hangs up while we still write: that is not an error here.
fn throw<S>(
    mut stream: S,
    seed: u64,
    opening: &[u8],
    hang_up: impl FnOnce() -> std::io::Result<()>,
) -> Vec<u8>
where
    S: Read + Write,
{
    let _ = stream
        .write_all(opening)
        .and_then(|()| stream.write_all(&noise(seed, MEGABYTE)));
    let _ = hang_up();
    let mut said = Vec::new();
    let _ = stream.take(MEGABYTE as u64).read_to_end(&mut said);
    said
}
