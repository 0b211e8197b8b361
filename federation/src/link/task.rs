//! The task of one link. Each waits for its own peer only.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures::io::{BufReader, ReadHalf, WriteHalf};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::Side;

use super::{End, LinkNews, Links, Queue, Steering, VERSION};
use crate::event::Event;
use crate::frame;
use crate::metrics::Counter;
use crate::streams::Opened;

/// Bytes that are read ahead: enough for several frames that carry little, and an idle link keeps no
/// more.
const AHEAD: usize = 512;

/// One link, before it runs.
pub(crate) struct Task {
    pub(crate) link: u64,
    pub(crate) peer: Vec<u8>,
    pub(crate) side: Side,
    /// Node of this host.
    pub(crate) own: NodeId,
    /// Node as which the peer was admitted before.
    pub(crate) known: Option<NodeId>,
    pub(crate) timing: Timing,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) news: mpsc::Sender<LinkNews>,
    pub(crate) links: Links,
    /// Frames that came and that were sent.
    pub(crate) inbound: Counter,
    pub(crate) outbound: Counter,
}

/// How long a link waits for its peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// For the first word.
    pub(crate) hello: Duration,
    /// While it takes no byte of what waits for it.
    pub(crate) stalled: Duration,
}

impl Task {
    /// Starts the link over a stream of `/vettid/attest/1`.
    pub(crate) fn start(self, mut stream: Opened) -> Steering {
        let (second, second_stream) = oneshot::channel();
        let queue = self.links.open(self.link);
        let steering = Steering::new(queue.clone(), second);
        // An async block: the future of an async function holds its arguments twice, on every idle link.
        tokio::spawn(async move {
            let mut opened = false;
            let end = tokio::select! {
                biased;
                end = queue.ending() => end,
                end = self.live(&mut opened, &mut stream, &queue, second_stream) => end,
            };
            drop(stream);
            self.links.close(self.link);
            if opened {
                // A host that is gone needs no word.
                let _ = self.events.send(Event::Closed { link: self.link }).await;
            }
            let link = self.link;
            let _ = self.news.send(LinkNews::Ended { link, end }).await;
        });
        steering
    }

    async fn live(
        &self,
        opened: &mut bool,
        stream: &mut Opened,
        queue: &Queue,
        second: oneshot::Receiver<Opened>,
    ) -> End {
        let named = match timeout(self.timing.hello, self.greet(stream)).await {
            Ok(Ok(named)) => named,
            Ok(Err(error)) => return blame(&error),
            Err(_) => return End::Stalled,
        };
        if self.known.is_some_and(|known| known != named) {
            // The enclaves would find out; they need not be asked.
            return End::Misbehaved;
        }
        let (link, node) = (self.link, named);
        // A driver that is gone has ended this link.
        let _ = self.news.send(LinkNews::Named { link, node }).await;
        let open = Event::LinkOpen {
            link: self.link,
            peer: self.peer.clone(),
            node: named,
            side: self.side,
        };
        if self.events.send(open).await.is_err() {
            return End::Canceled;
        }
        // Nothing is awaited between the two: whoever is told of a link is told of its end.
        *opened = true;
        self.carry(stream, queue, second)
            .await
            .map_or_else(|error| blame(&error), |()| End::Closed)
    }

    /// Exchanges version and node.
    async fn greet(&self, stream: &mut Opened) -> io::Result<NodeId> {
        let mut hello = vec![VERSION];
        hello.extend(self.own.0);
        frame::write(stream, &hello).await?;
        stream.flush().await?;
        let answer = frame::read(stream, HELLO).await?;
        let answer = answer.ok_or(ErrorKind::UnexpectedEof)?;
        match answer.split_first() {
            // A later version may say more behind the node.
            Some((version, rest)) if *version >= VERSION => rest
                .first_chunk()
                .map(|node| NodeId(*node))
                .ok_or_else(|| ErrorKind::InvalidData.into()),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// Carries frames both ways until either way ends.
    async fn carry(
        &self,
        first: &mut Opened,
        queue: &Queue,
        second: oneshot::Receiver<Opened>,
    ) -> io::Result<()> {
        let (reader, writer) = first.split();
        let (to_reader, second_reader) = oneshot::channel();
        let (to_writer, second_writer) = oneshot::channel();
        let switch = async {
            if let Ok(second) = second.await {
                let (reader, writer) = second.split();
                // A direction that has ended needs no second stream.
                let _ = to_reader.send(reader);
                let _ = to_writer.send(writer);
            }
        };
        let pump = async {
            // Boxed: each future around these would hold them twice.
            let read = Box::pin(self.read(reader, second_reader));
            let write = Box::pin(self.write(writer, second_writer, queue));
            tokio::select! {
                end = read => end,
                end = write => end,
            }
        };
        tokio::pin!(switch, pump);
        tokio::select! {
            end = &mut pump => end,
            () = &mut switch => pump.await,
        }
    }

    /// Reads the first stream to its end, then the second.
    async fn read(
        &self,
        first: impl AsyncRead + Unpin,
        second: oneshot::Receiver<ReadHalf<Opened>>,
    ) -> io::Result<()> {
        self.read_all(first).await?;
        let link = self.link;
        let _ = self.news.send(LinkNews::Mutual { link }).await;
        let second = timeout(self.timing.hello, second).await?;
        self.read_all(second.map_err(|_| ErrorKind::BrokenPipe)?)
            .await
    }

    /// Hands frames to the host until the stream ends.
    async fn read_all(&self, stream: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut stream = BufReader::with_capacity(AHEAD, stream);
        while let Some(bytes) = frame::read(&mut stream, frame::LARGEST).await? {
            self.inbound.inc();
            let link = self.link;
            if self
                .events
                .send(Event::Frame { link, bytes })
                .await
                .is_err()
            {
                return Err(ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    /// Writes to the first stream until there is a second, then to that.
    async fn write(
        &self,
        mut first: impl AsyncWrite + Unpin,
        second: oneshot::Receiver<WriteHalf<Opened>>,
        queue: &Queue,
    ) -> io::Result<()> {
        let mut second = std::pin::pin!(async {
            match second.await {
                Ok(second) => second,
                Err(_) => std::future::pending().await,
            }
        });
        let mut second = loop {
            tokio::select! {
                second = &mut second => break second,
                bytes = queue.next() => {
                    self.write_one(&mut first, &bytes, queue.is_empty()).await?;
                }
            }
        };
        timeout(self.timing.stalled, first.close()).await??;
        loop {
            let bytes = queue.next().await;
            self.write_one(&mut second, &bytes, queue.is_empty())
                .await?;
        }
    }

    async fn write_one(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
        is_last: bool,
    ) -> io::Result<()> {
        let write = async {
            frame::write(stream, bytes).await?;
            if is_last {
                stream.flush().await
            } else {
                Ok(())
            }
        };
        timeout(self.timing.stalled, write).await??;
        self.outbound.inc();
        Ok(())
    }
}

fn blame(error: &io::Error) -> End {
    match error.kind() {
        ErrorKind::InvalidData => End::Misbehaved,
        ErrorKind::TimedOut => End::Stalled,
        ErrorKind::ConnectionAborted => End::Canceled,
        _ => End::Closed,
    }
}

/// Longest first word: a later version may say more.
const HELLO: usize = 256;
