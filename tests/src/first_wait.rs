//! The wait that three wrong PINs or passwords begin, in real time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use vettid_wire::limits;
use vettid_wire::refusal::Code;

use crate::raw::Fault;

/// A wait within which the right PIN or password is refused too.
pub struct FirstWait {
    since: Instant,
}

impl FirstWait {
    /// Call just before the third wrong one is sent: the wait ends no sooner than it would from here.
    #[must_use]
    pub fn from_now() -> Self {
        Self {
            since: Instant::now(),
        }
    }

    /// Whether the answer to the right PIN or password says to wait. A machine may be so slow that the
    /// wait is over; then the right one may be taken, and more cannot be shown.
    ///
    /// # Panics
    /// When anything else is answered, or the right one is taken within the wait.
    pub fn lasts<T: Debug>(&self, answer: Result<T, Fault>, when: &str) -> bool {
        let longest = Duration::from_millis(limits::ATTEMPT_WAITS[0]);
        match answer {
            Err(Fault::Refused(refusal)) if refusal.code == Code::Wait => {
                let told = Duration::from_secs(refusal.retry_after.expect("how long"));
                assert!(!told.is_zero() && told <= longest, "{when}: {told:?}");
                true
            }
            Ok(_) if self.since.elapsed() >= longest => {
                eprintln!("{when}: this machine is too slow, the wait of {longest:?} was over");
                false
            }
            other => panic!("{when}: {other:?}"),
        }
    }
}
