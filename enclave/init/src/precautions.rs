//! Memory leaves this machine in no way: no swap, no core dumps.

use std::path::Path;

use nix::sys::resource::{Resource, setrlimit};

use crate::refusal::Refusal;

/// Most files that a process may have open: a socket for each of 4096 vaults, twice, and room.
const OPEN_FILES: u64 = 16_384;

/// Refuses a kernel that could swap or write core dumps: the image's own has neither built in, and
/// then `proc` has no file that sets them up.
pub(crate) fn check(proc: &Path) -> Result<(), Refusal> {
    if proc.join("swaps").exists() {
        return Err(Refusal::Swap);
    }
    if proc.join("sys/kernel/core_pattern").exists() {
        return Err(Refusal::CoreDumps);
    }
    Ok(())
}

/// Limits for this process and all after it.
pub(crate) fn limit() -> Result<(), Refusal> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .and_then(|()| setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES))
        .map_err(Refusal::Limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_kernel_that_can_neither_swap_nor_dump_is_accepted() {
        let proc = tempfile::tempdir().expect("folder");

        assert_eq!(check(proc.path()), Ok(()));
    }

    #[test]
    fn a_kernel_that_can_swap_is_refused_even_without_a_swap_file() {
        let proc = tempfile::tempdir().expect("folder");
        fs::write(
            proc.path().join("swaps"),
            "Filename Type Size Used Priority\n",
        )
        .expect("write");

        assert_eq!(check(proc.path()), Err(Refusal::Swap));
    }

    #[test]
    fn a_kernel_that_can_write_core_dumps_is_refused() {
        let proc = tempfile::tempdir().expect("folder");
        fs::create_dir_all(proc.path().join("sys/kernel")).expect("folder");
        fs::write(proc.path().join("sys/kernel/core_pattern"), "core\n").expect("write");

        assert_eq!(check(proc.path()), Err(Refusal::CoreDumps));
    }
}
