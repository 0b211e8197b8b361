//! Hosts of one process whose peers are judged by enclaves: the machines of the product, wired as
//! its supervisor and its node wire them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vettid_attestation::emulated::{DevelopmentRoot, measurement};
use vettid_crypto::SeededEntropy;
use vettid_federation::{Config, Event, Federation, Handle, HostKey};
use vettid_runtime::simulated::{Boot, Deed, SimulatedEnclave};
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{FromEnclave, ToEnclave};
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};
use vettid_wire::time::UnixMillis;

use crate::hosts::{PATIENCE, listening, now, numbered};

/// What every enclave measures.
const PROGRAM: [u8; 48] = [7; 48];
/// Seed of the root of all evidence.
const ROOT: u64 = 1;
/// Pause between ticks of an enclave.
const TICK: Duration = Duration::from_millis(250);

/// What happened on a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// The enclave has admitted the peer.
    Admitted,
    /// The link is gone.
    Closed,
}

/// A running host with an enclave.
pub(crate) struct Admitting {
    pub(crate) handle: Handle,
    pub(crate) home: HomeNode,
    told: mpsc::UnboundedReceiver<Told>,
    driver: JoinHandle<Result<Mind>>,
}

/// An enclave, which may outlive its host.
pub(crate) struct Mind {
    enclave: SimulatedEnclave,
    number: u32,
    /// Number of its newest link.
    newest: u64,
}

impl Mind {
    /// The enclave of one of several nodes. All must name the same time at which the root of their
    /// evidence was made.
    pub(crate) fn boot(number: u32, made: UnixMillis) -> Result<Self> {
        let boot = Boot {
            network: network(made)?,
            root: (ROOT, made),
            program: PROGRAM,
            node: NodeId(numbered(number)),
            host: HostKey::from_seed(numbered(number)).peer(),
            sealing_root: numbered(number),
            seed: u64::from(number),
            now: now(),
        };
        Ok(Self {
            enclave: SimulatedEnclave::boot(&boot).context("the enclave does not boot")?,
            number,
            newest: 0,
        })
    }
}

impl Admitting {
    /// Starts the host of an enclave.
    pub(crate) async fn start(config: Config, mind: Mind) -> Result<Self> {
        let key = HostKey::from_seed(numbered(mind.number));
        let (handle, events) = Federation::start(config, key).await?;
        let node = NodeId(numbered(mind.number));
        handle.local_node(node).await?;
        let home = HomeNode {
            node,
            peers: vec![handle.peer().to_vec().into()],
            addresses: listening(&handle).await?,
        };
        let (tell, told) = mpsc::unbounded_channel();
        let driver = Driver {
            mind,
            handle: handle.clone(),
            links: HashMap::new(),
            numbers: HashMap::new(),
            tell,
        };
        Ok(Self {
            handle,
            home,
            told,
            driver: tokio::spawn(driver.run(events)),
        })
    }

    /// Waits until something has happened on a link; other things are passed over.
    pub(crate) async fn until(&mut self, wanted: Told) -> Result<()> {
        let waiting = async {
            loop {
                match self.told.recv().await {
                    Some(told) if told == wanted => return Ok(()),
                    Some(_) => {}
                    None => bail!("the driver has ended"),
                }
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .with_context(|| format!("never {wanted:?}"))?
    }

    /// Stops the host; its enclave.
    pub(crate) async fn stop(self) -> Result<Mind> {
        self.handle.stop().await;
        self.driver.await?
    }
}

/// Carries between a host and its enclave.
struct Driver {
    mind: Mind,
    handle: Handle,
    /// The network's number of each link, by the enclave's.
    links: HashMap<u64, u64>,
    /// The enclave's number of each link, by the network's.
    numbers: HashMap<u64, u64>,
    tell: mpsc::UnboundedSender<Told>,
}

impl Driver {
    /// Carries until the host has stopped.
    async fn run(mut self, mut events: mpsc::Receiver<Event>) -> Result<Mind> {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.on(event)?,
                    None => break,
                },
                _ = ticks.tick() => self.mind.enclave.tick(now()),
            }
            while let Some(deed) = self.mind.enclave.next_deed() {
                if let Deed::Host(frame) = deed {
                    self.obey(frame).await?;
                }
            }
        }
        let open: Vec<u64> = self.links.keys().copied().collect();
        for link in open {
            self.hear(ToEnclave::Closed { link })?;
        }
        while self.mind.enclave.next_deed().is_some() {}
        Ok(self.mind)
    }

    fn on(&mut self, event: Event) -> Result<()> {
        match event {
            Event::LinkOpen {
                link,
                peer,
                node,
                side,
            } => {
                self.mind.newest = self.mind.newest.saturating_add(1);
                let number = self.mind.newest;
                self.links.insert(number, link);
                self.numbers.insert(link, number);
                self.hear(ToEnclave::Open {
                    link: number,
                    peer,
                    node,
                    side,
                })
            }
            Event::Frame { link, bytes } => match self.numbers.get(&link) {
                Some(&link) => self.hear(ToEnclave::Frame { link, bytes }),
                None => Ok(()),
            },
            Event::Closed { link } => match self.numbers.remove(&link) {
                Some(link) => {
                    self.links.remove(&link);
                    // Who is told may have stopped listening.
                    let _ = self.tell.send(Told::Closed);
                    self.hear(ToEnclave::Closed { link })
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn hear(&mut self, frame: ToEnclave) -> Result<()> {
        let heard = self.mind.enclave.hear(frame, now());
        heard.ok().context("the enclave takes its host for a liar")
    }

    async fn obey(&mut self, frame: FromEnclave) -> Result<()> {
        match frame {
            FromEnclave::Frame { link, bytes } => {
                if let Some(&link) = self.links.get(&link) {
                    // A link that is gone is told of.
                    let _ = self.handle.frame(link, bytes);
                }
            }
            FromEnclave::Admitted { link, peer } => {
                if let Some(&link) = self.links.get(&link) {
                    self.handle.admitted(link, peer.node, peer.expires).await?;
                }
                let _ = self.tell.send(Told::Admitted);
            }
            FromEnclave::Refused { link, why } => {
                if let Some(&link) = self.links.get(&link) {
                    self.handle.refuse(link, why).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn network(made: UnixMillis) -> Result<Network> {
    let accepted = measurement(PROGRAM)?;
    let root = DevelopmentRoot::generate(made, &mut SeededEntropy::dangerous_new(ROOT));
    Ok(Network {
        trust_root: TrustRoot::Emulated(root.certificate().to_vec()),
        governance: vec![GovernanceKey([1; 32])],
        threshold: 1,
        reference_values: vec![ReferenceValue {
            release: 1,
            pcr0: *accepted.pcr0(),
            pcr1: *accepted.pcr1(),
            pcr2: *accepted.pcr2(),
            status: ReleaseStatus::Active,
        }],
        release_floor: 1,
        epoch: 2,
        bootstrap: vec![],
        relays: vec![],
    })
}
