//! From the dial until both enclaves have admitted each other, with the evidence of both known,
//! against a stock connection.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::try_join;
use libp2p::Multiaddr;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;
use vettid_federation::Role;

use crate::admitting::{Admitting, Mind, Told};
use crate::figure::Figure;
use crate::hosts::{PATIENCE, config, now};
use crate::rounds::{median, side_by_side};
use crate::size::Size;
use crate::stock;

/// Admissions of one round.
const TIMES: usize = 100;

/// Milliseconds until two nodes have admitted each other, connection included.
pub(crate) fn admission(size: Size) -> Result<Figure> {
    let times = size.of(TIMES, 3);
    let runtime = Runtime::new()?;
    let mut nodes = runtime.block_on(Nodes::meet_once())?;
    let mut stock = runtime.block_on(StockPair::start())?;
    let (ours, reference) = side_by_side(
        size,
        || runtime.block_on(nodes.median(times)),
        || runtime.block_on(stock.median(times)),
    )?;
    Ok(Figure::new(
        "admission_over_connection",
        ours,
        reference,
        "ms",
    ))
}

/// The enclaves of two nodes.
struct Nodes {
    there: Option<Mind>,
    coming: Option<Mind>,
}

impl Nodes {
    /// Afterwards each enclave knows the other's evidence.
    async fn meet_once() -> Result<Self> {
        let made = now();
        let mut nodes = Self {
            there: Some(Mind::boot(1, made)?),
            coming: Some(Mind::boot(2, made)?),
        };
        nodes.meet().await?;
        Ok(nodes)
    }

    async fn median(&mut self, times: usize) -> Result<f64> {
        let mut elapsed = Vec::with_capacity(times);
        for _ in 0..times {
            elapsed.push(self.meet().await?);
        }
        Ok(median(&mut elapsed))
    }

    /// The hosts are new ones each time, so that nothing is left of the connection before; nor of how
    /// many came from that peer, since more than a few in a row have to wait.
    async fn meet(&mut self) -> Result<f64> {
        let (there, coming) = (self.there.take(), self.coming.take());
        let on = config(Role::Node, &["/ip4/127.0.0.1/tcp/0"]);
        let mut there = Admitting::start(on, there.context("an enclave")?).await?;
        let off = config(Role::Node, &[]);
        let mut here = Admitting::start(off, coming.context("an enclave")?).await?;
        let start = Instant::now();
        here.handle.dial(there.home.clone()).await?;
        try_join!(here.until(Told::Admitted), there.until(Told::Admitted))?;
        let elapsed = start.elapsed();
        self.coming = Some(here.stop().await?);
        there.until(Told::Closed).await?;
        self.there = Some(there.stop().await?);
        Ok(elapsed.as_secs_f64() * 1e3)
    }
}

/// A stock host that is there.
struct StockPair {
    address: Multiaddr,
    connected: mpsc::UnboundedReceiver<()>,
}

impl StockPair {
    async fn start() -> Result<Self> {
        let mut there = stock::host()?;
        let address = stock::listen(&mut there).await?;
        let (tell, connected) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while stock::connected(&mut there).await.is_ok() {
                if tell.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { address, connected })
    }

    async fn median(&mut self, times: usize) -> Result<f64> {
        let mut elapsed = Vec::with_capacity(times);
        for _ in 0..times {
            let mut here = stock::host()?;
            let start = Instant::now();
            here.dial(self.address.clone())?;
            // The dialing end says nothing of its multiplexer before it writes: it goes on until the other
            // is connected.
            let there = async { self.connected.recv().await.context("the other host") };
            let connected = timeout(PATIENCE, stock::drive_until(&mut here, there));
            connected.await.context("never connected")??;
            elapsed.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(&mut elapsed))
    }
}
