//! Random bytes of the operating system.

use vettid_crypto::Entropy;

/// The operating system's entropy, drawn at every call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(
        clippy::panic,
        reason = "without entropy there is no key; a source must not go on"
    )]
    fn fill(&mut self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            panic!("the operating system gives no entropy");
        }
    }
}

/// A random number below `bound`, slightly uneven; for waits, never for keys. Zero for zero.
pub(crate) fn below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    OsEntropy.fill(&mut bytes);
    u64::from_be_bytes(bytes).checked_rem(bound).unwrap_or(0)
}
