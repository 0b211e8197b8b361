//! Ten nodes in memory for thirty hours, with churn: nothing piles up.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::collections::BTreeMap;

use vettid_runtime::memory;
use vettid_tests::simulation::{Conditions, Seed, World};
use vettid_wire::id::ConnectionId;
use vettid_wire::time::{HOUR, MINUTE};

const NODES: usize = 10;

/// Hours in all, unless told otherwise.
const HOURS: u64 = 30;

/// Set to a number of hours for a longer run.
const LONGER: &str = "VETTID_SOAK_HOURS";

/// Hours until all that is ever remembered is.
const WARM_UP: u64 = 6;

/// Memory that may be used more at the end than after the warm-up: one part in so many of that then.
const GROWTH: usize = 4;

/// Bytes for each message that was said in between: two vaults keep it in memory, and this test does.
const KEPT: usize = 4096;

struct Soak {
    world: World,
    connections: Vec<(usize, usize, ConnectionId)>,
    /// What was said, by connection and speaker.
    said: BTreeMap<(ConnectionId, usize), Vec<String>>,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed, NODES);
        for node in 0..NODES {
            world.enroll(node);
        }
        let mut connections = Vec::new();
        for one in 0..NODES {
            let other = (one + 1 + one % 3) % NODES;
            let id = world.connect(one, other);
            connections.push((one, other, id));
        }
        world.sky.vault_tick = 5 * MINUTE;
        Self {
            world,
            connections,
            said: BTreeMap::new(),
        }
    }

    fn roll(&mut self, sides: usize) -> usize {
        usize::try_from(self.world.sky.roll(sides as u64)).expect("small")
    }

    /// An hour in which nodes die, vaults close, networks part and owners talk.
    fn hour(&mut self) {
        self.world.sky.conditions = Conditions {
            breaks: 2,
            ..Conditions::WILD
        };
        let mut cuts = Vec::new();
        for minute in 0..10 {
            match self.roll(4) {
                0 => {
                    let (node, away) = (self.roll(NODES), self.roll(10) as u64 * MINUTE);
                    self.world.take_down(node, away + 1_000);
                }
                1 => {
                    let owner = self.roll(NODES);
                    if self.world.is_unlocked(owner) {
                        self.world.lock(owner);
                    }
                }
                2 => {
                    let (one, other) = (self.roll(NODES), self.roll(NODES));
                    if one != other {
                        self.world.sky.cut(one, other);
                        cuts.push((one, other));
                    }
                }
                _ => {
                    for owner in 0..NODES {
                        if !self.world.is_unlocked(owner) {
                            self.world.unlock(owner);
                        }
                    }
                }
            }
            let at = self.roll(self.connections.len());
            let (one, other, id) = self.connections[at];
            let speaker = if self.roll(2) == 0 { one } else { other };
            if self.world.is_unlocked(speaker) {
                let said = self.said.entry((id, speaker)).or_default();
                let text = format!("{minute} {}", said.len());
                said.push(text.clone());
                self.world.say(speaker, id, &text);
            }
            self.world.run_for(6 * MINUTE);
        }
        for (one, other) in cuts {
            self.world.sky.mend(one, other);
        }
    }

    fn messages(&self) -> usize {
        self.said.values().map(Vec::len).sum()
    }

    /// Everything is well for a while: what was said arrives. Entries that are left, and bytes that are in
    /// use, without what is on the vaults' disks.
    fn calm(&mut self) -> (BTreeMap<&'static str, usize>, usize) {
        self.world.sky.conditions = Conditions::FAIR;
        for owner in 0..NODES {
            self.world
                .run_until("nodes are up", (MINUTE, HOUR), |world| {
                    world.nodes[world.owners[owner].node].is_up()
                });
            if !self.world.is_unlocked(owner) {
                self.world.unlock(owner);
            }
        }
        self.world.run_for(90 * MINUTE);
        for (one, other, id) in self.connections.clone() {
            for (speaker, hearer) in [(one, other), (other, one)] {
                let said = self.said.get(&(id, speaker)).cloned().unwrap_or_default();
                assert_eq!(
                    self.world.heard_from(hearer, id),
                    said,
                    "{speaker} to {hearer}"
                );
                let waiting = self.world.connection(speaker, id).expect("known").waiting;
                assert_eq!(waiting, 0);
            }
        }
        let memory = memory::heap_in_use() - self.world.stored();
        (self.world.census(), memory)
    }
}

#[test]
fn ten_nodes_with_churn_for_thirty_hours_keep_their_memory_flat_and_every_message() {
    let _seed = Seed(1);
    let hours = std::env::var(LONGER).map_or(HOURS, |hours| hours.parse().expect("hours"));
    let mut soak = Soak::new(1);
    for _ in 0..WARM_UP {
        soak.hour();
    }
    let (entries, memory) = soak.calm();
    let said = soak.messages();

    for _ in WARM_UP..hours {
        soak.hour();
    }
    let (entries_later, memory_later) = soak.calm();

    println!("{entries:?}, {memory} bytes; then {entries_later:?}, {memory_later} bytes");
    for (what, count) in &entries_later {
        let before = entries.get(what).copied().unwrap_or_default();
        assert!(
            *count <= before + before / 4 + 10,
            "{what}: {before}, then {count}"
        );
    }
    let kept = KEPT * (soak.messages() - said);
    let allowed = memory + memory / GROWTH + kept;
    assert!(memory > 0, "the allocator counts");
    assert!(
        memory_later <= allowed,
        "{memory} bytes, then {memory_later} where {allowed} are allowed"
    );
}
