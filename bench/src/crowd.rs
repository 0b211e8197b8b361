//! Programs whose memory is measured, and those that keep them company: this program, started again
//! to play one part. It says a line when something is done.
//!
//! Whoever is measured says where it listens and then waits for its input to end. A crowd hears how
//! many it shall be, grows, and says so.

use std::future::Future;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use vettid_federation::key::peer_text;
use vettid_federation::{Event, Federation, HostKey, RelayLimits, Role};
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;
use vettid_wire::time::UnixMillis;

use crate::admitting::{Admitting, Mind, Told};
use crate::hosts::{Host, PATIENCE, config, numbered};
use crate::stock::{self, Networked};

/// Argument that comes before a part.
const PLAY: &str = "--play";
/// Number of whoever is measured; those of a crowd follow.
const MEASURED: u32 = 1;
/// Where whoever is measured listens.
const LISTEN: &[&str] = &["/ip4/127.0.0.1/tcp/0"];
/// What a crowd says when it has grown.
const GROWN: &str = "grown";

/// A part to play.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// A node.
    Node,
    /// Nodes that it admits.
    Peers,
    /// A relay.
    Relay,
    /// Nodes with a reservation at it.
    Reserving,
    /// A stock host.
    Stock,
    /// Stock hosts that are connected with it.
    StockPeers,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Node,
        Self::Peers,
        Self::Relay,
        Self::Reserving,
        Self::Stock,
        Self::StockPeers,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Peers => "peers",
            Self::Relay => "relay",
            Self::Reserving => "reserving",
            Self::Stock => "stock",
            Self::StockPeers => "stock-peers",
        }
    }
}

/// A part, when the root of all evidence was made, and where the company is.
#[derive(Debug)]
pub(crate) struct Casting {
    part: Part,
    made: UnixMillis,
    address: String,
}

impl Casting {
    /// Reads it from the command line, if this program was started to play.
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        if arguments.next()? != PLAY {
            return None;
        }
        let name = arguments.next()?;
        Some(Self {
            part: Part::ALL.into_iter().find(|part| part.as_str() == name)?,
            made: UnixMillis(arguments.next()?.parse().ok()?),
            address: arguments.next().unwrap_or_default(),
        })
    }

    /// Plays until the input ends.
    pub(crate) fn play(self) -> ExitCode {
        match self.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}: {error:#}", self.part.as_str());
                ExitCode::FAILURE
            }
        }
    }

    fn run(&self) -> Result<()> {
        let runtime = Runtime::new()?;
        match self.part {
            Part::Node => {
                let mind = Mind::boot(MEASURED, self.made)?;
                let on = config(Role::Node, LISTEN);
                let node = runtime.block_on(Admitting::start(on, mind))?;
                stand(node.home.addresses.first().context("an address")?)
            }
            Part::Relay => {
                // Those that have a reservation look for each other; no circuit may come of that.
                let limits = RelayLimits {
                    circuits: 0,
                    ..RelayLimits::default()
                };
                let on = config(Role::Relay(limits), LISTEN);
                let relay = runtime.block_on(Host::start(on, MEASURED))?;
                let address = relay.home.addresses.first().context("an address")?;
                let address = format!("{address}/p2p/{}", peer_text(relay.handle.peer()));
                runtime.spawn(drain(relay));
                stand(&address)
            }
            Part::Stock => {
                let mut host = stock::networked()?;
                let address = runtime.block_on(stock::listen(&mut host))?;
                runtime.spawn(poll(host));
                stand(&address.to_string())
            }
            Part::Peers => grow(&runtime, |number| self.peer(number)),
            Part::Reserving => grow(&runtime, |number| self.reserve(number)),
            Part::StockPeers => grow(&runtime, |_| self.connect()),
        }
    }

    /// A node that the measured one admits.
    async fn peer(&self, number: u32) -> Result<Admitting> {
        let mind = Mind::boot(number, self.made)?;
        let mut peer = Admitting::start(config(Role::Node, &[]), mind).await?;
        let measured = HomeNode {
            node: NodeId(numbered(MEASURED)),
            peers: vec![HostKey::from_seed(numbered(MEASURED)).peer().into()],
            addresses: vec![self.address.clone()],
        };
        peer.handle.dial(measured).await?;
        peer.until(Told::Admitted).await?;
        Ok(peer)
    }

    /// A node that can be reached through the relay.
    async fn reserve(&self, number: u32) -> Result<()> {
        let mut on = config(Role::Node, &[]);
        on.relays = vec![self.address.clone()];
        let key = HostKey::from_seed(numbered(number));
        let (handle, mut events) = Federation::start(on, key).await?;
        handle.local_node(NodeId(numbered(number))).await?;
        let reserved = async {
            loop {
                match events.recv().await {
                    Some(Event::Reachable { addresses }) if !addresses.is_empty() => return Ok(()),
                    Some(_) => {}
                    None => bail!("the network has ended"),
                }
            }
        };
        timeout(PATIENCE, reserved)
            .await
            .context("no reservation")??;
        tokio::spawn(async move {
            // It lives as long as its handle.
            let _handle = handle;
            while events.recv().await.is_some() {}
        });
        Ok(())
    }

    async fn connect(&self) -> Result<()> {
        let mut host = stock::networked()?;
        host.dial(self.address.parse::<libp2p::Multiaddr>()?)?;
        timeout(PATIENCE, stock::connected(&mut host))
            .await
            .context("not connected")??;
        tokio::spawn(poll(host));
        Ok(())
    }
}

