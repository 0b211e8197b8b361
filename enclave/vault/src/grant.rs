//! Every grant, and the one place that decides who earns it.
//!
//! A grant is earned from [`Facts`] that the dispatcher has established, has no other constructor,
//! and is handed by value to the operation that spends it. [`decide`] denies whatever it does not
//! name. What a grant lends hangs on it: only [`OwnerPresent`] reaches critical values.

use vettid_wire::id::DeviceId;
use vettid_wire::operation::device::Role;
use vettid_wire::refusal::Code;
use vettid_wire::request::Proof;

use crate::credential::Presence;
use crate::lifecycle::Phase;
use crate::stop::Stop;

/// What is established about a caller before an operation runs.
#[derive(Debug)]
pub(crate) struct Facts {
    /// State of the vault.
    pub(crate) phase: Phase,
    /// Who asks, by the key that its session has proven.
    pub(crate) device: DeviceId,
    /// Role of that device, if it is registered and not revoked.
    pub(crate) role: Option<Role>,
    /// Whether the PIN was proven in this session, not too long ago.
    pub(crate) fresh_pin: bool,
    /// The owner's presence, proven by password and current credential for this one request.
    pub(crate) presence: Option<Presence>,
}

/// Kind of a grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A device with role app.
    App,
    /// A registered device of an open vault.
    Device,
    /// Setting up, once.
    Enrolling,
    /// App, with the PIN proven in this session within five minutes.
    FreshPin,
    /// App, with the current credential and the password, sealed to a one-time key.
    OwnerPresent,
    /// A registered device, before the vault is open or after.
    Unlocking,
}

impl Kind {
    /// As in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "App",
            Self::Device => "Device",
            Self::Enrolling => "Enrolling",
            Self::FreshPin => "FreshPin",
            Self::OwnerPresent => "OwnerPresent",
            Self::Unlocking => "Unlocking",
        }
    }

    /// Whether the proof that a request type encloses is the one that this grant is earned from.
    /// Only enrollment has both: the invitation first, then the first password.
    pub(crate) const fn matches(self, proof: Proof) -> bool {
        match self {
            Self::App | Self::Device | Self::FreshPin | Self::Unlocking => {
                matches!(proof, Proof::Session)
            }
            Self::Enrolling => true,
            Self::OwnerPresent => matches!(proof, Proof::Owner),
        }
    }
}

/// The decision. Everything that is not granted here is refused.
fn decide(kind: Kind, facts: &Facts) -> Result<(), Code> {
    match (kind, facts.phase) {
        (Kind::Enrolling, Phase::Fresh | Phase::Staged) => return Ok(()),
        // One who has set it up hears what came of it once it is open.
        (Kind::Enrolling, Phase::Sealed) if facts.role.is_some() => return Err(Code::Locked),
        (Kind::Enrolling, Phase::Sealed | Phase::Unlocked) => return Err(Code::AlreadyEnrolled),
        (_, Phase::Fresh | Phase::Staged) => return Err(Code::NotEnrolled),
        (_, Phase::Unusable) => return Err(Code::Damaged),
        (_, Phase::Sealed | Phase::Unlocked) => {}
    }
    let role = facts.role.ok_or(Code::UnknownDevice)?;
    if kind == Kind::Unlocking {
        return Ok(());
    }
    if facts.phase != Phase::Unlocked {
        return Err(Code::Locked);
    }
    match kind {
        Kind::Device => Ok(()),
        _ if role != Role::App => Err(Code::NotAllowed),
        Kind::App => Ok(()),
        Kind::FreshPin if facts.fresh_pin => Ok(()),
        Kind::FreshPin => Err(Code::PinNeeded),
        Kind::OwnerPresent if facts.presence.is_some() => Ok(()),
        Kind::OwnerPresent => Err(Code::ProofInvalid),
        Kind::Enrolling | Kind::Unlocking => Err(Code::NotAllowed),
    }
}

/// A right to run one operation, once.
pub(crate) trait Grant: Sized {
    /// Which.
    const KIND: Kind;

    /// Earns it from the facts, or is refused.
    fn earn(facts: Facts) -> Result<Self, Stop>;
}

