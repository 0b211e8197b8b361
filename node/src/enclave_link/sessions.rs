//! Sessions that apps have with one vault, as far as envelopes show them to a host.
//!
//! A vault process that dies answers nobody any more. Its host knows whom it has passed on, and
//! tells those apps, so that none of them waits for an answer that cannot come.

use std::collections::VecDeque;

use bytes::Bytes;
use vettid_wire::envelope::Envelope;
use vettid_wire::id::{DeviceRoute, SessionId};
use vettid_wire::limits;

/// Sessions remembered of one vault; twice what it keeps itself, since some of them have ended.
const SESSIONS: usize = 2 * (limits::DEVICE_SESSIONS + limits::HALF_OPEN_SESSIONS);

/// Sessions with one vault process, the latest to speak last. Bounded: the one that was silent for
/// longest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Sessions(VecDeque<(DeviceRoute, SessionId)>);

impl Sessions {
    /// An app spoke in a session.
    pub(super) fn spoke(&mut self, envelope: &[u8]) {
        let Ok(Envelope {
            device, session, ..
        }) = Envelope::parse(envelope)
        else {
            return;
        };
        if self.0.back() == Some(&(device, session)) {
            return;
        }
        self.ended(device, session);
        if self.0.len() >= SESSIONS {
            self.0.pop_front();
        }
        self.0.push_back((device, session));
    }

    /// A session is over, and its app knows.
    pub(super) fn ended(&mut self, device: DeviceRoute, session: SessionId) {
        self.0.retain(|known| *known != (device, session));
    }

    /// What tells every app that its session is gone; they are forgotten.
    pub(super) fn goodbyes(&mut self) -> impl Iterator<Item = (DeviceRoute, Bytes)> + use<> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|(device, session)| (device, goodbye(device, session)))
    }

    /// Forgets all of them without a word.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// The answer to an envelope whose session is not known here.
pub(super) fn reset_for(envelope: &[u8]) -> Option<(DeviceRoute, Bytes)> {
    let Envelope {
        device, session, ..
    } = Envelope::parse(envelope).ok()?;
    Some((device, goodbye(device, session)))
}

fn goodbye(device: DeviceRoute, session: SessionId) -> Bytes {
    Bytes::from(Envelope::reset(device, session).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceRoute = DeviceRoute([3; 16]);

    fn session(number: usize) -> SessionId {
        SessionId([u8::try_from(number).expect("small"); 16])
    }

    fn told(sessions: &mut Sessions) -> Vec<SessionId> {
        sessions
            .goodbyes()
            .map(|(_, goodbye)| Envelope::parse(&goodbye).expect("an envelope").session)
            .collect()
    }

    /// Sessions in which these spoke, in this order.
    fn spoken(numbers: impl IntoIterator<Item = usize>) -> Sessions {
        let mut sessions = Sessions::default();
        for number in numbers {
            sessions.spoke(&goodbye(DEVICE, session(number)));
        }
        sessions
    }

    #[test]
    fn each_session_is_told_once_and_then_forgotten() {
        let mut sessions = spoken([1, 2, 1, 1]);

        assert_eq!(told(&mut sessions), [session(2), session(1)]);
        assert_eq!(told(&mut sessions), []);
    }

    #[test]
    fn session_that_has_ended_is_not_told_again() {
        let mut sessions = spoken([1, 2]);

        sessions.ended(DEVICE, session(1));

        assert_eq!(told(&mut sessions), [session(2)]);
    }

    #[test]
    fn sessions_that_were_silent_for_longest_are_forgotten_first() {
        let mut sessions = spoken((0..SESSIONS).chain([0, SESSIONS]));

        let told = told(&mut sessions);

        assert_eq!(told.len(), SESSIONS);
        assert!(told.contains(&session(0)) && !told.contains(&session(1)));
    }

    #[test]
    fn bytes_that_are_no_envelope_are_no_session() {
        let mut sessions = Sessions::default();

        sessions.spoke(b"noise");

        assert_eq!(told(&mut sessions), []);
        assert_eq!(reset_for(b"noise"), None);
    }
}
