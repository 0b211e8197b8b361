//! Where the kernel's random bytes come from.

use std::fs;
use std::path::Path;

use crate::refusal::Refusal;

/// The kernel's name for its source of hardware randomness.
pub(crate) const SOURCE: &str = "/sys/class/misc/hw_random/rng_current";

/// The one source that is accepted: the secure module.
const REQUIRED: &str = "nsm-hwrng";

/// Refuses every other source, and none.
pub(crate) fn check(source: &Path) -> Result<(), Refusal> {
    match fs::read_to_string(source) {
        Ok(name) if name.trim_end() == REQUIRED => Ok(()),
        _ => Err(Refusal::Randomness),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secure_module_is_a_source() {
        let folder = tempfile::tempdir().expect("folder");
        let source = folder.path().join("rng_current");
        assert_eq!(check(&source), Err(Refusal::Randomness));

        for (name, expected) in [
            ("nsm-hwrng\n", Ok(())),
            ("nsm-hwrng", Ok(())),
            ("virtio_rng.0\n", Err(Refusal::Randomness)),
            ("nsm-hwrng-2\n", Err(Refusal::Randomness)),
            ("none\n", Err(Refusal::Randomness)),
            ("", Err(Refusal::Randomness)),
        ] {
            fs::write(&source, name).expect("write");
            assert_eq!(check(&source), expected, "{name:?}");
        }
    }
}
