//! Time, chance and the network: what happens when, and who can reach whom.

use std::collections::{BTreeMap, BTreeSet};

use vettid_crypto::{Entropy, SeededEntropy};
use vettid_wire::home::HomeNode;
use vettid_wire::id::{DeliveryId, LaneId, MailboxId, NodeId, SpaceId};
use vettid_wire::time::{SECOND, UnixMillis};

use super::mailbox::Post;

/// When every run begins.
pub const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// A wire that carries nothing any more is noticed after this, ms.
const SILENCE: u64 = 20 * SECOND;

/// Time between two ticks of a vault, as its process has it, ms.
const VAULT_TICK: u64 = 30 * SECOND;

/// How well the network does.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Least and longest time that a frame takes, ms.
    pub delay: (u64, u64),
    /// Of a thousand frames, how many break their wire.
    pub breaks: u64,
    /// Of a thousand offers of its spool, mails and answers, how many a host loses, repeats or alters.
    pub lies: u64,
}

impl Conditions {
    /// Everything arrives soon.
    pub const FAIR: Self = Self {
        delay: (1, 20),
        breaks: 0,
        lies: 0,
    };
    /// Long delays and wires that break.
    pub const WILD: Self = Self {
        delay: (5, 3_000),
        breaks: 30,
        lies: 0,
    };
    /// Hosts that lose, repeat and alter what they keep.
    pub const LYING: Self = Self {
        delay: (1, 200),
        breaks: 5,
        lies: 100,
    };
}

/// Something that will happen. Of a node it happens in one boot only.
#[derive(Clone, Debug)]
pub enum Event {
    /// A node's host and enclave start.
    Boot(usize),
    /// A connection to another node is up, or not.
    Dialed(usize, u64, NodeId),
    /// Records of a vault become durable.
    Durable(usize, u64, usize),
    /// A frame arrives at this end of a wire.
    Frame(u64, End, Vec<u8>),
    /// This end of a wire notices that it is gone.
    Gone(u64, End),
    /// The admission over a link of a node grows old: whoever dialed dials anew.
    Renew(usize, u64, u64),
    /// A host has done something.
    Task(usize, u64, Task),
    /// Deadlines of a node.
    Tick(usize, u64),
    /// Something of the spool may be due.
    Wake(usize, u64),
}

/// Something that a host does in a moment.
#[derive(Clone, Debug)]
pub enum Task {
    /// Looks a home up.
    Find(u64, [u8; 32]),
    /// Reads a page of a mailbox.
    Page(u64, SpaceId, u64),
    /// Stores something in one.
    Put(u64, MailboxId, Post),
}

/// A delivery that its host keeps as soon as its record is durable.
#[derive(Clone, Debug)]
pub struct Spooling {
    /// Which vault of the node.
    pub space: SpaceId,
    /// The record.
    pub after: u64,
    /// Lane and id.
    pub place: (LaneId, DeliveryId),
    /// Not kept longer.
    pub expires: UnixMillis,
    /// Sealed.
    pub bytes: Vec<u8>,
}

/// One end of a wire: who dialed, or who was dialed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Who has dialed.
    Dialer,
    /// Who was dialed.
    Dialed,
}

impl End {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Dialed,
            Self::Dialed => Self::Dialer,
        }
    }
}

/// A stream between two hosts: ordered, reliable until it breaks.
#[derive(Debug)]
pub struct Wire {
    /// Node and its boot at either end, and the number of the link there.
    pub ends: [(usize, u64, u64); 2],
    /// When the newest frame to either end arrives.
    arrivals: [UnixMillis; 2],
    /// Nothing more is taken.
    is_down: bool,
    /// What is on its way is lost.
    is_broken: bool,
    /// Which end knows that it is down.
    knows: [bool; 2],
}

/// A home record as its location holds it: publisher, sealed record, expiry.
pub type Published = (usize, Vec<u8>, UnixMillis);

/// Time, chance and the network.
#[derive(Debug)]
pub struct Sky {
    /// The true time.
    pub now: UnixMillis,
    /// How well things go.
    pub conditions: Conditions,
    /// Home records by location.
    pub homes: BTreeMap<[u8; 32], Vec<Published>>,
    /// A node dies when it has done so many more steps.
    pub doom: Option<(usize, u32)>,
    /// Frames that were carried.
    pub carried: u64,
    /// Time between two ticks of a vault, ms.
    pub vault_tick: u64,
    queue: BTreeMap<(UnixMillis, u64), Event>,
    events: u64,
    wires: BTreeMap<u64, Wire>,
    newest_wire: u64,
    cuts: BTreeSet<(usize, usize)>,
    dice: SeededEntropy,
}

