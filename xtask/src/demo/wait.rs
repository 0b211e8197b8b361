//! The one place where the story waits for something that takes its time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks until there is something, for a minute at most; a failed look ends it.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("not within {PATIENCE:?}: {what}");
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_ends_the_wait_and_so_does_a_failure() {
        let mut looks = 0;
        let found = until("two looks", || {
            looks += 1;
            Ok((looks == 2).then_some(looks))
        });
        assert_eq!(found.unwrap(), 2);

        let failed: Result<()> = until("nothing", || bail!("broken"));
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }
}