macro_rules! grants {
    ($($(#[$doc:meta])+ $name:ident,)+) => {$(
        $(#[$doc])+
        #[derive(Debug)]
        pub(crate) struct $name {
            device: DeviceId,
        }

        impl $name {
            /// Device that earned it.
            pub(crate) fn device(&self) -> &DeviceId {
                &self.device
            }
        }

        impl Grant for $name {
            const KIND: Kind = Kind::$name;

            fn earn(facts: Facts) -> Result<Self, Stop> {
                decide(Self::KIND, &facts)?;
                Ok(Self { device: facts.device })
            }
        }
    )+};
}

grants! {
    /// A device with role app.
    App,
    /// A registered device of an open vault.
    Device,
    /// App, with the PIN proven in this session within five minutes.
    FreshPin,
    /// A registered device, before the vault is open or after.
    Unlocking,
}

/// Setting up, once.
#[derive(Debug)]
pub(crate) struct Enrolling(());

impl Grant for Enrolling {
    const KIND: Kind = Kind::Enrolling;

    fn earn(facts: Facts) -> Result<Self, Stop> {
        decide(Self::KIND, &facts)?;
        Ok(Self(()))
    }
}

/// The owner is there now. Lends what only an open credential holds.
#[derive(Debug)]
pub(crate) struct OwnerPresent {
    device: DeviceId,
    presence: Presence,
}

impl OwnerPresent {
    /// Device that earned it.
    pub(crate) fn device(&self) -> &DeviceId {
        &self.device
    }

    /// What the open credential lends.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }
}

impl Grant for OwnerPresent {
    const KIND: Kind = Kind::OwnerPresent;

    fn earn(facts: Facts) -> Result<Self, Stop> {
        decide(Self::KIND, &facts)?;
        let presence = facts.presence.ok_or(Code::ProofInvalid)?;
        Ok(Self {
            device: facts.device,
            presence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 5] = [
        Phase::Fresh,
        Phase::Staged,
        Phase::Sealed,
        Phase::Unlocked,
        Phase::Unusable,
    ];

    fn facts(phase: Phase, role: Option<Role>, fresh_pin: bool) -> Facts {
        Facts {
            phase,
            device: DeviceId([1; 32]),
            role,
            fresh_pin,
            presence: None,
        }
    }

    /// The verdict on each kind, in order, for one caller.
    fn verdicts(facts: &Facts) -> [Result<(), Code>; 6] {
        [
            Kind::Enrolling,
            Kind::Unlocking,
            Kind::Device,
            Kind::App,
            Kind::FreshPin,
            Kind::OwnerPresent,
        ]
        .map(|kind| decide(kind, facts))
    }

    #[test]
    fn every_state_of_vault_and_caller_earns_exactly_this() {
        use Code::*;
        let (yes, no) = (Ok(()), Err);
        for (phase, role, fresh, expected) in [
            (
                Phase::Fresh,
                None,
                false,
                [
                    yes,
                    no(NotEnrolled),
                    no(NotEnrolled),
                    no(NotEnrolled),
                    no(NotEnrolled),
                    no(NotEnrolled),
                ],
            ),
            (
                Phase::Staged,
                None,
                false,
                [
                    yes,
                    no(NotEnrolled),
                    no(NotEnrolled),
                    no(NotEnrolled),
                    no(NotEnrolled),
                    no(NotEnrolled),
                ],
            ),
            (
                Phase::Sealed,
                None,
                false,
                [
                    no(AlreadyEnrolled),
                    no(UnknownDevice),
                    no(UnknownDevice),
                    no(UnknownDevice),
                    no(UnknownDevice),
                    no(UnknownDevice),
                ],
            ),
            (
                Phase::Sealed,
                Some(Role::App),
                true,
                [
                    no(Locked),
                    yes,
                    no(Locked),
                    no(Locked),
                    no(Locked),
                    no(Locked),
                ],
            ),
            (
                Phase::Unlocked,
                None,
                true,
                [
                    no(AlreadyEnrolled),
                    no(UnknownDevice),
                    no(UnknownDevice),
                    no(UnknownDevice),
                    no(UnknownDevice),
                    no(UnknownDevice),
                ],
            ),
            (
                Phase::Unlocked,
                Some(Role::Desktop),
                true,
                [
                    no(AlreadyEnrolled),
                    yes,
                    yes,
                    no(NotAllowed),
                    no(NotAllowed),
                    no(NotAllowed),
                ],
            ),
            (
                Phase::Unlocked,
                Some(Role::Agent),
                true,
                [
                    no(AlreadyEnrolled),
                    yes,
                    yes,
                    no(NotAllowed),
                    no(NotAllowed),
                    no(NotAllowed),
                ],
            ),
            (
                Phase::Unlocked,
                Some(Role::App),
                false,
                [
                    no(AlreadyEnrolled),
                    yes,
                    yes,
                    yes,
                    no(PinNeeded),
                    no(ProofInvalid),
                ],
            ),
            (
                Phase::Unlocked,
                Some(Role::App),
                true,
                [no(AlreadyEnrolled), yes, yes, yes, yes, no(ProofInvalid)],
            ),
        ] {
            assert_eq!(
                verdicts(&facts(phase, role, fresh)),
                expected,
                "{phase:?} {role:?} {fresh}"
            );
        }
    }

    #[test]
    fn unusable_vault_grants_nothing() {
        let verdicts = verdicts(&facts(Phase::Unusable, Some(Role::App), true));

        assert!(verdicts.iter().all(Result::is_err));
    }

    #[test]
    fn unregistered_device_earns_nothing_but_enrollment_in_any_phase() {
        for phase in PHASES {
            let verdicts = verdicts(&facts(phase, None, true));

            assert!(verdicts[1..].iter().all(Result::is_err), "{phase:?}");
        }
    }
}
