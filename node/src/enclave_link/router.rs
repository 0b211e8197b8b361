//! Which frame goes where, and when. No I/O: inputs come as calls, outputs lie in [`Actions`].

mod actions;
mod peers;

pub(super) use actions::Actions;
pub(super) use peers::Behind;

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::{AppendRefusal, Closed, Entry, FromEnclave, FromHost};

use super::EnclaveMisbehaved;
use super::questions::Question;
use super::sessions::{Sessions, reset_for};
use crate::bus::inbound::Inbound;
use crate::database::WriteError;
use crate::vault_log::{Append, AppendError, Record};

/// Frames kept for one space while it is being opened; what comes on top gets a reset.
const OPENING_FRAMES: usize = 64;

/// Spaces followed at once; frames for more are answered with a reset.
const SPACES: usize = 65_536;

/// The state of every space that has frames under way.
#[derive(Default)]
pub(super) struct Router {
    spaces: HashMap<SpaceId, Space>,
    /// Spaces with records that became durable in this batch.
    touched: Vec<SpaceId>,
    pub(super) actions: Actions,
}

#[derive(Default)]
struct Space {
    state: State,
    /// Newest durable record.
    durable: u64,
    /// Newest record handed to the log.
    queued: u64,
    /// Appends whose outcome is not known yet.
    unsettled: u32,
    /// An append failed: nothing more of this opening is taken.
    refused: bool,
    /// In `touched` already.
    touched: bool,
    /// Frames of the enclave that wait for their record.
    waiting: VecDeque<Waiting>,
    /// Sessions that were passed on since it was opened.
    sessions: Sessions,
}

#[derive(Default)]
enum State {
    /// Not open; here only until its appends are settled.
    #[default]
    Closed,
    /// Looked up in the directory, or waiting for earlier appends to settle before that.
    Looking { frames: Vec<Bytes>, asked: bool },
    /// The enclave was asked to open it.
    Opening { frames: Vec<Bytes> },
    /// Frames flow.
    Open,
    /// The enclave was asked to close it.
    Closing,
}

struct Waiting {
    after: u64,
    device: DeviceRoute,
    envelope: Bytes,
}

impl Router {
    /// Takes what an app published.
    pub(super) fn hear_app(&mut self, inbound: Inbound) {
        let Inbound {
            space: id,
            envelope,
        } = inbound;
        if self.spaces.len() >= SPACES && !self.spaces.contains_key(&id) {
            return self.reset(id, &envelope);
        }
        let space = self.spaces.entry(id).or_default();
        match &mut space.state {
            State::Open => {
                space.sessions.spoke(&envelope);
                let envelope = envelope.to_vec();
                self.actions.to_enclave.push(&FromHost::Frame {
                    space: id,
                    envelope,
                });
            }
            State::Looking { frames, .. } | State::Opening { frames } => {
                if frames.len() < OPENING_FRAMES {
                    frames.push(envelope);
                } else {
                    self.actions.dropped += 1;
                    self.reset(id, &envelope);
                }
            }
            State::Closing => self.reset(id, &envelope),
            State::Closed => {
                // A lookup while appends are under way could see a log that is about to grow.
                let asked = space.unsettled == 0;
                space.state = State::Looking {
                    frames: vec![envelope],
                    asked,
                };
                if asked {
                    self.actions.lookups.push(id);
                }
            }
        }
    }

    /// Takes what the directory knows of a space: how to open it and its newest record, or that
    /// it must not be opened.
    pub(super) fn looked_up(&mut self, id: SpaceId, found: Option<(Entry, u64)>) {
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        let State::Looking { frames, .. } = &mut space.state else {
            return;
        };
        let frames = std::mem::take(frames);
        match found {
            Some((entry, newest)) => {
                space.state = State::Opening { frames };
                space.durable = newest;
                space.queued = newest;
                space.refused = false;
                self.actions
                    .to_enclave
                    .push(&FromHost::Open { space: id, entry });
            }
            None => {
                space.state = State::Closed;
                frames.iter().for_each(|envelope| self.reset(id, envelope));
                self.forget(id);
            }
        }
    }

