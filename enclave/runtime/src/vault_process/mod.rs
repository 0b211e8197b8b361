//! The life of a vault process after its confinement: one thread, one socket, one vault.
//!
//! ```text
//! Open ──▶ vault opened ──▶ Opened ──▶ envelopes: sessions ──▶ requests: vault ──▶ records, replies
//! ```
//!
//! Records are handed on without waiting; whatever depends on one says so and is released by the
//! host once it is durable. A record that is not stored makes all that followed void: the sessions
//! are told that they are gone and the process ends. The kernel wipes its memory.

mod deliveries;
mod lane_end;
mod outbox;
mod read_ahead;
mod resident;
mod sessions;

use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use vettid_wire::time::UnixMillis;

use crate::lane::{Opening, Up};
use crate::memory;
use crate::platform::KernelEntropy;
use crate::vault_exit::VaultExit;
use lane_end::{Arrival, LaneEnd};
use outbox::Outbox;
pub use resident::{Answer, Broker, Caller, Home, Received, Resident};
use sessions::{Heard, Route, Sessions};

/// How often a quiet vault looks at the time.
const TICK: Duration = Duration::from_secs(30);

/// Lives as a vault process; its exit code says why it ended.
#[must_use]
pub fn live<V: Resident>(template: V::Template, socket: OwnedFd) -> u8 {
    // Nobody could read what a panic has to say, and it might say too much.
    std::panic::set_hook(Box::new(|_| {}));
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut lane = LaneEnd::new(socket);
        match Process::<V>::open(template, &mut lane) {
            Ok(mut process) => {
                let exit = process.run(&mut lane);
                process.say_goodbye(&mut lane, exit);
                exit
            }
            Err(exit) => exit,
        }
    }));
    lived.unwrap_or(VaultExit::Panicked).code()
}

struct Process<V> {
    vault: V,
    challenge: [u8; 32],
    outbox: Outbox,
    wall: UnixMillis,
    started: Instant,
    told_sessions: u32,
    busy: bool,
}

impl<V: Resident> Process<V> {
    fn open(template: V::Template, lane: &mut LaneEnd) -> Result<Self, VaultExit> {
        let Opening {
            space,
            entry,
            keys,
            now,
            head,
            network,
            epoch,
            challenge,
        } = lane.opening()?;
        let (wall, started) = (UnixMillis(now), Instant::now());
        let home = Home {
            space,
            entry,
            keys: keys.header_keys().ok_or(VaultExit::NoFrame)?,
            now: wall,
            head,
        };
        let vault = V::open(template, home, &mut Broker::opening(lane))?;
        let sessions = Sessions::new(space, network, epoch, &mut KernelEntropy);
        lane.send(&Up::Opened)?;
        Ok(Self {
            vault,
            challenge,
            outbox: Outbox::new(sessions, wall),
            wall,
            started,
            told_sessions: 0,
            busy: true,
        })
    }

    /// Serves until something ends it; says what.
    fn run(&mut self, lane: &mut LaneEnd) -> VaultExit {
        loop {
            if let Err(exit) = self.turn(lane) {
                return exit;
            }
        }
    }

    fn turn(&mut self, lane: &mut LaneEnd) -> Result<(), VaultExit> {
        while let Some(arrival) = lane.next_arrival() {
            self.busy = true;
            match arrival {
                Arrival::Envelope(envelope) => self.take(lane, &envelope)?,
                Arrival::Evidence(ticket, answer) => {
                    let now = self.now();
                    let opened = self.outbox.sessions.supply(now, ticket, answer);
                    send_all(lane, opened)?;
                }
                Arrival::Epoch(epoch) => send_all(lane, self.outbox.sessions.adopt(epoch))?,
                other => self.take_delivery(lane, other)?,
            }
        }
        self.outbox.send(lane)?;
        if lane.is_told_to_close() {
            return Err(VaultExit::Told);
        }
        self.tell_sessions(lane)?;
        let heard = if self.busy {
            lane.wait()?
        } else {
            lane.wait_for(TICK)?
        };
        if !heard {
            self.rest(lane)?;
        }
        Ok(())
    }

