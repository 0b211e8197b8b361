//! When a peer is let in, and what the operator is told when it is not.

use vettid_attestation::AppraisalError;
use vettid_session::{Error, Identity, Misuse, PeerIncompatible, PeerMisbehaved, ProvenPeer};
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{Admitted, NotAdmitted};
use vettid_wire::time::UnixMillis;

use crate::boot::registers;

/// Whom a link is for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The node that the host dialed, or that the other host named.
    pub(super) node: NodeId,
    /// PeerId that the transport has proven.
    pub(super) peer: Vec<u8>,
}

/// Decides on a peer whose evidence the policy has accepted. The expiry is the evidence's.
pub(super) fn admit(
    peer: &ProvenPeer,
    wanted: &Wanted,
    now: UnixMillis,
) -> Result<Admitted, NotAdmitted> {
    let ProvenPeer::Enclave {
        identity,
        appraised,
    } = peer
    else {
        return Err(NotAdmitted::Evidence);
    };
    let enclave = appraised.at(now).map_err(|_| NotAdmitted::Evidence)?;
    let is_wanted = enclave.node == wanted.node && *identity == Identity::Node(wanted.node);
    // Without this, an accepted enclave could be spoken to through anybody's host.
    let is_its_host = enclave.host_peers.contains(&wanted.peer);
    if !is_wanted || !is_its_host {
        return Err(NotAdmitted::Identity);
    }
    Ok(Admitted {
        node: enclave.node,
        release: enclave.release,
        measurement: registers(&enclave.measurement),
        expires: appraised.expires(),
    })
}

/// What an operator is told about a session that did not open or broke.
pub(super) fn reason(error: &Error) -> NotAdmitted {
    match error {
        Error::PeerIncompatible(PeerIncompatible::NotAccepted(AppraisalError::WrongPlatform)) => {
            NotAdmitted::Network
        }
        Error::PeerIncompatible(PeerIncompatible::NotAccepted(_)) => NotAdmitted::Measurement,
        Error::PeerIncompatible(_) | Error::Misuse(Misuse::PolicyChanged) => NotAdmitted::Network,
        Error::PeerMisbehaved(PeerMisbehaved::OtherNode(_)) => NotAdmitted::Identity,
        Error::PeerMisbehaved(PeerMisbehaved::TooSlow) | Error::Misuse(Misuse::TooLate) => {
            NotAdmitted::Slow
        }
        Error::Misuse(Misuse::Expired | Misuse::DocumentForgotten) => NotAdmitted::Replaced,
        Error::Internal(_) | Error::Misuse(_) | Error::PeerMisbehaved(_) => NotAdmitted::Evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_attestation::MeasurementHead;

    #[test]
    fn the_operator_learns_who_can_do_something_about_it() {
        let not_accepted = |error| Error::from(PeerIncompatible::NotAccepted(error));
        let head = measurement_head();
        for (error, told) in [
            (
                not_accepted(AppraisalError::WrongPlatform),
                NotAdmitted::Network,
            ),
            (
                not_accepted(AppraisalError::UnknownMeasurement(head)),
                NotAdmitted::Measurement,
            ),
            (
                not_accepted(AppraisalError::DebugMode),
                NotAdmitted::Measurement,
            ),
            (
                PeerIncompatible::PolicyEpoch { ours: 1, theirs: 2 }.into(),
                NotAdmitted::Network,
            ),
            (
                PeerMisbehaved::OtherNode(NodeId([1; 32])).into(),
                NotAdmitted::Identity,
            ),
            (PeerMisbehaved::TooSlow.into(), NotAdmitted::Slow),
            (PeerMisbehaved::Signature.into(), NotAdmitted::Evidence),
            (Misuse::Expired.into(), NotAdmitted::Replaced),
        ] {
            assert_eq!(reason(&error), told, "{error}");
        }
    }

    fn measurement_head() -> MeasurementHead {
        vettid_attestation::Measurement::new([1; 48], [2; 48], [3; 48])
            .expect("not debug")
            .head()
    }
}
