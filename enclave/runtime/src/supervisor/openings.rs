//! How vaults are opened and closed, and what happens when their processes end.

use std::process;
use std::time::Duration;

use vettid_crypto::{Entropy, Label, SealingKey, derive};
use vettid_wire::id::SpaceId;
use vettid_wire::link::{Closed, Entry, FromEnclave};

use super::vault::{Phase, Vault};
use super::{Ended, Supervisor, lane_event};
use crate::lane::{Down, KeyAt, Opening, OpeningKeys};
use crate::log_line::LogEvent;
use crate::platform::{KernelEntropy, Platform};
use crate::residency::Admission;
use crate::sandbox::FailedStep;
use crate::slot::{self, Slot};
use crate::vault_exit::VaultExit;
use crate::zygote::{self, Report};

/// Openings that wait for a place.
const WAITING: usize = 1024;

/// A vault process that was told to close is killed after this.
const CLOSING_TIME: Duration = Duration::from_secs(3);

/// A vault process that has not opened its vault by then is killed. Its host must have read it the
/// header by then, no more.
const OPENING_TIME: Duration = Duration::from_secs(60);

/// All vault processes are given this long when the host asks to end.
const ENDING_TIME: Duration = Duration::from_secs(5);

/// Reads of a lane after its process has ended; more than its socket can hold.
const LAST_WORDS: usize = 16;

/// Vault processes whose memory is read in one tick.
const MEASURED_A_TICK: usize = 16;

impl<P: Platform> Supervisor<P> {
    /// Opens a space, at once or as soon as there is a place for it.
    pub(super) fn open(&mut self, space: SpaceId, entry: Entry) -> Result<(), Ended> {
        if let Some(&slot) = self.spaces.get(&space) {
            match self.vaults.get(&slot).map(|vault| vault.phase) {
                Some(Phase::Open) => self.host.send(&FromEnclave::Opened { space }),
                // Opened again once its old process has ended.
                Some(Phase::Closing { .. }) => self.enqueue(space, entry),
                Some(Phase::Opening { .. }) | None => {}
            }
            return Ok(());
        }
        self.enqueue(space, entry);
        self.open_waiting()
    }

    fn enqueue(&mut self, space: SpaceId, entry: Entry) {
        if self.waiting.iter().any(|(waiting, _)| *waiting == space) {
            return;
        }
        if self.waiting.len() >= WAITING || self.ending.is_some() {
            self.host.send(&FromEnclave::Closed {
                space,
                why: Closed::TooMany,
            });
        } else {
            self.waiting.push_back((space, entry));
        }
    }

    /// Opens those that wait, as far as there is room, in the order they came. Those whose old
    /// process still ends are passed over.
    fn open_waiting(&mut self) -> Result<(), Ended> {
        while let Some(at) = self
            .waiting
            .iter()
            .position(|(space, _)| !self.spaces.contains_key(space))
        {
            match self.residency.admit(self.now) {
                Admission::TooFast => return Ok(()),
                Admission::OpenAfterClosing(slot) => {
                    self.close(slot, Closed::Pressure);
                    return Ok(());
                }
                Admission::Full => {
                    // Places free up by themselves while some are closing.
                    let closing = |vault: &Vault| matches!(vault.phase, Phase::Closing { .. });
                    if !self.vaults.values().any(closing)
                        && let Some((space, _)) = self.waiting.remove(at)
                    {
                        self.host.send(&FromEnclave::Closed {
                            space,
                            why: Closed::TooMany,
                        });
                        continue;
                    }
                    return Ok(());
                }
                Admission::Open => {
                    let (Some(slot), Some((space, entry))) =
                        (self.free.take(), self.waiting.remove(at))
                    else {
                        return Ok(());
                    };
                    self.start(slot, space, entry)?;
                }
            }
        }
        Ok(())
    }

