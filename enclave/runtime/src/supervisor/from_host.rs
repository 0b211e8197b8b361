//! What the host says: envelopes to vault processes, answers to their questions, orders.

use std::time::Duration;

use vettid_wire::envelope::Envelope;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::link::in_place::Lent;
use vettid_wire::link::sealing::ToEnclave;
use vettid_wire::link::{Closed, FromEnclave, FromHost, LogPage, Pong};

use super::questions::Kind;
use super::vault::Phase;
use super::{Ended, Supervisor};
use crate::flow::Inflow;
use crate::host_link::{Heard, HostFault, hear};
use crate::lane::Down;
use crate::log_line::LogEvent;
use crate::platform::Platform;
use crate::slot::Slot;

const MIB: u64 = 1024 * 1024;

/// A vault process whose record was not stored has this long to say goodbye to its sessions.
const VOID_TIME: Duration = Duration::from_secs(2);

impl<P: Platform> Supervisor<P> {
    /// Reads the link once and routes every frame that has come.
    pub(super) fn hear_host(&mut self) -> Result<(), Ended> {
        if self.host.fill(self.now)? > 0 {
            self.take_from_host()?;
        }
        Ok(())
    }

    /// Routes the frames that have come.
    pub(super) fn take_from_host(&mut self) -> Result<(), Ended> {
        if !self.host.inflow.is_mid_frame() {
            return Ok(());
        }
        let mut inflow = std::mem::replace(&mut self.host.inflow, Inflow::new(limits::LINK_FRAME));
        let routed = self.route_all(&mut inflow);
        self.host.inflow = inflow;
        routed
    }

    fn route_all(&mut self, inflow: &mut Inflow) -> Result<(), Ended> {
        while let Some(frame) = inflow.next_frame().map_err(HostFault::from)? {
            match hear(frame)? {
                Heard::Lent(Lent::Envelope(space, envelope)) => self.deliver(space, envelope),
                Heard::Lent(Lent::Chunk(request, bytes)) => {
                    self.bring_chunk(request, Some(bytes))?;
                }
                Heard::Other(frame) => self.route(frame)?,
            }
        }
        Ok(())
    }

    /// Hands an envelope to the vault process of its space. One that no process will answer, because
    /// the space was closed meanwhile or its process is busy, is answered with a reset: its device
    /// opens another session at once.
    fn deliver(&mut self, space: SpaceId, envelope: &[u8]) {
        let slot = self.spaces.get(&space).copied();
        let serving = slot.and_then(|slot| Some((slot, self.vaults.get_mut(&slot)?)));
        let Some((slot, vault)) = serving.filter(|(_, vault)| vault.is_serving()) else {
            return self.turn_away(space, envelope);
        };
        if vault.offer(&Down::Frame(envelope)) {
            self.residency.used(slot, self.now);
            self.list(slot);
        } else {
            self.dropped = self.dropped.saturating_add(1);
            self.log(LogEvent::FrameDropped(self.dropped));
            self.turn_away(space, envelope);
        }
    }

    /// A host that does not read gets no resets either: what it does not take must not pile up.
    fn turn_away(&mut self, space: SpaceId, envelope: &[u8]) {
        if self.host.is_saturated() {
            return;
        }
        if let Ok(Envelope {
            device, session, ..
        }) = Envelope::parse(envelope)
        {
            let reset = Envelope::reset(device, session).to_bytes();
            self.host.send_envelope(space, 0, &reset);
        }
    }

