//! One node: an enclave, and a host that keeps and carries what it is told to, or does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vettid_node::simulated::SimulatedSpool;
use vettid_runtime::log_line::LogEvent;
use vettid_runtime::simulated::{Boot, Deed, SimulatedEnclave};
use vettid_vault::Place;
use vettid_wire::id::{NodeId, SpaceId};
use vettid_wire::link::federation::{NotAdmitted, ToEnclave};
use vettid_wire::time::{HOUR, SECOND, UnixMillis};

use super::mailbox::Mailboxes;
use super::sky::{End, Event, START, Sky, Spooling, home_node};
use super::vaults::Space;

/// Time between two ticks of an enclave that has something to do, and of one that has not, ms.
const TICK: u64 = 250;
const IDLE_TICK: u64 = 10 * SECOND;

/// An enclave that has heard nothing for so long has nothing to do, ms.
const IDLE: u64 = 5 * SECOND;

/// How long a host is away that was killed, ms.
pub const AWAY: u64 = 3 * SECOND;

/// One node.
pub struct Node {
    /// Its place in the world.
    pub index: usize,
    /// Identity of its enclave.
    pub id: NodeId,
    /// PeerId of its host.
    pub peer: Vec<u8>,
    /// Its clock less the true time, ms.
    pub skew: i64,
    /// How often it was started.
    pub boot: u64,
    /// The host's spool.
    pub spool: SimulatedSpool,
    /// The host's mailboxes.
    pub mailboxes: Mailboxes,
    /// The vaults that are at home here.
    pub spaces: Vec<Space>,
    /// What its operator was told.
    pub log: Vec<LogEvent>,
    /// Who was not admitted, and why; a replaced session aside.
    pub refused: Vec<(NodeId, NotAdmitted)>,
    pub(super) enclave: Option<SimulatedEnclave>,
    pub(super) recipe: Boot,
    pub(super) links: BTreeMap<u64, (u64, End, NodeId)>,
    pub(super) newest_link: u64,
    /// Nodes with a session, and over which link.
    pub(super) admitted: BTreeMap<NodeId, u64>,
    pub(super) dialing: BTreeSet<NodeId>,
    /// Nodes that are kept out: how often in a row, and until when.
    pub(super) kept_out: BTreeMap<NodeId, (u32, UnixMillis)>,
    /// Deliveries whose record is not durable.
    pub(super) spooling: VecDeque<Spooling>,
    /// Mails that a vault has taken and whose record is not durable: space, record, behind, through.
    pub(super) dropping: VecDeque<(SpaceId, u64, u64, u64)>,
    /// When the last of the host's tasks is done.
    pub(super) busy_until: UnixMillis,
    woken_at: Option<UnixMillis>,
    heard_at: UnixMillis,
    swept: UnixMillis,
}

impl Node {
    /// A node that is not started.
    #[must_use]
    pub fn new(index: usize, recipe: Boot) -> Self {
        Self {
            index,
            id: recipe.node,
            peer: recipe.host.clone(),
            skew: 0,
            boot: 0,
            spool: SimulatedSpool::new(recipe.seed, START),
            mailboxes: Mailboxes::default(),
            spaces: Vec::new(),
            log: Vec::new(),
            refused: Vec::new(),
            enclave: None,
            recipe,
            links: BTreeMap::new(),
            newest_link: 0,
            admitted: BTreeMap::new(),
            dialing: BTreeSet::new(),
            kept_out: BTreeMap::new(),
            spooling: VecDeque::new(),
            dropping: VecDeque::new(),
            busy_until: START,
            woken_at: None,
            heard_at: START,
            swept: START,
        }
    }

    /// Time of day, as it has it.
    #[must_use]
    pub fn clock(&self, sky: &Sky) -> UnixMillis {
        UnixMillis(sky.now.0.saturating_add_signed(self.skew))
    }