    /// Nothing has come for a while.
    fn rest(&mut self, lane: &mut LaneEnd) -> Result<(), VaultExit> {
        let now = self.now();
        self.outbox.now = now;
        self.outbox.sessions.expire(now);
        let mut broker = Broker::serving(lane, &mut self.outbox);
        let answer = self.vault.tick(now, &mut broker)?;
        self.act(lane, None, answer)?;
        self.outbox.send(lane)?;
        if self.busy {
            self.busy = false;
            lane.release();
            memory::trim();
        }
        Ok(())
    }

    fn take(&mut self, lane: &mut LaneEnd, envelope: &[u8]) -> Result<(), VaultExit> {
        let now = self.now();
        self.outbox.now = now;
        let sessions = &mut self.outbox.sessions;
        match sessions.receive(now, envelope, &mut KernelEntropy) {
            Heard::Nothing => Ok(()),
            Heard::Reply(envelope) => send_all(lane, Some(envelope)),
            Heard::Ask(question) => {
                let device = vettid_crypto::sign::VerifyingKey(question.peer);
                if self.vault.admits(&device) {
                    lane.send(&Up::Attest(question))
                } else {
                    send_all(lane, sessions.supply(now, question.ticket, None))
                }
            }
            Heard::Messages(route, device, requests) => {
                let caller = Caller {
                    device,
                    route: route.0,
                    session: route.1,
                };
                for request in requests {
                    let now = self.now();
                    let mut broker = Broker::serving(lane, &mut self.outbox);
                    let answer = self.vault.call(caller, &request, now, &mut broker)?;
                    self.act(lane, Some(route), answer)?;
                }
                Ok(())
            }
        }
    }

    /// Sends what a request led to: replies and events with the next ones, ends at once.
    fn act(
        &mut self,
        lane: &mut LaneEnd,
        route: Option<Route>,
        answer: Answer,
    ) -> Result<(), VaultExit> {
        self.send_out(lane, &answer)?;
        let Answer {
            reply,
            after,
            events,
            ended,
            exit,
            ..
        } = answer;
        if let (Some(route), Some(reply)) = (route, reply) {
            self.outbox.add(route, after, reply);
        }
        for (to, event) in events {
            let routes: Vec<Route> = self
                .outbox
                .sessions
                .open()
                .filter(|(_, device)| to.is_none_or(|to| to == *device))
                .map(|(route, _)| route)
                .collect();
            for route in routes {
                self.outbox.add(route, after, event.clone());
            }
        }
        if ended.is_empty() && exit.is_none() {
            return self.outbox.send_if_full(lane);
        }
        self.outbox.send(lane)?;
        let goodbyes = self.outbox.sessions.end(|_, device| ended.contains(device));
        send_all(lane, goodbyes)?;
        exit.map_or(Ok(()), Err)
    }

    fn tell_sessions(&mut self, lane: &mut LaneEnd) -> Result<(), VaultExit> {
        let count = self.outbox.sessions.count();
        if count != self.told_sessions {
            self.told_sessions = count;
            lane.send(&Up::Sessions(count))?;
        }
        Ok(())
    }

    /// What the end is told to whom: devices that wait for what will never come learn that their
    /// sessions are gone; what is on its way becomes durable first where that is still possible.
    fn say_goodbye(&mut self, lane: &mut LaneEnd, exit: VaultExit) {
        let is_void = match exit {
            VaultExit::AppendRefused | VaultExit::Damaged => true,
            VaultExit::EnrollmentExpired | VaultExit::Locked | VaultExit::Told => false,
            VaultExit::NoFrame | VaultExit::Panicked => return,
        };
        let mut gone = self.outbox.sessions.give_up();
        if is_void {
            gone.extend(self.outbox.sessions.end(|_, _| true));
        }
        let _ = send_all(lane, gone);
        let _ = lane.flush();
        if !is_void {
            let _ = lane.settle();
        }
    }

    /// Time of day at the start and what has passed since: never goes back.
    fn now(&self) -> UnixMillis {
        self.wall
            .plus(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn send_all(
    lane: &mut LaneEnd,
    envelopes: impl IntoIterator<Item = Vec<u8>>,
) -> Result<(), VaultExit> {
    for envelope in envelopes {
        lane.send(&Up::Frame {
            after: 0,
            envelope: &envelope,
        })?;
    }
    Ok(())
}
