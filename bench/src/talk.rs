//! Messages from app to app over two nodes, against messages from client to client over two XMPP
//! servers.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::figure::Figure;
use crate::rounds::{median, side_by_side};
use crate::size::Size;
use crate::two_nodes::TwoNodes;
use crate::xmpp::TwoServers;

/// Connections that carry messages at once.
const CONNECTIONS: usize = 32;
/// Messages of one connection that were said and not heard, at most.
const WINDOW: usize = 16;
/// Text of each message, bytes.
const TEXT: usize = 100;
/// How long messages are said in one round; it ends when all are heard.
const SPAN: Duration = Duration::from_secs(5);
/// Messages of one round of the latency figure.
const SINGLE: usize = 1_000;
/// Longest that a message may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says something to one other, again and again.
pub(crate) trait Says: Clone + Send + 'static {
    /// Returns when the sender's side has taken it.
    fn say(self, text: String) -> impl Future<Output = Result<()>> + Send;
}

/// One direction from app to app.
pub(crate) struct Line<S> {
    /// Its beginning.
    pub(crate) says: S,
    /// Its end: how many messages came each time.
    pub(crate) heard: mpsc::UnboundedReceiver<usize>,
}

/// Messages a second over 32 connections, from one app to the other.
pub(crate) fn delivered(size: Size) -> Result<Figure> {
    let connections = size.of(CONNECTIONS, 2);
    let span = size.of(SPAN, Duration::from_secs(1));
    let mut nodes = TwoNodes::with_pairs(connections)?;
    let mut servers = TwoServers::with_pairs(connections)?;
    let (ours, reference) = side_by_side(
        size,
        || nodes.runtime.block_on(flood(&mut nodes.lines, span)),
        || servers.runtime.block_on(flood(&mut servers.lines, span)),
    )?;
    Ok(Figure::new("messages_delivered", ours, reference, "1/s"))
}

/// One message at a time from one app to the other: median.
pub(crate) fn latency(size: Size) -> Result<Figure> {
    let count = size.of(SINGLE, 5);
    let mut nodes = TwoNodes::with_pairs(1)?;
    let mut servers = TwoServers::with_pairs(1)?;
    let (ours, reference) = side_by_side(
        size,
        || nodes.runtime.block_on(one_by_one(&mut nodes.lines, count)),
        || {
            servers
                .runtime
                .block_on(one_by_one(&mut servers.lines, count))
        },
    )?;
    Ok(Figure::new("message_latency_p50", ours, reference, "us"))
}

/// Keeps every line busy for a while; messages heard a second until the last one was.
async fn flood<S: Says>(lines: &mut [Line<S>], span: Duration) -> Result<f64> {
    let start = Instant::now();
    let counts = try_join_all(lines.iter_mut().map(|line| keep_busy(line, start, span))).await?;
    let all = u32::try_from(counts.iter().sum::<usize>())?;
    Ok(f64::from(all) / start.elapsed().as_secs_f64())
}

async fn keep_busy<S: Says>(line: &mut Line<S>, start: Instant, span: Duration) -> Result<usize> {
    let (mut said, mut heard) = (0_usize, 0_usize);
    let mut under_way = JoinSet::new();
    loop {
        let is_over = start.elapsed() >= span;
        if is_over && heard >= said {
            break;
        }
        if !is_over && said.saturating_sub(heard) < WINDOW {
            under_way.spawn(line.says.clone().say(text()));
            said = said.saturating_add(1);
            continue;
        }
        tokio::select! {
            count = next(&mut line.heard) => heard = heard.saturating_add(count?),
            Some(taken) = under_way.join_next() => taken??,
        }
    }
    while let Some(taken) = under_way.join_next().await {
        taken??;
    }
    ensure!(heard == said, "{said} were said and {heard} heard");
    Ok(heard)
}

async fn one_by_one<S: Says>(lines: &mut [Line<S>], count: usize) -> Result<f64> {
    let line = lines.first_mut().context("a line")?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        // The answer to who says it may come after the message itself.
        let taken = tokio::spawn(line.says.clone().say(text()));
        ensure!(next(&mut line.heard).await? == 1, "one was said");
        times.push(start.elapsed().as_secs_f64() * 1e6);
        taken.await??;
    }
    Ok(median(&mut times))
}

async fn next(heard: &mut mpsc::UnboundedReceiver<usize>) -> Result<usize> {
    timeout(PATIENCE, heard.recv())
        .await
        .context("a message did not come")?
        .context("nobody listens any more")
}

fn text() -> String {
    "x".repeat(TEXT)
}
