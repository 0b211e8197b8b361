//! Objects of 1 KiB to a hundred hosts in memory, against one hop.
//!
//! Every host holds what it hears for [`HOLD`] before it is taken for heard and passed on, as a
//! network between machines would: without that, a hundred hosts on a few cores would only measure
//! how many of them a core can serve.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use vettid_federation::event::Verdict;
use vettid_federation::{Config, Event, Handle, Role};
use vettid_wire::limits;
use vettid_wire::topic::Topic;

use crate::figure::Figure;
use crate::hosts::{Host, PATIENCE, config};
use crate::rounds::median;
use crate::size::Size;

/// Hosts.
const HOSTS: usize = 100;
/// Objects that are published.
const OBJECTS: usize = 50;
/// How long an object is under way from one host to the next, at least.
const HOLD: Duration = Duration::from_millis(20);
/// Pause between objects that are published until everybody hears them.
const TRY: Duration = Duration::from_millis(200);
/// Which others each host dials, by distance: each is connected with twice as many.
const STEPS: [usize; 4] = [1, 7, 23, 41];

/// Milliseconds until 99 of 100 arrivals, against one hop.
pub(crate) fn slowest(size: Size) -> Result<Figure> {
    let runtime = Runtime::new()?;
    let mut pair = runtime.block_on(Crowd::gather(2))?;
    let hop = runtime.block_on(pair.publish_all(size.of(OBJECTS, 2)))?;
    runtime.block_on(pair.end());
    let mut crowd = runtime.block_on(Crowd::gather(size.of(HOSTS, 8)))?;
    let mut times = runtime
        .block_on(crowd.publish_all(size.of(OBJECTS, 2)))?
        .times;
    times.sort_by(f64::total_cmp);
    let at = times.len().saturating_mul(99) / 100;
    let p99 = times.get(at).copied().context("arrivals")?;
    let mut hops = hop.times;
    Ok(Figure::new(
        "gossip_p99_over_hop",
        p99,
        median(&mut hops),
        "ms",
    ))
}

/// Copies of an object that a host gets on average, against the one that it needs.
pub(crate) fn copies(size: Size) -> Result<Figure> {
    let runtime = Runtime::new()?;
    let mut crowd = runtime.block_on(Crowd::gather(size.of(HOSTS, 8)))?;
    let heard = runtime.block_on(crowd.publish_all(size.of(OBJECTS, 2)))?;
    let needed = f64::from(u32::try_from(heard.times.len())?);
    let copies = f64::from(u32::try_from(heard.copies)?);
    Ok(Figure::new(
        "gossip_copies_per_node",
        copies / needed,
        1.0,
        "copies",
    ))
}

/// Hosts that are connected in a ring with chords, and what they hear.
struct Crowd {
    handles: Vec<Handle>,
    heard: mpsc::UnboundedReceiver<Arrival>,
}

/// An object was heard.
struct Arrival {
    host: usize,
    object: Vec<u8>,
    at: Instant,
}

/// What came of objects.
struct Heard {
    /// Milliseconds of each arrival.
    times: Vec<f64>,
    /// Copies that came, all told.
    copies: u64,
}

impl Crowd {
    async fn gather(count: usize) -> Result<Self> {
        let mut hosts = Vec::with_capacity(count);
        for number in 1..=count {
            hosts.push(Host::start(unlisted(), u32::try_from(number)?).await?);
        }
        let homes: Vec<_> = hosts.iter().map(|host| host.home.clone()).collect();
        let handles: Vec<_> = hosts.iter().map(|host| host.handle.clone()).collect();
        let (tell, heard) = mpsc::unbounded_channel();
        for (index, host) in hosts.into_iter().enumerate() {
            tokio::spawn(hold(index, host, tell.clone()));
        }
        // One host at a time: all at once would keep the machine busy for longer than an admission
        // may take.
        for (from, handle) in handles.iter().enumerate() {
            let others = STEPS.map(|step| from.saturating_add(step) % count);
            let others: BTreeSet<_> = others.into_iter().filter(|to| *to != from).collect();
            for to in &others {
                let home = homes.get(*to).context("a host")?;
                handle.dial(home.clone()).await?;
            }
            admitted(handle, others.len()).await?;
        }
        let mut crowd = Self { handles, heard };
        crowd.warm_up().await?;
        Ok(crowd)
    }