impl Sky {
    /// Nothing has happened.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: START,
            conditions: Conditions::FAIR,
            homes: BTreeMap::new(),
            doom: None,
            carried: 0,
            vault_tick: VAULT_TICK,
            queue: BTreeMap::new(),
            events: 0,
            wires: BTreeMap::new(),
            newest_wire: 0,
            cuts: BTreeSet::new(),
            dice: SeededEntropy::dangerous_new(seed),
        }
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        u64::from_be_bytes(self.dice.bytes()) % sides.max(1)
    }

    /// Whether something happens that does so many times in a thousand.
    pub fn happens(&mut self, of_a_thousand: u64) -> bool {
        of_a_thousand > 0 && self.roll(1_000) < of_a_thousand
    }

    /// Whether a step of a node is its last.
    pub fn is_last_step(&mut self, node: usize) -> bool {
        match &mut self.doom {
            Some((doomed, left)) if *doomed == node => {
                *left = left.saturating_sub(1);
                let dies = *left == 0;
                if dies {
                    self.doom = None;
                }
                dies
            }
            _ => false,
        }
    }

    /// Something will happen after so many milliseconds.
    pub fn after(&mut self, millis: u64, event: Event) {
        self.events += 1;
        self.queue
            .insert((self.now.plus(millis), self.events), event);
    }

    /// The next thing to happen, if it does by `limit`; time goes on to it, or to the limit.
    pub fn next(&mut self, limit: UnixMillis) -> Option<Event> {
        let (at, _) = *self.queue.first_key_value()?.0;
        if at > limit {
            self.now = limit;
            return None;
        }
        self.now = at;
        self.queue.pop_first().map(|(_, event)| event)
    }

    /// Things that will happen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing will happen any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Wires that are up.
    #[must_use]
    pub fn wires(&self) -> usize {
        self.wires.len()
    }

    /// A time that something takes on the network, ms.
    pub fn delay(&mut self) -> u64 {
        let (least, longest) = self.conditions.delay;
        least + self.roll(longest - least + 1)
    }

    /// Whether two nodes can reach each other.
    #[must_use]
    pub fn reaches(&self, one: usize, other: usize) -> bool {
        !self.cuts.contains(&(one.min(other), one.max(other)))
    }

    /// Two nodes cannot reach each other any more.
    pub fn cut(&mut self, one: usize, other: usize) {
        self.cuts.insert((one.min(other), one.max(other)));
        let pair = [one, other];
        let between = |wire: &Wire| wire.ends.iter().all(|(node, _, _)| pair.contains(node));
        for wire in self.wires_that(between) {
            self.hang_up(wire, SILENCE);
        }
    }

    /// They can again.
    pub fn mend(&mut self, one: usize, other: usize) {
        self.cuts.remove(&(one.min(other), one.max(other)));
    }

    /// Puts a stream between two hosts.
    pub fn wire(&mut self, dialer: (usize, u64, u64), dialed: (usize, u64, u64)) -> u64 {
        self.newest_wire += 1;
        let wire = Wire {
            ends: [dialer, dialed],
            arrivals: [self.now; 2],
            is_down: false,
            is_broken: false,
            knows: [false; 2],
        };
        self.wires.insert(self.newest_wire, wire);
        self.newest_wire
    }

    /// Carries a frame to an end of a wire, behind those before it.
    pub fn carry(&mut self, number: u64, to: End, bytes: Vec<u8>) {
        let delay = self.delay();
        if self.happens(self.conditions.breaks) {
            self.hang_up(number, delay);
            return;
        }
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&number).filter(|wire| !wire.is_down) else {
            return;
        };
        let arrival = &mut wire.arrivals[to as usize];
        *arrival = now.plus(delay).max(*arrival);
        let millis = arrival.since(now);
        self.carried += 1;
        self.after(millis, Event::Frame(number, to, bytes));
    }

    /// A wire breaks; its ends notice later, each for itself. What is on its way is lost.
    pub fn hang_up(&mut self, number: u64, notice: u64) {
        let Some(wire) = self.wires.get_mut(&number).filter(|wire| !wire.is_broken) else {
            return;
        };
        (wire.is_down, wire.is_broken) = (true, true);
        for end in [End::Dialer, End::Dialed] {
            let delay = self.delay();
            self.after(notice + delay, Event::Gone(number, end));
        }
    }

    /// One end closes a wire: the other one still gets what was sent.
    pub fn close(&mut self, number: u64, by: End) {
        let (delay, now) = (self.delay(), self.now);
        let Some(wire) = self.wires.get_mut(&number).filter(|wire| !wire.is_broken) else {
            return;
        };
        wire.is_down = true;
        let last = wire.arrivals[by.other() as usize].max(now.plus(delay));
        self.after(0, Event::Gone(number, by));
        self.after(last.since(now) + 1, Event::Gone(number, by.other()));
    }

    /// An end of a wire learns that it is down, if it did not know.
    pub fn notice(&mut self, number: u64, end: End) -> Option<(usize, u64, u64)> {
        let wire = self.wires.get_mut(&number)?;
        let known = std::mem::replace(&mut wire.knows[end as usize], true);
        let at = wire.ends[end as usize];
        if wire.knows == [true; 2] {
            self.wires.remove(&number);
        }
        (!known).then_some(at)
    }

    /// Where a frame arrives, if it does.
    #[must_use]
    pub fn arrives(&self, number: u64, at: End) -> Option<(usize, u64, u64)> {
        let wire = self.wires.get(&number)?;
        let lost = wire.is_broken || wire.knows[at as usize];
        (!lost).then_some(wire.ends[at as usize])
    }

    /// All wires of a node break.
    pub fn hang_up_all(&mut self, node: usize) {
        for wire in self.wires_that(|wire| wire.ends.iter().any(|end| end.0 == node)) {
            self.hang_up(wire, 1);
        }
    }

    fn wires_that(&self, are: impl Fn(&Wire) -> bool) -> Vec<u64> {
        let wires = self.wires.iter().filter(|(_, wire)| are(wire));
        wires.map(|(number, _)| *number).collect()
    }
}

/// Where a node is, as its vaults are told.
#[must_use]
pub fn home_node(node: NodeId, peer: &[u8]) -> HomeNode {
    HomeNode {
        node,
        peers: vec![peer.to_vec().into()],
        addresses: vec![format!("/ip4/192.0.2.{}/tcp/4001", node.0[0])],
    }
}
