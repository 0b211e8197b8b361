//! How far the mailbox of an open vault is read, as a machine without a host.
//!
//! ```text
//!  Unclaimed ──▶ Reading ──▶ Applying ──▶ Reading … empty page ──▶ Done
//!                   ▲            │ something had no room in the process, or is on its way in:
//!                   ├── Waiting ◀┤   the rest is read at the next tick
//!                   └── Resting ◀┘ nothing of a page that was held could be taken: later
//! ```
//!
//! What a vault cannot take yet is *held*: it stays with the host and is passed by, since what it waits
//! for may be behind it. Once something behind it was taken, reading begins again with the first that is
//! held; while little is held at once, so that little overtakes it. All that is remembered is one
//! page and two numbers, however much the host says is there.

use std::collections::BTreeMap;

use vettid_wire::peer::Delivered;

/// Held items up to which reading begins again as soon as something behind them was taken; with more,
/// at the end of the mailbox.
const FEW: usize = 256;

/// Times that the end is seen with something still on its way into the mailbox, before what comes goes
/// to the vault all the same: somebody keeps it from ending.
const ENDS: u8 = 16;

/// First pause before what is held is tried again, and the longest, ticks.
const FIRST_PAUSE: u32 = 4;
const LONGEST_PAUSE: u32 = 256;

/// What became of one item of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// The vault has applied it.
    Applied,
    /// It is of no use any more, or the vault keeps it until it can be applied.
    Over,
    /// The vault may take it later.
    Held,
    /// It has not reached the vault.
    Unheard,
}

impl Fate {
    /// As a vault has answered.
    pub(super) const fn of(outcome: Delivered) -> Self {
        match outcome {
            Delivered::Applied => Self::Applied,
            Delivered::Refused(why) if why.is_temporary() => Self::Held,
            Delivered::Stored | Delivered::Refused(_) => Self::Over,
        }
    }

    /// Whether its host may forget it.
    const fn is_taken(self) -> bool {
        matches!(self, Self::Applied | Self::Over)
    }
}

/// Items that follow each other and are with their vault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Run {
    /// Number before the first.
    pub(super) behind: u64,
    /// Number of the last.
    pub(super) through: u64,
}

/// One page that a vault applies.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Page {
    /// Number and fate of each item, in order.
    items: Vec<(u64, Fate)>,
    /// What is still with the vault: places by ticket.
    out: BTreeMap<u64, usize>,
    /// Record that holds what was applied.
    after: u64,
}

impl Page {
    /// Adds an item: under a ticket, or one that is of no use any more.
    pub(super) fn add(&mut self, number: u64, ticket: Option<u64>) {
        let fate = match ticket {
            Some(ticket) => {
                self.out.insert(ticket, self.items.len());
                Fate::Unheard
            }
            None => Fate::Over,
        };
        self.items.push((number, fate));
    }

    fn conclude(&mut self, ticket: u64, after: u64, fate: Fate) {
        let place = self.out.remove(&ticket);
        if let Some(item) = place.and_then(|place| self.items.get_mut(place)) {
            item.1 = fate;
            self.after = self.after.max(after);
        }
    }

    /// What the host may forget of it, from number `behind` on.
    fn taken(&self, mut behind: u64) -> Vec<Run> {
        let mut runs = Vec::new();
        let alike = |one: &(u64, Fate), next: &(u64, Fate)| one.1.is_taken() == next.1.is_taken();
        for group in self.items.chunk_by(alike) {
            let Some(&(through, fate)) = group.last() else {
                continue;
            };
            if fate.is_taken() {
                runs.push(Run { behind, through });
            }
            behind = through;
        }
        runs
    }
}

/// One way through the mailbox, from the first that is held or the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Pass {
    /// Items up to here were looked at.
    behind: u64,
    /// Number before the first that is held.
    held: Option<u64>,
    /// How many are held.
    count: usize,
    /// Something behind it was applied.
    moved: bool,
    /// It rests nowhere: the first one, and any that follows upon something applied.
    is_eager: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Stage {
    /// No vault has claimed it.
    Unclaimed,
    /// A page was asked for.
    Reading,
    /// The vault applies a page.
    Applying(Page),
    /// The vault had no room, or something was on its way into the mailbox.
    Waiting,
    /// Nothing that is held can be taken now: ticks until it is tried again.
    Resting(u32),
    /// Nothing is left in it.
    Done,
}

/// How far the mailbox of a vault is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Drain {
    stage: Stage,
    pass: Pass,
    /// It was read to its end once: what comes goes to the vault.
    is_live: bool,
    /// Something was sent to the mailbox since the last page was asked for.
    missed: bool,
    /// Times that the end was seen and was none.
    ends: u8,
    /// The next pause, ticks.
    pause: u32,
}

/// What is to be done after a page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Finished {
    /// What the host may forget once record `after` is durable.
    pub(super) taken: Vec<Run>,
    /// That record.
    pub(super) after: u64,
    /// Whether the next page is to be asked for at once.
    pub(super) reads_on: bool,
}