    /// Has a process forked and tells it all that it will ever be told.
    fn start(&mut self, slot: Slot, space: SpaceId, entry: Entry) -> Result<(), Ended> {
        let deadline = self.now.saturating_add(OPENING_TIME);
        let mut vault = Vault::new(space, self.zygote.fork(slot)?, deadline);
        self.epoll.add(&vault, lane_event(slot, false))?;
        let challenge = KernelEntropy.bytes();
        let opening = Opening {
            space,
            entry,
            keys: self.header_keys(space),
            now: self.platform.now().0,
            head: self.heads.of(space),
            network: self.network,
            epoch: self.epoch,
            challenge,
        };
        vault.tell(&Down::Open(Box::new(opening)));
        self.vaults.insert(slot, vault);
        self.spaces.insert(space, slot);
        self.federation.started(slot, space, challenge);
        self.residency.opened(slot, self.now);
        self.list(slot);
        Ok(())
    }

    /// What the headers of a vault may be sealed under.
    fn header_keys(&self, space: SpaceId) -> OpeningKeys {
        let key: SealingKey = derive::key(&self.sealing_root, Label::SealingKey, &[&space.0]);
        let at = |keys: Vec<(u32, SealingKey)>| {
            let keys = keys.iter().map(|(release, key)| KeyAt::new(*release, key));
            keys.collect()
        };
        OpeningKeys {
            own: KeyAt::new(self.platform.release(), &key),
            earlier: at(self.shared.earlier(space)),
            later: at(self.shared.later(space)),
            offered: self.shared.offered(space).map(|(offered, key)| {
                let key = KeyAt::new(offered.release, &key);
                (offered, key)
            }),
        }
    }

    /// Tells a vault process to close.
    pub(super) fn close(&mut self, slot: Slot, why: Closed) {
        self.tell(slot, &Down::Close);
        self.end_within(slot, why, CLOSING_TIME);
    }

    /// Marks a vault as closing. The first reason stays.
    pub(super) fn end_within(&mut self, slot: Slot, why: Closed, time: Duration) {
        if let Some(vault) = self.vaults.get_mut(&slot)
            && !matches!(vault.phase, Phase::Closing { .. })
        {
            vault.phase = Phase::Closing {
                why,
                deadline: self.now.saturating_add(time),
            };
            self.residency.closing(slot);
        }
    }

    /// Kills a vault process.
    pub(super) fn kill(&mut self, slot: Slot, why: Closed) -> Result<(), Ended> {
        self.end_within(slot, why, CLOSING_TIME);
        if let Some(vault) = self.vaults.get_mut(&slot) {
            vault.killed = true;
        }
        self.zygote.kill(slot)?;
        // Nothing more of it is believed.
        self.hang_up(slot)
    }

    /// A lane is closed; the process itself has ended or will now.
    pub(super) fn hang_up(&mut self, slot: Slot) -> Result<(), Ended> {
        if let Some(vault) = self.vaults.get_mut(&slot)
            && !vault.hung_up
        {
            vault.hung_up = true;
            self.epoll.delete(&*vault)?;
            // Closing its socket is no way to live on unseen.
            if !matches!(vault.phase, Phase::Closing { .. }) {
                self.end_within(slot, Closed::Crashed, CLOSING_TIME);
            }
        }
        Ok(())
    }

    /// Reads what the zygote reports.
    pub(super) fn hear_zygote(&mut self) -> Result<(), Ended> {
        while let Some(report) = self.zygote.next_report()? {
            match report {
                Report::Started(slot, pid) => {
                    if let Some(vault) = self.vaults.get_mut(&slot) {
                        vault.pid = Some(pid);
                    }
                }
                Report::Refused(slot, error) => {
                    self.log(LogEvent::ForkRefused(u64::from(error.unsigned_abs())));
                    self.ended(slot, Some(Closed::TooMany))?;
                }
                Report::Ended(slot, ending) => self.process_ended(slot, ending)?,
            }
        }
        self.open_waiting()
    }

