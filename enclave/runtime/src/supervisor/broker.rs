//! What vault processes ask for, each about its own space only: the space is the socket's.

use vettid_wire::cbor;
use vettid_wire::envelope::Envelope;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::link::{Closed, FromEnclave};

use super::questions::Kind;
use super::vault::{Phase, Vault};
use super::{Ended, Supervisor};
use crate::delivery::{HomeClaim, Sent};
use crate::federation::OutOfTurn;
use crate::flow::Inflow;
use crate::lane::{Down, EvidenceQuestion, LANE_FRAME, Up};
use crate::log_line::LogEvent;
use crate::platform::Platform;
use crate::slot::Slot;

/// The vault process broke the rules of the lane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Misbehaved;

impl<P: Platform> Supervisor<P> {
    /// Reads a lane once, at most one batch, and does what was asked. A process that speaks
    /// nonsense is killed; the others do not notice.
    pub(super) fn hear_vault(&mut self, slot: Slot) -> Result<(), Ended> {
        let Some(vault) = self.vaults.get_mut(&slot).filter(|vault| !vault.hung_up) else {
            return Ok(());
        };
        if vault.writable_wanted && !vault.listed {
            vault.listed = true;
            self.unflushed.push(slot);
        }
        let filled = vault.fill();
        let space = vault.space;
        let mut inflow = std::mem::replace(&mut vault.inflow, Inflow::new(LANE_FRAME));
        let served = self.serve(slot, space, &mut inflow);
        if let Some(vault) = self.vaults.get_mut(&slot) {
            vault.inflow = inflow;
        }
        if served.is_err() {
            self.log(LogEvent::VaultMisbehaved);
            self.kill(slot, Closed::Crashed)?;
        }
        if filled.is_err() {
            self.hang_up(slot)?;
        }
        Ok(())
    }

    fn serve(&mut self, slot: Slot, space: SpaceId, inflow: &mut Inflow) -> Result<(), Misbehaved> {
        while let Some(frame) = inflow.next_frame().map_err(|_| Misbehaved)? {
            let frame = cbor::decode_exact(frame).map_err(|_| Misbehaved)?;
            self.check(slot, &frame)?;
            self.grant(slot, space, frame)?;
        }
        Ok(())
    }

    /// Refuses what the host would not take of any enclave: it would end the link, and all vaults with
    /// it, for the fault of one process.
    fn check(&self, slot: Slot, asked: &Up<'_>) -> Result<(), Misbehaved> {
        let newest = self.vaults.get(&slot).ok_or(Misbehaved)?.newest();
        let passes = match asked {
            Up::Frame { after, envelope } => *after <= newest && Envelope::parse(envelope).is_ok(),
            Up::Outbound { after, .. } | Up::Home { after, .. } | Up::Received { after, .. } => {
                *after <= newest
            }
            Up::Append { record: bytes, .. } | Up::PutChunk { bytes, .. } => {
                bytes.len() <= limits::RECORD
            }
            _ => true,
        };
        passes.then_some(()).ok_or(Misbehaved)
    }

    fn grant(&mut self, slot: Slot, space: SpaceId, asked: Up<'_>) -> Result<(), Misbehaved> {
        match asked {
            Up::Frame { after, envelope } => self.host.send_envelope(space, after, envelope),
            Up::Append {
                head,
                checkpoint,
                record,
            } => {
                let vault = self.vaults.get_mut(&slot).ok_or(Misbehaved)?;
                if !vault.appending(head) {
                    return Err(Misbehaved);
                }
                let (number, record) = (head.number, record.to_vec());
                self.host.send(&FromEnclave::Append {
                    space,
                    number,
                    checkpoint,
                    record,
                });
            }
            Up::Cut { below, snapshot } => {
                let vault = self.vaults.get_mut(&slot).ok_or(Misbehaved)?;
                if !vault.cutting() {
                    return Err(Misbehaved);
                }
                self.host.send(&FromEnclave::Cut {
                    space,
                    below,
                    snapshot,
                });
            }
            Up::ReadLog(_) | Up::PutChunk { .. } | Up::GetChunk { .. } => {
                self.pass_on(slot, space, asked)?;
            }
            Up::Attest(question) => self.attest(slot, space, &question),
            Up::AskKdf if self.kdf.ask(slot) => self.grant_kdf(),
            Up::AskKdf => return Err(Misbehaved),
            Up::KdfDone => {
                self.kdf.release(slot);
                self.grant_kdf();
            }
            Up::Enrolled => self.host.send(&FromEnclave::Enrolled { space }),
            Up::Opened => self.opened(slot, space)?,
            Up::Outbound { .. } | Up::Home { .. } | Up::Received { .. } | Up::TurnedAway(_) => {
                self.grant_delivery(slot, asked)?;
            }
            Up::Sessions(count) => {
                if let Some(vault) = self.vaults.get_mut(&slot) {
                    vault.sessions = count;
                }
            }
        }
        Ok(())
    }

