//! How often a PIN or password may be tried.
//!
//! An attempt is charged, durably, before it is tried, and taken back when it was right. So neither
//! a crash nor a restart gives one back, and the account alone decides: three attempts are free,
//! then each costs a longer wait, and after a hundred only recovery helps.

use vettid_store::Attempts;
use vettid_wire::limits;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::time::{SECOND, UnixMillis};

/// The account after one more attempt, if one may be made now.
pub(crate) fn charge(account: Attempts, now: UnixMillis) -> Result<Attempts, Refusal> {
    if account.failed >= limits::ATTEMPT_CAP {
        return Err(Code::Exhausted.into());
    }
    if let Some(seconds) = seconds_to_wait(account, now) {
        return Err(Refusal::wait(seconds));
    }
    let failed = account.failed.saturating_add(1);
    let not_before = wait_after(failed).map_or_else(UnixMillis::default, |wait| now.plus(wait));
    Ok(Attempts { failed, not_before })
}

/// The refusal of an attempt that was wrong, with the wait before the next one.
pub(crate) fn wrong(code: Code, charged: Attempts, now: UnixMillis) -> Refusal {
    Refusal {
        retry_after: seconds_to_wait(charged, now),
        ..code.into()
    }
}

/// Whole seconds until an attempt may be made, rounded up; none if one may be made now.
fn seconds_to_wait(account: Attempts, now: UnixMillis) -> Option<u64> {
    let wait = account.not_before.since(now);
    (wait > 0).then(|| wait.div_ceil(SECOND))
}

/// Wait behind the attempt that made this many fail.
fn wait_after(failed: u32) -> Option<u64> {
    let index = usize::try_from(failed.checked_sub(limits::FREE_ATTEMPTS)?).ok()?;
    limits::ATTEMPT_WAITS
        .get(index)
        .or(limits::ATTEMPT_WAITS.last())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::time::{HOUR, MINUTE};

    /// Charges attempts as soon as they may be made; returns the waits between them.
    fn waits(count: usize) -> Vec<u64> {
        let (mut account, mut now, mut waits) = (Attempts::default(), UnixMillis(HOUR), Vec::new());
        for _ in 0..count {
            account = charge(account, now).expect("charged");
            waits.push(account.not_before.since(now));
            now = now.max(account.not_before);
        }
        waits
    }

    #[test]
    fn three_attempts_are_free_and_then_waits_grow_to_an_hour() {
        let expected = [
            0,
            0,
            30 * SECOND,
            MINUTE,
            5 * MINUTE,
            15 * MINUTE,
            HOUR,
            HOUR,
            HOUR,
        ]
        .to_vec();

        assert_eq!(waits(9), expected);
    }

    #[test]
    fn attempt_within_the_wait_is_refused_with_the_seconds_left_and_not_charged() {
        let account = Attempts {
            failed: 3,
            not_before: UnixMillis(10_000),
        };

        assert_eq!(charge(account, UnixMillis(1)), Err(Refusal::wait(10)));
        assert_eq!(charge(account, UnixMillis(9_999)), Err(Refusal::wait(1)));
        assert!(charge(account, UnixMillis(10_000)).is_ok());
    }

    #[test]
    fn hundred_wrong_attempts_exhaust_the_account_for_good() {
        assert_eq!(waits(100).len(), 100);
        let account = Attempts {
            failed: 100,
            not_before: UnixMillis(0),
        };

        assert_eq!(
            charge(account, UnixMillis(u64::MAX)),
            Err(Code::Exhausted.into())
        );
    }

    #[test]
    fn wrong_attempt_is_told_the_wait_that_it_caused() {
        let now = UnixMillis(1_000);
        let free = charge(Attempts::default(), now).expect("charged");
        let third = charge(
            Attempts {
                failed: 2,
                ..Attempts::default()
            },
            now,
        )
        .expect("charged");

        assert_eq!(wrong(Code::WrongPin, free, now).retry_after, None);
        assert_eq!(wrong(Code::WrongPin, third, now).retry_after, Some(30));
    }
}
