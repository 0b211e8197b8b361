//! The state that a vault is in.

use vettid_store::{Database, Freshness, Header};
use vettid_wire::id::SpaceId;
use vettid_wire::operation::vault::{Status, Unlock};
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::{Head, Operation as _};
use vettid_wire::time::UnixMillis;

use super::{Fresh, Sealed, Staged, Unlocked, Unusable, reading};
use crate::call::Call;
use crate::grant::Facts;
use crate::header_keys::HeaderKeys;
use crate::stop::Stop;
use crate::{Host, Unreadable};

/// State of a vault, as the outside may know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Not set up.
    Fresh,
    /// Being set up; nothing is stored.
    Staged,
    /// Waits for the PIN.
    Sealed,
    /// Open.
    Unlocked,
    /// Closed, or its log is damaged or rolled back: nothing is served.
    Unusable,
}

/// State of a vault.
#[derive(Debug)]
pub(crate) enum State {
    Fresh(Box<Fresh>),
    Staged(Box<Staged>),
    Sealed(Box<Sealed>),
    Unlocked(Box<Unlocked>),
    Unusable(Unusable),
    Closed,
}

impl State {
    pub(crate) fn fresh(
        space: SpaceId,
        keys: HeaderKeys,
        token_hash: [u8; 32],
        template: Database,
    ) -> Self {
        Self::Fresh(Box::new(Fresh {
            space,
            keys,
            token_hash,
            template,
        }))
    }

    pub(crate) fn existing(
        space: SpaceId,
        keys: HeaderKeys,
        template: Database,
        host: &mut dyn Host,
    ) -> Result<Self, Unreadable> {
        let read = reading::read(space, keys, template, host)?;
        Ok(match read {
            Ok(sealed) => Self::Sealed(Box::new(sealed)),
            Err(unusable) => Self::Unusable(unusable),
        })
    }

    /// What is left of an enrollment that took too long.
    pub(crate) fn expired() -> Self {
        Self::Unusable(Unusable {
            why: Code::NotEnrolled,
            newest: 0,
        })
    }

    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Fresh(_) => Phase::Fresh,
            Self::Staged(_) => Phase::Staged,
            Self::Sealed(_) => Phase::Sealed,
            Self::Unlocked(_) => Phase::Unlocked,
            Self::Unusable(_) | Self::Closed => Phase::Unusable,
        }
    }

    /// What is known about a caller, its presence aside.
    pub(crate) fn facts(&self, call: &Call<'_>, now: UnixMillis) -> Facts {
        let device = self
            .header()
            .and_then(|header| header.device(&call.caller.device_key));
        let fresh_pin = match self {
            Self::Unlocked(open) => open.pins.is_fresh(call, now),
            _ => false,
        };
        Facts {
            phase: self.phase(),
            device: call.device,
            role: device.map(|device| device.role),
            fresh_pin,
            presence: None,
        }
    }

    /// Why nothing is served, if nothing is.
    pub(crate) fn unusable(&self, call: &Call<'_>) -> Option<Refusal> {
        match self {
            Self::Unusable(unusable) => {
                let seen = match call.request.operation.as_str() {
                    Status::NAME => call.body::<Status>().ok().and_then(|asked| asked.seen),
                    Unlock::NAME => call.body::<Unlock>().ok().and_then(|asked| asked.seen),
                    _ => None,
                };
                Some(unusable.refusal(seen))
            }
            Self::Closed => Some(Code::Unavailable.into()),
            _ => None,
        }
    }

    /// Refuses a device when the log is older than what it has seen, or another one.
    pub(crate) fn check_freshness(&self, seen: Option<&Head>) -> Result<(), Stop> {
        let Some(seen) = seen else {
            return Ok(());
        };
        let freshness = match self {
            Self::Sealed(sealed) => sealed.freshness(seen),
            Self::Unlocked(open) => open.gate.log.tail.freshness(seen),
            // Nothing is durable here: the vault whose record was seen is not shown.
            Self::Fresh(_) | Self::Staged(_) => return Err(Code::RolledBack.into()),
            // Refused before.
            Self::Unusable(_) | Self::Closed => return Err(Code::Unavailable.into()),
        };
        if freshness == Freshness::Fresh {
            Ok(())
        } else {
            Err(Code::RolledBack.into())
        }
    }

    /// The open vault.
    pub(crate) fn unlocked(&mut self) -> Result<&mut Unlocked, Stop> {
        match self {
            Self::Unlocked(open) => Ok(open),
            _ => Err(Code::Locked.into()),
        }
    }

    /// Header, once there is one.
    pub(crate) fn header(&self) -> Option<&Header> {
        match self {
            Self::Sealed(sealed) => Some(&sealed.gate.header),
            Self::Unlocked(open) => Some(&open.gate.header),
            Self::Fresh(_) | Self::Staged(_) | Self::Unusable(_) | Self::Closed => None,
        }
    }

    /// Newest record of an open vault. What a sealed one was read from is not proven yet, and an
    /// app that took it for the newest would refuse the real one.
    pub(crate) fn head(&self) -> Option<Head> {
        match self {
            Self::Unlocked(open) => open.gate.log.head(),
            _ => None,
        }
    }

    /// Number of the newest record, durable or on its way; zero for none.
    pub(crate) fn newest(&self) -> u64 {
        let head = match self {
            Self::Sealed(sealed) => sealed.gate.log.head(),
            _ => self.head(),
        };
        head.map_or(0, |head| head.number)
    }

    /// The vault's time is never before this.
    pub(crate) fn time_floor(&self) -> UnixMillis {
        match self {
            Self::Unlocked(open) => open.gate.header.time_floor.max(open.last_event),
            _ => self
                .header()
                .map_or_else(UnixMillis::default, |header| header.time_floor),
        }
    }
}