    /// Passes a question on to the host, who answers it by number.
    fn pass_on(&mut self, slot: Slot, space: SpaceId, asked: Up<'_>) -> Result<(), Misbehaved> {
        let kind = match asked {
            Up::ReadLog(_) => Kind::LogPage,
            Up::GetChunk { snapshot, index } => Kind::Chunk { snapshot, index },
            _ => Kind::Stored,
        };
        if self.vaults.get(&slot).is_none_or(Vault::is_deaf) {
            return Err(Misbehaved);
        }
        let request = self.questions.ask(slot, kind).ok_or(Misbehaved)?;
        match asked {
            Up::ReadLog(from) => self.host.send(&FromEnclave::ReadLog {
                request,
                space,
                from,
            }),
            Up::PutChunk {
                snapshot,
                index,
                bytes,
            } => {
                let bytes = bytes.to_vec();
                self.host.send(&FromEnclave::PutChunk {
                    request,
                    space,
                    snapshot,
                    index,
                    bytes,
                });
            }
            Up::GetChunk { snapshot, index } => {
                self.host.send(&FromEnclave::GetChunk {
                    request,
                    space,
                    snapshot,
                    index,
                });
            }
            _ => return Err(Misbehaved),
        }
        Ok(())
    }

    /// What a vault process says about other vaults, and its own home.
    fn grant_delivery(&mut self, slot: Slot, asked: Up<'_>) -> Result<(), Misbehaved> {
        let progress = self.progress(slot);
        match asked {
            Up::Outbound {
                after,
                delivery,
                to,
                home,
                expires,
                body,
            } => {
                let outbound = Sent {
                    delivery,
                    to,
                    home,
                    expires,
                    body,
                };
                self.with_courier(|courier, cx| courier.outbound(slot, after, outbound, cx))
            }
            Up::Home {
                after,
                record,
                proof,
            } => {
                let claim = HomeClaim {
                    after,
                    record,
                    proof,
                };
                self.with_courier(|courier, cx| courier.claim(slot, &claim, progress, cx))
            }
            Up::Received {
                ticket,
                after,
                outcome,
            } => self.with_courier(|courier, cx| {
                courier.received(slot, ticket, (after, outcome), progress, cx)
            }),
            Up::TurnedAway(ticket) => {
                self.with_courier(|courier, cx| courier.unheard(slot, ticket, cx))
            }
            _ => return Err(Misbehaved),
        }
        .map_err(|OutOfTurn| Misbehaved)
    }

    fn opened(&mut self, slot: Slot, space: SpaceId) -> Result<(), Misbehaved> {
        let vault = self.vaults.get_mut(&slot).ok_or(Misbehaved)?;
        match vault.phase {
            Phase::Opening { .. } => {
                vault.phase = Phase::Open;
                self.host.send(&FromEnclave::Opened { space });
                self.tell_place(slot);
                Ok(())
            }
            Phase::Closing { .. } => Ok(()),
            Phase::Open => Err(Misbehaved),
        }
    }

    fn attest(&mut self, slot: Slot, space: SpaceId, question: &EvidenceQuestion) {
        let answer = self
            .evidence
            .answer(&mut self.platform, space, question, self.now);
        if let Err(why) = answer {
            self.log(LogEvent::NoEvidence(why));
        }
        self.tell(
            slot,
            &Down::Evidence {
                ticket: question.ticket,
                answer: answer.ok(),
            },
        );
    }

    /// Lets those hash who may now.
    pub(super) fn grant_kdf(&mut self) {
        while let Some(slot) = self.kdf.grant() {
            self.tell(slot, &Down::KdfGranted);
        }
    }
}
