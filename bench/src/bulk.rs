//! Bytes through an admitted link, sealed for the other enclave, against bytes through a stock
//! stream over the same transport.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::core::muxing::SubstreamBox;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use vettid_federation::{Event, Role};
use vettid_session::Established;
use vettid_wire::limits;

use crate::enclave::{NOW, session};
use crate::figure::Figure;
use crate::hosts::{Host, config};
use crate::rounds::side_by_side;
use crate::size::Size;
use crate::stock;

/// Bytes of one round.
const BYTES: usize = 256 * MIB;
/// Messages under way at once: as many bytes as wait for a link at most are twice as many.
const WINDOW: usize = limits::LANE_WINDOW / 2;
/// Bytes that are written to a stock stream at once.
const CHUNK: usize = 64 * 1024;
const MIB: usize = 1024 * 1024;

/// MiB a second through an admitted link, in messages of the largest size that a delivery has.
pub(crate) fn link(size: Size) -> Result<Figure> {
    let bytes = size.of(BYTES, 2 * MIB);
    let runtime = Runtime::new()?;
    let mut link = runtime.block_on(Link::open())?;
    let mut stock = runtime.block_on(Stream::open())?;
    let (ours, reference) = side_by_side(
        size,
        || runtime.block_on(link.carry(bytes)),
        || runtime.block_on(stock.carry(bytes)),
    )?;
    Ok(Figure::new("link_throughput", ours, reference, "MiB/s"))
}

/// Two hosts with a link, and the session between their enclaves.
struct Link {
    from: Host,
    to: Host,
    number: u64,
    session: Option<(Established, Established)>,
}

impl Link {
    async fn open() -> Result<Self> {
        let on = || config(Role::Node, &["/ip4/127.0.0.1/tcp/0"]);
        let mut from = Host::start(on(), 1).await?;
        let mut to = Host::start(on(), 2).await?;
        from.handle.dial(to.home.clone()).await?;
        let (number, _) = futures::try_join!(from.linked(), to.linked())?;
        Ok(Self {
            from,
            to,
            number,
            session: Some(session()?),
        })
    }

    /// Carries so many bytes; MiB a second.
    async fn carry(&mut self, bytes: usize) -> Result<f64> {
        let (sealing, mut opening) = self.session.take().context("session has ended")?;
        let window = Arc::new(Semaphore::new(WINDOW));
        let start = Instant::now();
        let sender = Sender {
            session: sealing,
            handle: self.from.handle.clone(),
            link: self.number,
            window: Arc::clone(&window),
        };
        let sending = tokio::spawn(sender.send(bytes));
        let mut left = bytes;
        while left > 0 {
            match self.to.next().await? {
                Event::Frame { bytes, .. } => {
                    if let Some(message) = opening.open(NOW, &bytes)? {
                        left = left.saturating_sub(message.len());
                        window.add_permits(1);
                    }
                }
                Event::Closed { .. } => bail!("the link was closed"),
                _ => {}
            }
        }
        let elapsed = start.elapsed();
        self.session = Some((sending.await??, opening));
        mib_per_second(bytes, elapsed.as_secs_f64())
    }
}

/// The sending end of a link.
struct Sender {
    session: Established,
    handle: vettid_federation::Handle,
    link: u64,
    window: Arc<Semaphore>,
}

impl Sender {
    async fn send(mut self, bytes: usize) -> Result<Established> {
        let message = vec![7; limits::DELIVERY];
        let mut left = bytes;
        while left > 0 {
            self.window.acquire().await?.forget();
            let part = message.get(..left.min(message.len())).unwrap_or(&message);
            for frame in self.session.seal(NOW, part)? {
                self.handle.frame(self.link, frame)?;
            }
            left = left.saturating_sub(part.len());
        }
        Ok(self.session)
    }
}

/// A stock stream.
struct Stream {
    writer: Option<SubstreamBox>,
    reader: SubstreamBox,
}

impl Stream {
    async fn open() -> Result<Self> {
        let (writer, reader) = stock::stream().await?;
        Ok(Self {
            writer: Some(writer),
            reader,
        })
    }

    /// Carries so many bytes; MiB a second.
    async fn carry(&mut self, bytes: usize) -> Result<f64> {
        let mut writer = self.writer.take().context("stream has ended")?;
        let start = Instant::now();
        let writing = tokio::spawn(async move {
            let chunk = vec![7; CHUNK];
            for _ in 0..bytes / CHUNK {
                writer.write_all(&chunk).await?;
            }
            writer.flush().await?;
            Ok::<_, std::io::Error>(writer)
        });
        let mut buffer = vec![0; CHUNK];
        let mut left = bytes;
        while left > 0 {
            let length = self.reader.read(&mut buffer).await?;
            ensure!(length > 0, "the stream has ended");
            left = left.saturating_sub(length);
        }
        let elapsed = start.elapsed();
        self.writer = Some(writing.await??);
        mib_per_second(bytes, elapsed.as_secs_f64())
    }
}

fn mib_per_second(bytes: usize, seconds: f64) -> Result<f64> {
    Ok(f64::from(u32::try_from(bytes / MIB)?) / seconds)
}