    /// Closes a space on the operator's behalf; a lookup under way no longer counts.
    pub(super) fn close(&mut self, id: SpaceId) {
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        match std::mem::take(&mut space.state) {
            State::Closed => {}
            State::Looking { frames, .. } => {
                frames.iter().for_each(|envelope| self.reset(id, envelope));
                self.forget(id);
            }
            State::Opening { .. } | State::Open | State::Closing => {
                space.state = State::Closing;
                self.actions.to_enclave.push(&FromHost::Close { space: id });
            }
        }
    }

    /// Takes a frame of the enclave.
    pub(super) fn hear_enclave(&mut self, frame: FromEnclave) -> Result<(), EnclaveMisbehaved> {
        match frame {
            FromEnclave::Ready(_) | FromEnclave::Sealing(_) => {
                return Err(EnclaveMisbehaved::Turn);
            }
            FromEnclave::Opened { space } => self.opened(space)?,
            FromEnclave::Frame {
                space,
                after,
                envelope,
            } => {
                self.frame(space, after, Bytes::from(envelope))?;
            }
            FromEnclave::Append {
                space,
                number,
                checkpoint,
                record,
            } => {
                let bytes = Bytes::from(record);
                self.append(
                    space,
                    Record {
                        number,
                        checkpoint,
                        bytes,
                    },
                )?;
            }
            FromEnclave::Closed { space, why } => self.closed(space, why),
            FromEnclave::Pong(pong) => self.actions.pongs.push(pong),
            FromEnclave::Log(line) => self.actions.lines.push(line),
            FromEnclave::Federation(frame) => self.hear_about_peers(frame)?,
            // The log says when a vault begins, and cannot be mistaken.
            FromEnclave::Enrolled { .. } => {}
            question => self.actions.questions.extend(Question::of(question)),
        }
        Ok(())
    }

    /// Takes the outcome of one append. [`Self::finish_batch`] tells the enclave.
    pub(super) fn settled(&mut self, id: SpaceId, number: u64, result: Result<(), AppendError>) {
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        space.unsettled = space.unsettled.saturating_sub(1);
        match result {
            Ok(()) => {
                space.durable = space.durable.max(number);
                if number == 1 {
                    self.actions.begun.push(id);
                }
                while let Some(frame) = space.waiting.pop_front_if(|w| w.after <= space.durable) {
                    self.actions.to_bus.push((id, frame.device, frame.envelope));
                }
                if !space.touched {
                    space.touched = true;
                    self.touched.push(id);
                }
            }
            Err(error) if !space.refused => {
                space.refused = true;
                // What waits is void; that a session is gone stays true.
                for Waiting {
                    device, envelope, ..
                } in space.waiting.drain(..)
                {
                    if is_goodbye(&envelope) {
                        self.actions.to_bus.push((id, device, envelope));
                    }
                }
                let why = match error {
                    AppendError::Lost => AppendRefusal::Lost,
                    AppendError::Write(WriteError::Full) => AppendRefusal::Full,
                    AppendError::Write(_) => AppendRefusal::Failed,
                };
                let refusal = FromHost::AppendRefused {
                    space: id,
                    number,
                    why,
                };
                self.actions.to_enclave.push(&refusal);
            }
            Err(_) => {}
        }
        if space.unsettled == 0 {
            self.all_settled(id);
        }
    }

    /// Tells the enclave what became durable, once per space.
    pub(super) fn finish_batch(&mut self) {
        for id in self.touched.drain(..) {
            let Some(space) = self.spaces.get_mut(&id) else {
                continue;
            };
            space.touched = false;
            if !matches!(space.state, State::Closed | State::Looking { .. }) {
                let through = space.durable;
                self.actions
                    .to_enclave
                    .push(&FromHost::Appended { space: id, through });
            }
        }
    }

    /// Appends whose outcome is not known yet.
    pub(super) fn unsettled(&self) -> u64 {
        self.spaces
            .values()
            .map(|space| u64::from(space.unsettled))
            .sum()
    }

    fn opened(&mut self, id: SpaceId) -> Result<(), EnclaveMisbehaved> {
        let space = self.spaces.get_mut(&id).ok_or(EnclaveMisbehaved::Turn)?;
        let frames = match &mut space.state {
            State::Opening { frames } => std::mem::take(frames),
            // It crossed our request to close.
            State::Closing => return Ok(()),
            State::Closed | State::Looking { .. } | State::Open => {
                return Err(EnclaveMisbehaved::Turn);
            }
        };
        space.state = State::Open;
        for envelope in frames {
            space.sessions.spoke(&envelope);
            let envelope = envelope.to_vec();
            self.actions.to_enclave.push(&FromHost::Frame {
                space: id,
                envelope,
            });
        }
        Ok(())
    }

