//! All that this program says to its operator: a fixed list of events, each with at most a number.
//! Nothing in it names an owner or holds a byte of a request.

use vettid_wire::link::{Level, LogLine};

use crate::evidence::NotMade;

/// May leave the enclave in the clear. Implemented by types whose every value is harmless.
pub trait LogSafe {
    /// The line that the host gets.
    fn line(&self) -> LogLine;
}

/// What may be said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogEvent {
    /// A frame was dropped: the vault process did not keep up. With how many so far.
    FrameDropped(u64),
    /// The kernel refused to fork, with this error number.
    ForkRefused(u64),
    /// What an earlier release handed over counts for nothing.
    HandoverRefused,
    /// A home record of a vault process counts for nothing.
    HomeRefused,
    /// Something that the host keeps for this enclave does not open.
    KeptAltered,
    /// A newer network file is in force, in this epoch.
    NetworkAdopted(u64),
    /// A network file that the host handed over is not newer, of another network or not signed.
    NetworkRefused,
    /// The image is not among the network's reference values: apps will refuse it.
    NotAReferenceValue,
    /// Nothing could be shown in a session.
    NoEvidence(NotMade),
    /// What a later release seals to is not of this network, or not of a later release that it accepts.
    OfferRefused,
    /// A vault sent something before it had a home.
    OutboundUnclaimed,
    /// A vault process could not be confined; the exit code of the step.
    SandboxFailed(u64),
    /// Vaults do not get their own user, since this does not run as root.
    SharedUser,
    /// A vault process ended unexpectedly, with this exit code or 1000 and its signal.
    VaultCrashed(u64),
    /// A vault process sent what is no frame of the lane, and was killed.
    VaultMisbehaved,
    /// A vault process did not end in time, and was killed.
    VaultStuck,
}

impl LogSafe for LogEvent {
    fn line(&self) -> LogLine {
        let (level, event, count) = match *self {
            Self::FrameDropped(count) => (Level::Warn, "frame dropped: vault is busy", Some(count)),
            Self::ForkRefused(error) => (Level::Warn, "fork refused", Some(error)),
            Self::HandoverRefused => (
                Level::Warn,
                "what an earlier release handed over is not accepted",
                None,
            ),
            Self::HomeRefused => (Level::Warn, "home of a vault refused", None),
            Self::KeptAltered => (
                Level::Warn,
                "what the host keeps was altered or is of another",
                None,
            ),
            Self::NetworkAdopted(epoch) => {
                (Level::Info, "newer network file in force", Some(epoch))
            }
            Self::NetworkRefused => (Level::Warn, "network file refused", None),
            Self::OfferRefused => (
                Level::Warn,
                "the later release that was prepared is not accepted",
                None,
            ),
            Self::OutboundUnclaimed => (Level::Error, "vault sent before it had a home", None),
            Self::NotAReferenceValue => (
                Level::Warn,
                "this image is not a reference value of its network",
                None,
            ),
            Self::NoEvidence(why) => no_evidence(why),
            Self::SandboxFailed(code) => (Level::Error, "sandbox step failed", Some(code)),
            Self::SharedUser => (Level::Warn, "not root: vaults share one user", None),
            Self::VaultCrashed(code) => (Level::Error, "vault process crashed", Some(code)),
            Self::VaultMisbehaved => (Level::Error, "vault process misbehaved", None),
            Self::VaultStuck => (Level::Error, "vault process was stuck", None),
        };
        LogLine {
            level,
            event: event.to_owned(),
            count,
        }
    }
}

/// A session that begins while another network file comes into force is begun anew, and nothing is amiss.
const fn no_evidence(why: NotMade) -> (Level, &'static str, Option<u64>) {
    match why {
        NotMade::Foreign => (
            Level::Warn,
            "no evidence made: asked for another node or network",
            None,
        ),
        NotMade::OtherEpoch => (
            Level::Info,
            "no evidence made: the network file has changed",
            None,
        ),
        NotMade::Platform => (
            Level::Warn,
            "no evidence made: the platform makes no document",
            None,
        ),
        NotMade::TooMany => (
            Level::Warn,
            "no evidence made: too many were asked for in a second",
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_fixed_text_and_at_most_a_number() {
        let line = LogEvent::VaultCrashed(7).line();

        assert_eq!(line.event, "vault process crashed");
        assert_eq!((line.level, line.count), (Level::Error, Some(7)));
        assert_eq!(LogEvent::SharedUser.line().count, None);
    }
}
