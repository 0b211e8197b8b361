//! The one place where a scenario waits for something that sends no event.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take on a slow machine that builds something else beside.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is something, at most for [`PATIENCE`]; fails with `what` after that.
///
/// # Panics
/// When it does not come about.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("{what}: not within {PATIENCE:?}"))
}

/// Looks until there is something, at most for `patience`.
pub fn within<T>(patience: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
    looking(patience, PAUSE, look)
}

/// Looks until there is something that does not last, at most for [`PATIENCE`].
pub fn closely<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    looking(PATIENCE, Duration::from_millis(1), look)
}

fn looking<T>(
    patience: Duration,
    pause: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(pause);
    }
}
