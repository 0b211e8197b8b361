//! The least of an XMPP client: a plain stream, SASL PLAIN, one resource, chat messages.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::server::{CLIENTS, PASSWORD};
use crate::talk::Says;

/// Longest that a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of one answer.
const ANSWER: usize = 64 * 1024;
/// Resource of every client.
const RESOURCE: &str = "bench";
/// Ends every message.
const END: &[u8] = b"</message>";

/// A client that is logged in.
pub(crate) struct Client {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    buffer: Vec<u8>,
    address: String,
}

/// Says something to one other client.
#[derive(Clone)]
pub(crate) struct Speaker {
    writer: Arc<Mutex<OwnedWriteHalf>>,
    to: String,
}

impl Client {
    /// Connects and logs in.
    pub(crate) async fn log_in(server: &str, user: &str) -> Result<Self> {
        let stream = TcpStream::connect((server, CLIENTS)).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let mut client = Self {
            reader,
            writer,
            buffer: Vec::new(),
            address: format!("{user}@{server}/{RESOURCE}"),
        };
        let open = format!(
            "<stream:stream to='{server}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        );
        client.ask(&open, "</stream:features>").await?;
        let proof = BASE64.encode(format!("\0{user}\0{PASSWORD}").as_bytes());
        let proof = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>"
        );
        let answer = client.ask(&proof, ">").await?;
        ensure!(answer.contains("<success"), "not logged in: {answer}");
        client.ask(&open, "</stream:features>").await?;
        let bind = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{RESOURCE}</resource></bind></iq>"
        );
        let answer = client.ask(&bind, "</iq>").await?;
        ensure!(answer.contains("result"), "no resource: {answer}");
        client.ask("<presence/>", "</presence>").await?;
        Ok(client)
    }

    /// Full address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on only speaks, to the client of this address.
    pub(crate) fn speak_to(self, to: &str) -> Speaker {
        let mut reader = self.reader;
        // What comes back is nothing but refusals: whoever waits for the messages finds out.
        tokio::spawn(async move {
            let mut bytes = vec![0; ANSWER];
            while reader.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
        });
        Speaker {
            writer: Arc::new(Mutex::new(self.writer)),
            to: to.to_owned(),
        }
    }

    /// From now on only listens: tells how many messages came each time.
    pub(crate) fn listen(self) -> mpsc::UnboundedReceiver<usize> {
        let (said, heard) = mpsc::unbounded_channel();
        tokio::spawn(self.count(said));
        heard
    }

    async fn count(mut self, said: mpsc::UnboundedSender<usize>) -> Result<()> {
        let mut bytes = vec![0; ANSWER];
        loop {
            let came = self.take_messages();
            if came > 0 {
                said.send(came)?;
            }
            let length = self.reader.read(&mut bytes).await?;
            ensure!(length > 0, "the server has hung up");
            self.buffer
                .extend_from_slice(bytes.get(..length).unwrap_or_default());
        }
    }

    /// How many messages are in the buffer; keeps what may be the beginning of the next one's end.
    fn take_messages(&mut self) -> usize {
        let (mut count, mut done) = (0_usize, 0_usize);
        while let Some(at) = self.buffer.get(done..).and_then(|rest| find(rest, END)) {
            done = done.saturating_add(at).saturating_add(END.len());
            count = count.saturating_add(1);
        }
        let rest = self.buffer.len().saturating_sub(END.len());
        self.buffer.drain(..done.max(rest));
        count
    }

    /// Says something and reads until `end` has come.
    async fn ask(&mut self, stanza: &str, end: &str) -> Result<String> {
        self.writer.write_all(stanza.as_bytes()).await?;
        timeout(PATIENCE, self.read_until(end.as_bytes()))
            .await
            .with_context(|| format!("no answer to {stanza}"))?
    }

    async fn read_until(&mut self, end: &[u8]) -> Result<String> {
        let mut bytes = vec![0; ANSWER];
        loop {
            if let Some(at) = find(&self.buffer, end) {
                let answer = self.buffer.drain(..at.saturating_add(end.len())).collect();
                return Ok(String::from_utf8(answer)?);
            }
            let length = self.reader.read(&mut bytes).await?;
            if length == 0 || self.buffer.len() > ANSWER {
                bail!(
                    "the server said {:?}",
                    String::from_utf8_lossy(&self.buffer)
                );
            }
            self.buffer
                .extend_from_slice(bytes.get(..length).unwrap_or_default());
        }
    }
}

impl Says for Speaker {
    async fn say(self, text: String) -> Result<()> {
        let to = &self.to;
        let message = format!("<message to='{to}' type='chat'><body>{text}</body></message>");
        let mut writer = self.writer.lock().await;
        Ok(writer.write_all(message.as_bytes()).await?)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}
