//! The whole federation, as a scenario drives it.

use std::collections::BTreeMap;

use vettid_attestation::emulated::{DevelopmentRoot, measurement};
use vettid_crypto::{SeededEntropy, digest};
use vettid_runtime::simulated::Boot;
use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::id::{NodeId, SpaceId};
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};
use vettid_wire::operation::{credential, vault};
use vettid_wire::refusal::Refusal;
use vettid_wire::request::{FromVault, Operation, Outcome, Reply};
use vettid_wire::time::{MINUTE, SECOND};

use super::disk::VaultDisk;
use super::node::{AWAY, Node};
use super::owner::Owner;
use super::sky::{Conditions, End, Event, START, Sky};
use super::vaults::Space;
use crate::owner::{PASSWORD, PIN};
use crate::raw::{Present, Proven};

const PROGRAM: [u8; 48] = [7; 48];
const ROOT: u64 = 1;

/// Nodes, owners and what lies between them.
pub struct World {
    /// Time, chance and the network.
    pub sky: Sky,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The owners.
    pub owners: Vec<Owner>,
    seed: u64,
}

impl World {
    /// So many nodes that run, without owners.
    ///
    /// # Panics
    /// When one does not start.
    #[must_use]
    pub fn new(seed: u64, count: usize) -> Self {
        let network = network();
        let mut sky = Sky::new(seed);
        let nodes = (0..count).map(|index| {
            let byte = u8::try_from(index + 1).expect("few");
            let recipe = Boot {
                network: network.clone(),
                root: (ROOT, START),
                program: PROGRAM,
                node: NodeId([byte; 32]),
                host: vec![byte; 38],
                sealing_root: [byte; 32],
                seed: seed.wrapping_mul(1_000).wrapping_add(u64::from(byte)),
                now: START,
            };
            Node::new(index, recipe)
        });
        let mut nodes: Vec<Node> = nodes.collect();
        for node in &mut nodes {
            node.start(&mut sky);
        }
        Self {
            sky,
            nodes,
            owners: Vec::new(),
            seed,
        }
    }

    /// The same over a network that does so well.
    #[must_use]
    pub fn under(mut self, conditions: Conditions) -> Self {
        self.sky.conditions = conditions;
        self
    }

    /// Sets up a vault at a node; which owner it is of. It is open, and opens again with its node.
    ///
    /// # Panics
    /// When it cannot be set up.
    pub fn enroll(&mut self, node: usize) -> usize {
        let number = self.owners.len();
        let space = self.nodes[node].spaces.len();
        let mut id = [0; 16];
        id[0] = u8::try_from(number + 1).expect("few");
        let seed = self.seed ^ 0xabcd_0000 ^ number as u64;
        self.nodes[node].spaces.push(Space::new(SpaceId(id), seed));
        let mut owner = Owner::new(number as u64, node, space);
        self.nodes[node].create(space, &owner.token, &self.sky);
        self.nodes[node].spaces[space].caller = Some(owner.caller());
        let enroll = vault::Enroll {
            token: Secret::new(owner.token.to_vec()),
            device_name: "phone".into(),
            route: owner.caller().route,
            pin: Secret::from(PIN),
        };
        let bytes = owner.request(&enroll);
        self.owners.push(owner);
        let reply = self.ask_bytes(number, &bytes).expect("an answer");
        let staged: vault::Enrolled = read(reply).expect("staged");
        self.owners[number].vault = staged.vault;
        let mut present = Present {
            keys: staged.transaction_keys,
            credential: Vec::new(),
            password: PASSWORD.into(),
        };
        let proven: Proven = present
            .prove(&credential::Create {}, None)
            .expect("a one-time key");
        let bytes = cbor::encode(&proven.request);
        let reply = self.ask_bytes(number, &bytes).expect("an answer");
        proven.open::<credential::Created>(reply).expect("set up");
        self.nodes[node].spaces[space].is_awake = true;
        number
    }

    /// Lets time go on.
    pub fn run_for(&mut self, millis: u64) {
        let limit = self.sky.now.plus(millis);
        while let Some(event) = self.sky.next(limit) {
            self.happen(event);
        }
        self.sky.now = self.sky.now.max(limit);
    }