    fn frame(&mut self, id: SpaceId, after: u64, bytes: Bytes) -> Result<(), EnclaveMisbehaved> {
        let envelope = Envelope::parse(&bytes).map_err(|_| EnclaveMisbehaved::Envelope)?;
        let device = envelope.device;
        let says_goodbye = envelope.kind == Kind::Reset;
        let mut space = self.spaces.get_mut(&id);
        if let Some(space) = space.as_mut().filter(|_| says_goodbye) {
            space.sessions.ended(device, envelope.session);
        }
        let Some(space) = space.filter(|space| !space.refused) else {
            // Nothing more is acknowledged, but the app may hear that it is over.
            if says_goodbye {
                self.actions.to_bus.push((id, device, bytes));
            } else {
                self.actions.dropped += 1;
            }
            return Ok(());
        };
        if after > space.queued {
            return Err(EnclaveMisbehaved::Future);
        }
        if after <= space.durable && space.waiting.is_empty() {
            self.actions.to_bus.push((id, device, bytes));
        } else {
            space.waiting.push_back(Waiting {
                after,
                device,
                envelope: bytes,
            });
        }
        Ok(())
    }

    fn append(&mut self, id: SpaceId, record: Record) -> Result<(), EnclaveMisbehaved> {
        if record.bytes.len() > limits::RECORD {
            return Err(EnclaveMisbehaved::Record);
        }
        let space = self.spaces.get_mut(&id).ok_or(EnclaveMisbehaved::Turn)?;
        if matches!(space.state, State::Closed | State::Looking { .. }) {
            return Err(EnclaveMisbehaved::Turn);
        }
        if !space.refused {
            space.queued = space.queued.max(record.number);
            space.unsettled = space.unsettled.saturating_add(1);
            self.actions.appends.push_back(Append { space: id, record });
        }
        Ok(())
    }

    /// A vault process has ended. One that was told to had answered all that reached it; what any
    /// other one still owed will not come.
    fn closed(&mut self, id: SpaceId, why: Closed) {
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        if matches!(why, Closed::Asked | Closed::Idle | Closed::Pressure) {
            space.sessions.forget();
        }
        for (device, envelope) in space.sessions.goodbyes() {
            if space.waiting.is_empty() {
                self.actions.to_bus.push((id, device, envelope));
            } else {
                // Behind the replies that only wait for their records.
                space.waiting.push_back(Waiting {
                    after: 0,
                    device,
                    envelope,
                });
            }
        }
        if let State::Opening { frames } = std::mem::take(&mut space.state) {
            frames.iter().for_each(|envelope| self.reset(id, envelope));
        }
        self.forget(id);
    }

    /// The link is gone, and every vault with it: whoever waits for one of them learns it.
    pub(super) fn link_lost(&mut self) {
        for (id, mut space) in std::mem::take(&mut self.spaces) {
            for (device, envelope) in space.sessions.goodbyes() {
                self.actions.to_bus.push((id, device, envelope));
            }
            if let State::Looking { frames, .. } | State::Opening { frames } = space.state {
                frames.iter().for_each(|envelope| self.reset(id, envelope));
            }
        }
    }

    fn all_settled(&mut self, id: SpaceId) {
        let Some(space) = self.spaces.get_mut(&id) else {
            return;
        };
        match &mut space.state {
            State::Looking { asked, .. } if !*asked => {
                *asked = true;
                self.actions.lookups.push(id);
            }
            State::Closed => self.forget(id),
            _ => {}
        }
    }

    /// Drops a closed space with nothing under way.
    fn forget(&mut self, id: SpaceId) {
        let idle = |space: &Space| matches!(space.state, State::Closed) && space.unsettled == 0;
        if self.spaces.get(&id).is_some_and(idle) {
            self.spaces.remove(&id);
        }
    }

    fn reset(&mut self, id: SpaceId, envelope: &[u8]) {
        if let Some((device, reset)) = reset_for(envelope) {
            self.actions.to_bus.push((id, device, reset));
        }
    }
}

fn is_goodbye(envelope: &[u8]) -> bool {
    Envelope::parse(envelope).is_ok_and(|envelope| envelope.kind == Kind::Reset)
}

#[cfg(test)]
mod tests;