    fn process_ended(&mut self, slot: Slot, ending: zygote::Ending) -> Result<(), Ended> {
        // What it said last is still in its socket.
        for _ in 0..LAST_WORDS {
            self.hear_vault(slot)?;
        }
        let said = match ending {
            zygote::Ending::Exited(code) => VaultExit::from_code(code).map(VaultExit::closed),
            zygote::Ending::Killed(_) => None,
        };
        let told = self.vaults.get(&slot).is_some_and(|vault| {
            vault.killed
                || matches!(vault.phase, Phase::Closing { why, .. } if why != Closed::Crashed)
        });
        match (said, ending) {
            (None, zygote::Ending::Exited(code)) if FailedStep::from_exit_code(code).is_some() => {
                self.log(LogEvent::SandboxFailed(code.into()));
            }
            (None, _) if told => {}
            (None, zygote::Ending::Exited(code)) => self.log(LogEvent::VaultCrashed(code.into())),
            (None, zygote::Ending::Killed(signal)) => {
                self.log(LogEvent::VaultCrashed(
                    u64::from(signal).saturating_add(1000),
                ));
            }
            (Some(_), _) => {}
        }
        self.ended(slot, said.flatten())
    }

    /// Clears up after a process; `said` is its own reason.
    fn ended(&mut self, slot: Slot, said: Option<Closed>) -> Result<(), Ended> {
        self.hang_up(slot)?;
        let Some(vault) = self.vaults.remove(&slot) else {
            return Ok(());
        };
        let why = said.unwrap_or(match vault.phase {
            Phase::Closing { why, .. } => why,
            Phase::Open | Phase::Opening { .. } => Closed::Crashed,
        });
        self.spaces.remove(&vault.space);
        self.residency.closed(slot);
        self.questions.forget(slot);
        self.kdf.release(slot);
        self.grant_kdf();
        self.free.release(slot);
        self.with_courier(|courier, cx| courier.ended(slot, cx));
        self.host.send(&FromEnclave::Closed {
            space: vault.space,
            why,
        });
        Ok(())
    }

    /// Ends once every vault process has.
    pub(super) fn shut_down(&mut self) {
        self.ending = Some(self.now.saturating_add(ENDING_TIME));
        self.waiting.clear();
        for slot in self.vaults.keys().copied().collect::<Vec<_>>() {
            self.close(slot, Closed::Asked);
        }
    }

    /// Looks at deadlines, idle vaults and memory.
    pub(super) fn tick(&mut self) -> Result<(), Ended> {
        self.log_lines = 0;
        self.host.check_deadlines(self.now)?;
        if self
            .ending
            .is_some_and(|end| self.vaults.is_empty() || self.now >= end)
        {
            return Err(Ended::Asked);
        }
        self.measure();
        self.tick_federation();
        for slot in self.residency.due(self.now) {
            let pressed = self.residency.is_pressed();
            self.close(
                slot,
                if pressed {
                    Closed::Pressure
                } else {
                    Closed::Idle
                },
            );
        }
        let now = self.now;
        let overdue: Vec<Slot> = self
            .vaults
            .iter()
            .filter(|(_, vault)| !vault.killed)
            .filter(|(_, vault)| vault.is_stuck(now) || is_overdue(vault, now))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in overdue {
            self.log(LogEvent::VaultStuck);
            self.kill(slot, Closed::Crashed)?;
        }
        for vault in self.vaults.values_mut() {
            vault.inflow.release();
        }
        self.open_waiting()
    }

    /// Reads this process's memory, and that of the next few vault processes, round and round.
    pub(super) fn measure(&mut self) {
        let zygote = self.zygote.pid();
        let own = i32::try_from(process::id()).ok();
        self.own_memory = own.and_then(|own| self.own.look(own, zygote));
        for slot in slot::next_of(&self.vaults, self.measured, MEASURED_A_TICK) {
            self.measured = Some(slot);
            let Some(vault) = self.vaults.get_mut(&slot) else {
                continue;
            };
            if let Some(memory) = vault.pid.and_then(|pid| vault.memory.look(pid, zygote)) {
                self.residency.measured(slot, memory);
            }
        }
    }
}

fn is_overdue(vault: &Vault, now: Duration) -> bool {
    match vault.phase {
        Phase::Closing { deadline, .. } | Phase::Opening { deadline } => now >= deadline,
        Phase::Open => false,
    }
}