    /// Lets time go on until something is so, asked once in `pause`.
    ///
    /// # Panics
    /// When it is not so after `most`.
    pub fn run_until(
        &mut self,
        what: &str,
        (pause, most): (u64, u64),
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) {
        let limit = self.sky.now.plus(most);
        while !is_so(self) {
            assert!(self.sky.now < limit, "seed {}: {what}", self.seed);
            self.run_for(pause);
        }
    }

    /// An owner asks once. None if the vault is closed, or if its node died before the answer left.
    pub fn ask_bytes(&mut self, owner: usize, request: &[u8]) -> Option<Reply> {
        let (node, space) = (self.owners[owner].node, self.owners[owner].space);
        let caller = self.owners[owner].caller();
        let boot = self.nodes[node].boot;
        let at = &mut self.nodes[node];
        let (reply, after) = at.call(space, &caller, request, &mut self.sky)?;
        at.go_on(&mut self.sky);
        let limit = self.sky.now.plus(10 * SECOND);
        loop {
            let at = &self.nodes[node];
            if !at.is_up() || at.boot != boot {
                return None;
            }
            if at.spaces[space].disk.newest() >= after {
                break;
            }
            let event = self.sky.next(limit)?;
            self.happen(event);
        }
        let FromVault::Reply(reply) = cbor::decode(&reply).ok()? else {
            return None;
        };
        if reply.head.is_some() {
            self.nodes[node].spaces[space].seen = reply.head;
        }
        Some(reply)
    }

    /// An owner asks until there is an answer, whatever dies.
    ///
    /// # Errors
    /// When the vault refuses.
    ///
    /// # Panics
    /// When there is no answer within minutes.
    pub fn call<O: Operation>(&mut self, owner: usize, body: &O) -> Result<O::Reply, Refusal> {
        let request = self.owners[owner].request(body);
        for _ in 0..3_000 {
            if self.is_unlocked(owner)
                && let Some(reply) = self.ask_bytes(owner, &request)
            {
                return read(reply);
            }
            self.run_for(100);
        }
        panic!("seed {}: {} is never answered", self.seed, O::NAME);
    }

    /// Whether an owner's vault is open.
    #[must_use]
    pub fn is_unlocked(&self, owner: usize) -> bool {
        self.space(owner).is_unlocked()
    }

    /// An owner's place.
    #[must_use]
    pub fn space(&self, owner: usize) -> &Space {
        let owner = &self.owners[owner];
        &self.nodes[owner.node].spaces[owner.space]
    }

    /// How much waits in an owner's mailbox.
    #[must_use]
    pub fn mail_of(&self, owner: usize) -> usize {
        let at = &self.nodes[self.owners[owner].node];
        at.mailboxes.waiting(self.space(owner).id)
    }

    /// An owner's vault is closed and stays so.
    pub fn lock(&mut self, owner: usize) {
        let (node, space) = (self.owners[owner].node, self.owners[owner].space);
        self.nodes[node].spaces[space].is_awake = false;
        self.nodes[node].close(space, &mut self.sky);
    }

    /// It is opened again.
    pub fn unlock(&mut self, owner: usize) {
        let (node, space) = (self.owners[owner].node, self.owners[owner].space);
        self.nodes[node].spaces[space].is_awake = true;
        self.nodes[node].open(space, &mut self.sky);
        self.nodes[node].go_on(&mut self.sky);
    }