/// Says where it listens, and waits.
fn stand(address: &str) -> Result<()> {
    say(address)?;
    for line in stdin().lines() {
        line?;
    }
    Ok(())
}

/// Grows to the number that each line names.
fn grow<T, F: Future<Output = Result<T>>>(
    runtime: &Runtime,
    mut add: impl FnMut(u32) -> F,
) -> Result<()> {
    let mut crowd = Vec::new();
    for line in stdin().lines() {
        let count: usize = line?.parse()?;
        while crowd.len() < count {
            let number = MEASURED
                .saturating_add(1)
                .saturating_add(u32::try_from(crowd.len())?);
            crowd.push(runtime.block_on(add(number))?);
        }
        say(GROWN)?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

async fn drain(mut host: Host) {
    while host.events.recv().await.is_some() {}
}

async fn poll(mut host: Networked) {
    loop {
        host.select_next_some().await;
    }
}

/// A running program that plays a part; ended when it is dropped.
pub(crate) struct Player {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Player {
    /// Starts one.
    pub(crate) fn start(part: Part, made: UnixMillis, address: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([PLAY, part.as_str(), &made.0.to_string(), address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().context("its output")?);
        Ok(Self {
            process,
            input,
            output,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.process.id())?)
    }

    /// The next line that it says.
    pub(crate) fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "a program of this measurement has ended");
        Ok(line.trim_end().to_owned())
    }

    /// Has a crowd grow.
    pub(crate) fn grow_to(&mut self, count: usize) -> Result<()> {
        writeln!(self.input.as_mut().context("its input")?, "{count}")?;
        let said = self.hear()?;
        ensure!(said == GROWN, "a crowd said {said}");
        Ok(())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // The end of its input ends it, unless it is stuck.
        drop(self.input.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(arguments: &[&str]) -> Option<Casting> {
        Casting::of(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn part_is_read_back() {
        for part in Part::ALL {
            let casting = cast(&[PLAY, part.as_str(), "7", "/memory/1"]).expect("cast");

            assert_eq!((casting.part, casting.made), (part, UnixMillis(7)));
            assert_eq!(casting.address, "/memory/1");
        }
    }

    #[test]
    fn other_command_lines_play_nothing() {
        for arguments in [&["--json"][..], &[], &[PLAY, "king", "7"], &[PLAY, "node"]] {
            assert!(cast(arguments).is_none());
        }
    }
}
