//! How long a transfer waits for what network and time may mend.

use std::time::Duration;

use vettid_wire::http::Code;

use crate::entropy::below;
use crate::error::Error;

/// Tries of one chunk that are left; each that got further counts anew.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    reached: usize,
}

impl Patience {
    /// Waits before another try, `reached` bytes into the chunk; gives the error back if no try can
    /// help, or none did.
    pub(super) async fn wait(&mut self, error: Error, reached: usize) -> Result<(), Error> {
        if reached > self.reached {
            self.failures = 0;
        }
        self.reached = reached;
        let pause = self.pause(&error).ok_or(error)?;
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn pause(&mut self, error: &Error) -> Option<Duration> {
        let asked = match error {
            Error::NodeRefused(reason) if reason.is(Code::TooFast) => reason.retry_after,
            Error::NodeRefused(reason) if reason.is_passing() => None,
            error if error.is_passing() => None,
            _ => return None,
        };
        if self.failures >= TRIES {
            return None;
        }
        let doubled = FIRST.saturating_mul(1 << self.failures);
        self.failures = self.failures.saturating_add(1);
        let asked = Duration::from_secs(asked.unwrap_or(0)).min(LONGEST);
        let jitter = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX) / 2;
        Some((doubled / 2 + Duration::from_millis(below(jitter))).max(asked))
    }
}

/// Tries without any progress, the first not counted.
const TRIES: u32 = 5;
const FIRST: Duration = Duration::from_millis(500);
/// Longest wait that a node can ask for.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Fault, Unreachable};
    use vettid_wire::http::Reason;

    fn refused(code: &str, retry_after: Option<u64>) -> Error {
        Error::NodeRefused(Reason {
            code: code.into(),
            message: String::new(),
            retry_after,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end_but_progress_renews_them() {
        let mut patience = Patience::default();
        for reached in [0, 0, 0, 0, 0, 7, 7, 7, 7, 7] {
            let waited = patience.wait(Unreachable::Bus.into(), reached).await;
            assert_eq!(waited, Ok(()));
        }

        let given_up = patience.wait(Unreachable::Bus.into(), 7).await;

        assert_eq!(given_up, Err(Unreachable::Bus.into()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_time_mends_is_not_tried_again() {
        let mut patience = Patience::default();
        for error in [refused("quota", None), Fault::Key.into()] {
            assert_eq!(patience.wait(error.clone(), 1).await, Err(error));
        }
    }

    #[test]
    fn node_that_wants_fewer_requests_is_listened_to() {
        let mut patience = Patience::default();
        let pause = patience.pause(&refused("too-fast", Some(9)));
        let bounded = patience.pause(&refused("too-fast", Some(9_999)));

        assert_eq!(pause, Some(Duration::from_secs(9)));
        assert_eq!(bounded, Some(LONGEST));
    }
}
