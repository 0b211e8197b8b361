//! The host's wall clock. Nothing in an enclave relies on it.

use std::time::{SystemTime, UNIX_EPOCH};

use vettid_wire::time::UnixMillis;

/// Seconds since 1970; zero if the clock is before that.
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// Milliseconds since 1970; zero if the clock is before that.
#[must_use]
pub fn unix_millis() -> UnixMillis {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