    /// A node dies, and starts again a moment later.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill(AWAY, &mut self.sky);
    }

    /// A node is away for so long.
    pub fn take_down(&mut self, node: usize, millis: u64) {
        self.nodes[node].kill(millis, &mut self.sky);
    }

    /// A node dies after so many steps.
    pub fn doom(&mut self, node: usize, steps: u32) {
        self.sky.doom = Some((node, steps));
    }

    /// A vault's node dies and starts again with what its host had of the vault before, which the
    /// owner's app may have forgotten too.
    pub fn roll_back(&mut self, owner: usize, disk: VaultDisk, forgets: bool) {
        let (node, space) = (self.owners[owner].node, self.owners[owner].space);
        self.nodes[node].kill(AWAY, &mut self.sky);
        let at = &mut self.nodes[node].spaces[space];
        at.disk = disk;
        at.disk.crash();
        if forgets {
            at.seen = None;
        }
    }

    /// Entries of everything that should come to an end, everywhere, by what they are.
    #[must_use]
    pub fn census(&self) -> BTreeMap<&'static str, usize> {
        let mut census = BTreeMap::from([
            ("events to come", self.sky.len()),
            ("wires", self.sky.wires()),
        ]);
        for (what, count) in self.nodes.iter().flat_map(Node::census) {
            *census.entry(what).or_default() += count;
        }
        census
    }

    /// Bytes of every vault's records and chunks at its host: what was said, and more each hour.
    #[must_use]
    pub fn stored(&self) -> usize {
        let spaces = self.nodes.iter().flat_map(|node| &node.spaces);
        spaces.map(|space| space.disk.size().1).sum()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Boot(node) => self.nodes[node].start(&mut self.sky),
            Event::Dialed(node, boot, to) if self.lives(node, boot) => self.dialed(node, to),
            Event::Durable(node, boot, space) if self.lives(node, boot) && !self.dies(node) => {
                self.nodes[node].flushed(space, &mut self.sky);
            }
            Event::Frame(wire, end, bytes) => {
                if let Some((node, boot, link)) = self.sky.arrives(wire, end)
                    && self.lives(node, boot)
                    && !self.dies(node)
                {
                    self.nodes[node].frame(link, bytes, &mut self.sky);
                }
            }
            Event::Gone(wire, end) => {
                if let Some((node, boot, link)) = self.sky.notice(wire, end)
                    && self.lives(node, boot)
                {
                    self.nodes[node].gone(link, &mut self.sky);
                }
            }
            Event::Renew(node, boot, link) if self.lives(node, boot) => {
                self.nodes[node].renew(link, &mut self.sky);
            }
            Event::Task(node, boot, task) if self.lives(node, boot) && !self.dies(node) => {
                self.nodes[node].done(task, &mut self.sky);
            }
            Event::Tick(node, boot) if self.lives(node, boot) => {
                self.nodes[node].tick(&mut self.sky);
            }
            Event::Wake(node, boot) if self.lives(node, boot) => {
                self.nodes[node].wake(&mut self.sky);
            }
            _ => {}
        }
    }

    fn lives(&self, node: usize, boot: u64) -> bool {
        self.nodes[node].is_up() && self.nodes[node].boot == boot
    }

    fn dies(&mut self, node: usize) -> bool {
        let dies = self.sky.is_last_step(node);
        if dies {
            self.nodes[node].kill(AWAY, &mut self.sky);
        }
        dies
    }

    fn dialed(&mut self, dialer: usize, to: NodeId) {
        self.nodes[dialer].dialed(to);
        let other = usize::from(to.0[0]) - 1;
        let from = self.nodes[dialer].id;
        let takes = self
            .nodes
            .get(other)
            .is_some_and(|node| node.id == to && node.lets_in(from, &self.sky));
        if !takes || !self.sky.reaches(dialer, other) {
            return;
        }
        let ends = [dialer, other].map(|node| {
            let at = &mut self.nodes[node];
            (node, at.boot, at.next_link())
        });
        let wire = self.sky.wire(ends[0], ends[1]);
        let peers = [from, to].map(|node| {
            let at = &self.nodes[usize::from(node.0[0]) - 1];
            (at.id, at.peer.clone())
        });
        let [dialer_peer, dialed_peer] = peers;
        let sky = &mut self.sky;
        self.nodes[other].opened((wire, End::Dialed), dialer_peer, sky);
        self.nodes[dialer].opened((wire, End::Dialer), dialed_peer, sky);
    }
}

/// What a vault said of a request.
fn read<R: cbor::Wire>(reply: Reply) -> Result<R, Refusal> {
    match reply.outcome {
        Outcome::Done(body) => Ok(body.expose(|body| cbor::decode(body)).expect("a reply")),
        Outcome::Refused(refusal) => Err(refusal),
        Outcome::Sealed(_) => panic!("a sealed reply to a plain request"),
    }
}

fn network() -> Network {
    let accepted = measurement(PROGRAM).expect("not debug");
    let root = DevelopmentRoot::generate(START, &mut SeededEntropy::dangerous_new(ROOT));
    Network {
        trust_root: TrustRoot::Emulated(root.certificate().to_vec()),
        governance: vec![GovernanceKey(digest::sha256(b"nobody"))],
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
    }
}

/// Patience of scenarios: how often to look, and how long.
pub const SOON: (u64, u64) = (SECOND, 20 * MINUTE);