    fn route(&mut self, frame: FromHost) -> Result<(), Ended> {
        match frame {
            // The key service may hang up after it has said all.
            FromHost::Sealing(ToEnclave::Bytes(_)) => {}
            FromHost::Hello(_) | FromHost::Sealing(_) => {
                return Err(HostFault::OutOfTurn.into());
            }
            FromHost::Open { space, entry } => self.open(space, entry)?,
            FromHost::Frame { space, envelope } => self.deliver(space, &envelope),
            FromHost::Appended { space, through } => self.appended(space, through)?,
            FromHost::AppendRefused { space, .. } => {
                if let Some(&slot) = self.spaces.get(&space) {
                    self.tell(slot, &Down::AppendRefused);
                    self.end_within(slot, Closed::AppendRefused, VOID_TIME);
                }
            }
            FromHost::LogPage { request, page } => {
                if let Some((slot, _)) = self.asked(request, |kind| kind == Kind::LogPage)? {
                    self.bring_page(slot, page);
                }
            }
            FromHost::Chunk { request, bytes } => self.bring_chunk(request, bytes.as_deref())?,
            FromHost::Stored { request, durable } => {
                if let Some((slot, _)) = self.asked(request, |kind| kind == Kind::Stored)? {
                    self.tell(slot, &Down::Stored(durable));
                }
            }
            FromHost::Close { space } => match self.spaces.get(&space) {
                Some(&slot) => self.close(slot, Closed::Asked),
                None => self.waiting.retain(|(waiting, _)| *waiting != space),
            },
            FromHost::Federation(frame) => self.hear_federation(frame)?,
            FromHost::Ping(ping) => self.pong(ping),
            FromHost::Shutdown => self.shut_down(),
        }
        Ok(())
    }

    /// Records of a space are durable. A host that confirms what was never sent is lying, to no
    /// effect on what is remembered, and is cut off.
    fn appended(&mut self, space: SpaceId, through: u64) -> Result<(), Ended> {
        let Some(&slot) = self.spaces.get(&space) else {
            return Ok(());
        };
        let Some(vault) = self.vaults.get_mut(&slot) else {
            return Ok(());
        };
        let head = vault.appended(through).ok_or(HostFault::OutOfTurn)?;
        if head.number != through {
            return Err(HostFault::OutOfTurn.into());
        }
        self.heads.note(space, head);
        self.tell(slot, &Down::Appended(through));
        let progress = self.progress(slot);
        self.with_courier(|courier, cx| courier.durable(slot, progress, cx));
        Ok(())
    }

    fn bring_page(&mut self, slot: Slot, page: Option<LogPage>) {
        if let Some((vault, page)) = self.vaults.get_mut(&slot).zip(page.as_ref()) {
            vault.reading(page.newest);
        }
        self.tell(slot, &Down::LogPage(page));
    }

    /// Passes a chunk on to whoever asked for it.
    fn bring_chunk(&mut self, request: u64, bytes: Option<&[u8]>) -> Result<(), Ended> {
        let asked = self.asked(request, |kind| matches!(kind, Kind::Chunk { .. }))?;
        if let Some((slot, Kind::Chunk { snapshot, index })) = asked {
            self.tell(
                slot,
                &Down::Chunk {
                    snapshot,
                    index,
                    bytes,
                },
            );
        }
        Ok(())
    }

    /// Who asked a question of this kind, and what, unless the asker is gone. A host that answers
    /// what was never asked is cut off.
    fn asked(
        &mut self,
        request: u64,
        kind: impl FnOnce(Kind) -> bool,
    ) -> Result<Option<(Slot, Kind)>, Ended> {
        let asked = self.questions.answered(request, kind);
        Ok(asked.map_err(|_| HostFault::OutOfTurn)?)
    }

    fn pong(&mut self, ping: u64) {
        let open = self
            .vaults
            .values()
            .filter(|vault| vault.phase == Phase::Open)
            .count();
        let sessions = self
            .vaults
            .values()
            .fold(0, |sum: u32, v| sum.saturating_add(v.sessions));
        self.host.send(&FromEnclave::Pong(Pong {
            ping,
            open: u32::try_from(open).unwrap_or(u32::MAX),
            memory: self.residency.memory() / 1024,
            sessions,
            supervisor: self
                .own_memory
                .map(|own| own.div_ceil(MIB).saturating_mul(1024)),
        }));
    }

    /// Queues a frame for a vault process and remembers to send it.
    pub(super) fn tell(&mut self, slot: Slot, frame: &Down<'_>) {
        if let Some(vault) = self.vaults.get_mut(&slot) {
            vault.tell(frame);
            self.list(slot);
        }
    }

    /// Remembers that a vault process has something to be sent.
    pub(super) fn list(&mut self, slot: Slot) {
        if let Some(vault) = self.vaults.get_mut(&slot).filter(|vault| !vault.listed) {
            vault.listed = true;
            self.unflushed.push(slot);
        }
    }
}
