//! An open vault.

use std::collections::BTreeMap;

use vettid_crypto::VaultKey;
use vettid_store::{Change, Committed, Database, View};
use vettid_wire::id::SessionId;
use vettid_wire::time::UnixMillis;
use vettid_wire::{Secret, limits};

use super::Gate;
use super::gate::RightPin;
use crate::audit;
use crate::call::Call;
use crate::outside::Outside;
use crate::stop::Stop;

/// An open vault: everything that the PIN gives.
#[derive(Debug)]
pub(crate) struct Unlocked {
    pub(crate) gate: Gate,
    pub(crate) key: VaultKey,
    pub(crate) database: Database,
    pub(crate) pins: FreshPins,
    /// Newest time in the audit chain when the vault was opened.
    pub(crate) last_event: UnixMillis,
    /// When to forget next what need not be kept.
    pub(crate) next_upkeep: UnixMillis,
}

impl Unlocked {
    /// The committed state.
    pub(crate) fn view(&self) -> View<'_> {
        self.database.view()
    }

    /// Runs one transaction and hands its record on. On a refusal nothing has changed.
    pub(crate) fn commit<T>(
        &mut self,
        out: &mut Outside<'_>,
        body: impl FnOnce(&Change<'_>, &mut Outside<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let committed: Result<Committed<T>, Stop> =
            self.database.transaction(|change| body(change, out));
        let Committed { value, changeset } = committed?;
        if let Some(changeset) = changeset {
            self.gate.log.changeset(&changeset, &self.key, out)?;
        }
        Ok(value)
    }

    /// Adds to the audit chain that a call was refused.
    pub(crate) fn note_refusal(
        &mut self,
        call: &Call<'_>,
        out: &mut Outside<'_>,
        subject: Option<&[u8]>,
    ) -> Result<(), Stop> {
        let (operation, device) = (&call.request.operation, Some(&call.device));
        self.commit(out, |change, out| {
            audit::note(change, out.now, operation, device, subject, false)
        })
    }

    /// Tries a PIN on the open vault. A wrong one is on record, and this session's earlier proof no
    /// longer counts.
    pub(crate) fn try_pin(
        &mut self,
        pin: &Secret,
        call: &Call<'_>,
        out: &mut Outside<'_>,
    ) -> Result<RightPin, Stop> {
        match self.gate.try_pin(pin, out) {
            Err(Stop::Refused(refusal)) => {
                self.pins.forget(&call.caller.session);
                self.note_refusal(call, out, None)?;
                Err(refusal.into())
            }
            tried => tried,
        }
    }
}

/// In which sessions the PIN was proven, and when.
#[derive(Debug, Default)]
pub(crate) struct FreshPins(BTreeMap<SessionId, UnixMillis>);

impl FreshPins {
    /// The PIN was proven now. Proofs that no longer count are forgotten, so there are never more
    /// than were made within [`limits::FRESH_PIN`].
    pub(crate) fn prove(&mut self, session: SessionId, now: UnixMillis) {
        self.0
            .retain(|_, proven| now.since(*proven) <= limits::FRESH_PIN);
        self.0.insert(session, now);
    }

    /// Whether a proof of this session still counts.
    pub(crate) fn is_fresh(&self, session: &SessionId, now: UnixMillis) -> bool {
        self.0
            .get(session)
            .is_some_and(|proven| now.since(*proven) <= limits::FRESH_PIN)
    }

    /// A proof no longer counts.
    pub(crate) fn forget(&mut self, session: &SessionId) {
        self.0.remove(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_counts_for_five_minutes_and_its_session_only() {
        let mut pins = FreshPins::default();
        let (this, other) = (SessionId([1; 16]), SessionId([2; 16]));
        pins.prove(this, UnixMillis(1_000));

        assert!(pins.is_fresh(&this, UnixMillis(1_000 + limits::FRESH_PIN)));
        assert!(!pins.is_fresh(&this, UnixMillis(1_001 + limits::FRESH_PIN)));
        assert!(!pins.is_fresh(&other, UnixMillis(1_000)));
        pins.forget(&this);
        assert!(!pins.is_fresh(&this, UnixMillis(1_000)));
    }

    #[test]
    fn old_proofs_are_forgotten() {
        let mut pins = FreshPins::default();
        for number in 0..100_u8 {
            pins.prove(
                SessionId([number; 16]),
                UnixMillis(u64::from(number) * limits::FRESH_PIN),
            );
        }

        assert_eq!(pins.0.len(), 2);
    }
}