    /// Whether it runs.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.enclave.is_some()
    }

    /// Where it is, for its vaults.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            network: self.recipe.network.id(),
            node: self.id,
            peers: vec![self.peer.clone()],
            addresses: home_node(self.id, &self.peer).addresses,
        }
    }

    /// Host and enclave start; vaults whose owner is awake are unlocked.
    ///
    /// # Panics
    /// When the enclave does not boot.
    pub fn start(&mut self, sky: &mut Sky) {
        if self.is_up() {
            return;
        }
        self.boot += 1;
        let now = self.clock(sky);
        let recipe = Boot {
            seed: self.recipe.seed ^ (self.boot << 32),
            now,
            ..self.recipe.clone()
        };
        self.enclave = SimulatedEnclave::boot(&recipe);
        assert!(self.is_up(), "the enclave boots");
        self.spool.restart(recipe.seed);
        self.spool.link_up();
        self.busy_until = sky.now;
        (self.heard_at, self.swept, self.woken_at) = (sky.now, sky.now, None);
        sky.after(TICK, Event::Tick(self.index, self.boot));
        for space in 0..self.spaces.len() {
            if self.spaces[space].is_awake {
                self.open(space, sky);
            }
        }
        self.go_on(sky);
    }

    /// Everything that is not durable is lost; it starts again after `away`.
    pub fn kill(&mut self, away: u64, sky: &mut Sky) {
        if !self.is_up() {
            return;
        }
        self.enclave = None;
        for space in &mut self.spaces {
            space.crash();
        }
        self.links.clear();
        self.newest_link = 0;
        self.admitted.clear();
        self.dialing.clear();
        self.kept_out.clear();
        self.spooling.clear();
        self.dropping.clear();
        sky.hang_up_all(self.index);
        sky.after(away, Event::Boot(self.index));
    }

    /// What is to be done at this node, until nothing is. It may die in between.
    pub fn go_on(&mut self, sky: &mut Sky) {
        loop {
            let Some(enclave) = &mut self.enclave else {
                return;
            };
            if let Some(deed) = enclave.next_deed() {
                if sky.is_last_step(self.index) {
                    return self.kill(AWAY, sky);
                }
                self.act(deed, sky);
            } else if let Some((lane, delivery, bytes)) = self.spool.next_due(sky.now) {
                self.offer((lane, delivery), bytes, sky);
            } else {
                break;
            }
        }
        let Some(at) = self.spool.next_tick() else {
            return;
        };
        if self
            .woken_at
            .is_none_or(|woken| woken > at || woken < sky.now)
        {
            self.woken_at = Some(at.max(sky.now.plus(1)));
            sky.after(at.since(sky.now).max(1), Event::Wake(self.index, self.boot));
        }
    }

    /// The spool may have something.
    pub fn wake(&mut self, sky: &mut Sky) {
        self.woken_at = None;
        self.go_on(sky);
    }

    /// Tells the enclave something.
    ///
    /// # Panics
    /// When it takes an honest host for a dishonest one.
    pub fn tell(&mut self, frame: ToEnclave, sky: &mut Sky) {
        let now = self.clock(sky);
        self.heard_at = sky.now;
        if let Some(enclave) = &mut self.enclave {
            let heard = enclave.hear(frame.clone(), now);
            assert!(heard.is_ok(), "an honest host said {frame:?}");
        }
    }

    /// Deadlines.
    pub fn tick(&mut self, sky: &mut Sky) {
        let now = self.clock(sky);
        let Some(enclave) = &mut self.enclave else {
            return;
        };
        enclave.tick(now);
        let idle = enclave.under_way() == 0 && sky.now.since(self.heard_at) > IDLE;
        self.tick_vaults(sky);
        if sky.now.since(self.swept) >= HOUR {
            self.mailboxes.sweep(now);
            self.spool.sweep(now);
            self.swept = sky.now;
        }
        let pause = if idle { IDLE_TICK } else { TICK };
        sky.after(pause, Event::Tick(self.index, self.boot));
        self.go_on(sky);
    }

    /// Entries of everything that should come to an end.
    #[must_use]
    pub fn census(&self) -> [(&'static str, usize); 7] {
        let enclave = self.enclave.as_ref().map_or(0, SimulatedEnclave::under_way);
        [
            ("under way in enclaves", enclave),
            ("deliveries in spools", self.spool.len()),
            ("lanes", self.spool.lanes()),
            ("mails", self.mailboxes.len()),
            (
                "waiting for records",
                self.spooling.len() + self.dropping.len(),
            ),
            ("links", self.links.len() + self.dialing.len()),
            ("nodes kept out", self.kept_out.len()),
        ]
    }

    fn act(&mut self, deed: Deed, sky: &mut Sky) {
        match deed {
            Deed::Host(frame) => self.hear(frame, sky),
            Deed::Log(event) => self.log.push(event),
            Deed::Receive {
                slot,
                ticket,
                delivery,
                body,
            } => self.receive(slot.into(), ticket, (delivery, &body), sky),
            Deed::Settled {
                slot,
                ticket,
                delivery,
                outcome,
            } => self.settled(slot.into(), ticket, (delivery, outcome), sky),
        }
    }
}
