//! A listener on the wire: relays a TCP port and keeps every byte that passes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::node_toml::NodeToml;

/// A relay on a port of its own.
pub(crate) struct Wiretap {
    address: SocketAddr,
    heard: Heard,
}

/// What was heard, in both directions.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn bytes(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, bytes: &[u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
    }
}

impl Wiretap {
    /// Stands between a node's owners and its bus: the node tells them this address instead.
    pub(crate) fn before_bus(node: &Path) -> Result<Self> {
        let mut config = NodeToml::read(node)?;
        let wiretap = Self::place(config.bus()?)?;
        config.tell_bus(wiretap.address)?;
        Ok(wiretap)
    }

    /// Relays a fresh loopback port to `target` until the program ends.
    fn place(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("port of the wiretap")?;
        let address = listener.local_addr()?;
        let heard = Heard::default();
        let ear = heard.clone();
        thread::spawn(move || {
            for inbound in listener.incoming().flatten() {
                if let Ok(outbound) = TcpStream::connect(target) {
                    relay(inbound, outbound, &ear);
                }
            }
        });
        Ok(Self { address, heard })
    }

    /// Where to connect instead of the target.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A copy of everything that passed so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.bytes()
    }
}

fn relay(inbound: TcpStream, outbound: TcpStream, heard: &Heard) {
    let (Ok(inbound_too), Ok(outbound_too)) = (inbound.try_clone(), outbound.try_clone()) else {
        return;
    };
    for (from, to) in [(inbound, outbound), (outbound_too, inbound_too)] {
        let heard = heard.clone();
        thread::spawn(move || copy(from, to, &heard));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, heard: &Heard) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        let bytes = buffer.get(..length).unwrap_or_default();
        heard.note(bytes);
        if length == 0 || to.write_all(bytes).is_err() {
            break;
        }
    }
    // Errors mean that the other direction has closed already.
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_both_ways_and_are_kept() {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let wiretap = Wiretap::place(target.local_addr().unwrap()).unwrap();
        let mut client = TcpStream::connect(wiretap.address()).unwrap();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();

        let mut served = target.accept().unwrap().0;
        let mut question = Vec::new();
        served.read_to_end(&mut question).unwrap();
        served.write_all(b"answer").unwrap();
        drop(served);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();

        assert_eq!(
            (question.as_slice(), answer.as_slice()),
            (&b"question"[..], &b"answer"[..])
        );
        assert_eq!(wiretap.heard(), b"questionanswer");
    }
}
