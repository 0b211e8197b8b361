//! What keeps secrets out of files that the system or a crash would write.

use std::panic;

/// No core dumps, and no values in the message of a panic.
pub(crate) fn harden() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};
        // Without the right to lower its own limit a process could not start at all.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    }
    panic::set_hook(Box::new(|stopped| {
        let place = stopped
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        eprintln!("vettid stopped at {place}: a fault of this program, please report it");
    }));
}
