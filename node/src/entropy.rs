//! Random bytes of the operating system.

/// Draws from the operating system at every call.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl vettid_crypto::Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            // Without randomness nothing here may go on: tokens would be guessable.
            std::process::abort();
        }
    }
}

/// `N` random bytes.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    vettid_crypto::Entropy::bytes(&mut OsEntropy)
}