    /// Stops every host.
    async fn end(self) {
        for handle in &self.handles {
            handle.stop().await;
        }
    }

    /// Publishes until everybody hears: afterwards everybody knows whom to pass objects on to.
    async fn warm_up(&mut self) -> Result<()> {
        let mut missing: Vec<usize> = (1..self.handles.len()).collect();
        let mut tries = interval(TRY);
        let mut number = 0_u64;
        let hear = async {
            while !missing.is_empty() {
                tokio::select! {
                    arrival = self.heard.recv() => {
                        let host = arrival.context("hosts")?.host;
                        missing.retain(|other| *other != host);
                    }
                    _ = tries.tick() => {
                        number = number.wrapping_add(1);
                        let first = self.handles.first().context("hosts")?;
                        first.publish(Topic::Release, number.to_be_bytes().to_vec()).await?;
                    }
                }
            }
            Ok::<_, anyhow::Error>(())
        };
        timeout(PATIENCE, hear).await.context("warming up")??;
        // What is under way from before comes ahead of this.
        self.publish(0, 0).await.map(drop)
    }

    /// Publishes objects one after the other, each from another host.
    async fn publish_all(&mut self, objects: usize) -> Result<Heard> {
        let before = self.copies();
        let mut times = Vec::new();
        for number in 1..=objects {
            let from = number.saturating_mul(37) % self.handles.len();
            times.extend(self.publish(from, number).await?);
        }
        let copies = self.copies().saturating_sub(before);
        Ok(Heard { times, copies })
    }

    /// Publishes an object; milliseconds until each other host had heard it.
    async fn publish(&mut self, from: usize, number: usize) -> Result<Vec<f64>> {
        let mut object = vec![0; limits::GOSSIP];
        let count = u64::try_from(number)?.to_be_bytes();
        for (to, byte) in object.iter_mut().zip(count) {
            *to = byte;
        }
        let others = self.handles.len().saturating_sub(1);
        let mut times = Vec::with_capacity(others);
        let handle = self.handles.get(from).context("host")?;
        let start = Instant::now();
        handle.publish(Topic::Release, object.clone()).await?;
        let hear = async {
            while times.len() < others {
                let arrival = self.heard.recv().await.context("hosts")?;
                if arrival.object == object {
                    let elapsed = arrival.at.saturating_duration_since(start);
                    times.push(elapsed.as_secs_f64() * 1e3);
                }
            }
            Ok::<_, anyhow::Error>(())
        };
        timeout(PATIENCE, hear).await.context("an object")??;
        Ok(times)
    }

    fn copies(&self) -> u64 {
        let copies = self.handles.iter();
        copies.map(|it| it.metrics().gossip_copies.get()).sum()
    }
}

/// A node that names an address which nobody can use: no search leads to it, so that it is
/// connected with those that are meant and no others.
fn unlisted() -> Config {
    Config {
        external: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        ..config(Role::Node, &["/memory/0"])
    }
}

/// Waits until a host has admitted so many.
async fn admitted(handle: &Handle, least: usize) -> Result<()> {
    let mut looks = interval(Duration::from_millis(10));
    let look = async {
        loop {
            looks.tick().await;
            let peers = handle.status().await?.peers;
            if peers.iter().filter(|peer| peer.node.is_some()).count() >= least {
                return Ok::<_, anyhow::Error>(());
            }
        }
    };
    timeout(PATIENCE, look).await.context("hosts do not meet")?
}

/// Accepts all that a host hears, each object a while after it came.
async fn hold(index: usize, mut host: Host, tell: mpsc::UnboundedSender<Arrival>) -> Result<()> {
    loop {
        match host.next().await? {
            Event::Gossip { message, bytes, .. } => {
                let (handle, tell) = (host.handle.clone(), tell.clone());
                tokio::spawn(async move {
                    sleep(HOLD).await;
                    let arrival = Arrival {
                        host: index,
                        object: bytes,
                        at: Instant::now(),
                    };
                    // Who has stopped needs nothing more.
                    let _ = tell.send(arrival);
                    let _ = handle.judge(message, Verdict::Accept).await;
                });
            }
            Event::Unreachable { .. } => bail!("a host of this process is unreachable"),
            _ => {}
        }
    }
}