impl Drain {
    /// The mailbox of nobody yet.
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Unclaimed,
            pass: Pass {
                behind: 0,
                held: None,
                count: 0,
                moved: false,
                is_eager: true,
            },
            is_live: false,
            missed: false,
            ends: 0,
            pause: FIRST_PAUSE,
        }
    }

    /// Whether what comes goes to the vault at once: all that is left in the mailbox it could not
    /// take yet.
    pub(super) const fn is_live(&self) -> bool {
        self.is_live
    }

    /// The next page is asked for; behind which number.
    pub(super) fn read(&mut self) -> u64 {
        self.stage = Stage::Reading;
        self.missed = false;
        self.pass.behind
    }

    /// Behind which number the page is that was asked for, if one was.
    pub(super) fn reading(&self) -> Option<u64> {
        (self.stage == Stage::Reading).then_some(self.pass.behind)
    }

    /// Something goes into the mailbox.
    pub(super) const fn put(&mut self) {
        self.missed = true;
    }

    /// The vault was given a page; what is to be done if nothing of it is out.
    pub(super) fn give(&mut self, page: Page) -> Option<Finished> {
        self.stage = Stage::Applying(page);
        self.finish()
    }

    /// An item of the page is concluded; what is to be done if it was the last.
    pub(super) fn conclude(&mut self, ticket: u64, after: u64, fate: Fate) -> Option<Finished> {
        if let Stage::Applying(page) = &mut self.stage {
            page.conclude(ticket, after, fate);
        }
        self.finish()
    }

    /// There was no next page. `under_way` is whether something is on its way into the mailbox.
    /// Whether a page is to be asked for at once.
    pub(super) fn ended(&mut self, under_way: bool) -> bool {
        let is_end = !under_way && !self.missed;
        self.ends = self.ends.saturating_add(1);
        self.is_live |= is_end || self.ends >= ENDS;
        match self.pass.held {
            Some(_) if self.is_live => {
                // A pass that is not eager has rested on its way.
                let at_once = self.pass.moved || !self.pass.is_eager;
                self.begin_again();
                if !at_once {
                    self.rest();
                }
                at_once
            }
            None if is_end => {
                self.stage = Stage::Done;
                false
            }
            _ => {
                self.stage = Stage::Waiting;
                !under_way
            }
        }
    }

    /// Something has arrived in the mailbox; whether a page is to be asked for.
    pub(super) fn stored(&self) -> bool {
        self.stage == Stage::Waiting
    }

    /// A quarter of a second has gone; whether a page is to be asked for.
    pub(super) fn tick(&mut self) -> bool {
        match &mut self.stage {
            Stage::Waiting => true,
            Stage::Resting(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            _ => false,
        }
    }

    /// The vault has applied something that was not in its mailbox: what is held may wait for that.
    pub(super) fn stirred(&mut self) {
        self.pause = FIRST_PAUSE;
        if let Stage::Resting(left) = &mut self.stage {
            *left = FIRST_PAUSE.min(*left);
        }
    }

    /// Goes on from a page of which nothing is out.
    fn finish(&mut self) -> Option<Finished> {
        let Stage::Applying(page) = &mut self.stage else {
            return None;
        };
        if !page.out.is_empty() {
            return None;
        }
        let page = std::mem::take(page);
        let taken = page.taken(self.pass.behind);
        let all_heard = self.pass.absorb(&page.items);
        if !taken.is_empty() {
            self.pause = FIRST_PAUSE;
        }
        let reads_on = if !all_heard {
            self.stage = Stage::Waiting;
            false
        } else if self.pass.moved && self.pass.count <= FEW {
            self.begin_again();
            true
        } else if !taken.is_empty() || self.pass.is_eager {
            true
        } else {
            self.rest();
            false
        };
        Some(Finished {
            taken,
            after: page.after,
            reads_on,
        })
    }

    /// The next pass begins with the first that is held.
    fn begin_again(&mut self) {
        self.pass = Pass {
            behind: self.pass.held.unwrap_or(self.pass.behind),
            is_eager: self.pass.moved,
            ..Pass::default()
        };
    }

    fn rest(&mut self) {
        self.stage = Stage::Resting(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

impl Pass {
    /// Goes on past a page, or to the first of it that the vault has not heard. Whether it has heard all.
    fn absorb(&mut self, items: &[(u64, Fate)]) -> bool {
        let mut unheard = None;
        for (number, fate) in items {
            let before = number.saturating_sub(1);
            match fate {
                Fate::Applied => self.moved |= self.held.is_some(),
                Fate::Held if unheard.is_none() => {
                    self.held = self.held.or(Some(before));
                    self.count = self.count.saturating_add(1);
                }
                Fate::Unheard => unheard = unheard.or(Some(before)),
                // What is held behind something unheard is seen again.
                Fate::Over | Fate::Held => {}
            }
        }
        let last = items.last().map(|(number, _)| *number);
        self.behind = unheard.or(last).unwrap_or(self.behind);
        unheard.is_none()
    }
}
