//! The client side of NATS: enough of it to connect, subscribe, publish and be thrown out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::Fault;
use crate::wait::PATIENCE;

/// One connection to the bus.
pub struct BusLine {
    stream: TcpStream,
    received: Vec<u8>,
    subscriptions: u32,
}

/// Something the server said.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// It closed the connection.
    Closed,
    /// It refused something.
    Error(String),
    /// A message: subject and payload.
    Message(String, Vec<u8>),
    /// Everything that was sent before a ping has been taken.
    Pong,
}

impl BusLine {
    /// Connects as a user.
    ///
    /// # Errors
    /// When the server is away or refuses the user.
    pub fn connect(address: SocketAddr, jwt: &str, key: &KeyPair) -> Result<Self, Fault> {
        let mut line = Self::dial(address).map_err(|_| Fault::Closed)?;
        let greeting = line.line(Instant::now() + PATIENCE)?;
        let greeting = greeting
            .strip_prefix("INFO ")
            .ok_or(Fault::Malformed("greeting"))?;
        let greeting: Value =
            serde_json::from_str(greeting).map_err(|_| Fault::Malformed("greeting"))?;
        let nonce = greeting["nonce"]
            .as_str()
            .ok_or(Fault::Malformed("nonce"))?;
        let signature = key
            .sign(nonce.as_bytes())
            .map_err(|_| Fault::Malformed("key"))?;
        let options = json!({
            "verbose": false, "pedantic": false, "tls_required": false, "echo": false,
            "lang": "none", "version": "0", "protocol": 1, "headers": false, "no_responders": false,
            "jwt": jwt, "sig": BASE64URL_NOPAD.encode(&signature),
        });
        line.write(format!("CONNECT {options}\r\n").as_bytes())?;
        line.flush()?;
        Ok(line)
    }

    /// A connection that has said nothing yet.
    ///
    /// # Errors
    /// When the server is away.
    pub fn dial(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            received: Vec::new(),
            subscriptions: 0,
        })
    }

    /// Waits until the server has taken everything that was sent.
    ///
    /// # Errors
    /// When it refused some of it or closed the connection.
    pub fn flush(&mut self) -> Result<(), Fault> {
        self.write(b"PING\r\n")?;
        loop {
            match self.next(PATIENCE)? {
                Said::Pong => return Ok(()),
                Said::Error(error) => return Err(Fault::Bus(error)),
                Said::Closed => return Err(Fault::Closed),
                Said::Message(..) => {}
            }
        }
    }

    /// Subscribes.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn subscribe(&mut self, subject: &str) -> Result<(), Fault> {
        self.subscriptions += 1;
        self.write(format!("SUB {subject} {}\r\n", self.subscriptions).as_bytes())?;
        self.flush()
    }

    /// Publishes; whether that was allowed is said later.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) -> Result<(), Fault> {
        let head = format!("PUB {subject} {}\r\n", payload.len());
        self.write(&[head.as_bytes(), payload, b"\r\n"].concat())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(bytes).map_err(|_| Fault::Closed)
    }

    /// What the server says next. Pings are answered on the way.
    ///
    /// # Errors
    /// When nothing comes within `patience`.
    pub fn next(&mut self, patience: Duration) -> Result<Said, Fault> {
        let deadline = Instant::now() + patience;
        loop {
            let line = match self.line(deadline) {
                Ok(line) => line,
                Err(Fault::Closed) => return Ok(Said::Closed),
                Err(fault) => return Err(fault),
            };
            match line.split(' ').next().unwrap_or_default() {
                "PING" => self.write(b"PONG\r\n")?,
                "PONG" => return Ok(Said::Pong),
                "-ERR" => return Ok(Said::Error(line[4..].trim().to_owned())),
                "MSG" => {
                    let words: Vec<&str> = line.split(' ').collect();
                    let size = words.last().and_then(|word| word.parse().ok());
                    let size: usize = size.ok_or(Fault::Malformed("message"))?;
                    let subject = words.get(1).ok_or(Fault::Malformed("message"))?;
                    let mut payload = self.take(size + 2, deadline)?;
                    payload.truncate(size);
                    return Ok(Said::Message((*subject).to_owned(), payload));
                }
                _ => {}
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<String, Fault> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(end + 2, deadline)?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill(deadline)?;
        }
    }

    fn take(&mut self, size: usize, deadline: Instant) -> Result<Vec<u8>, Fault> {
        while self.received.len() < size {
            self.fill(deadline)?;
        }
        Ok(self.received.drain(..size).collect())
    }

    fn fill(&mut self, deadline: Instant) -> Result<(), Fault> {
        let left = deadline
            .checked_duration_since(Instant::now())
            .ok_or(Fault::Silent)?;
        let left = left.max(Duration::from_millis(1));
        self.stream
            .set_read_timeout(Some(left))
            .map_err(|_| Fault::Closed)?;
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Fault::Closed),
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Fault::Silent)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(_) => Err(Fault::Closed),
        }
    }
}
