//! Where random bytes come from.

use rand_core::{Infallible, TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// A source of random bytes.
///
/// Implementations draw from the operating system or the platform's module at every call and keep
/// no state of their own: a forked process must never repeat what its sibling draws. A source that
/// cannot deliver must end the process; there is no degraded mode.
pub trait Entropy {
    /// Fills `out` with unpredictable bytes.
    fn fill(&mut self, out: &mut [u8]);

    /// Draws `N` bytes.
    fn bytes<const N: usize>(&mut self) -> [u8; N]
    where
        Self: Sized,
    {
        draw(self)
    }
}

/// Draws `N` bytes from a source behind a reference.
pub(crate) fn draw<const N: usize>(entropy: &mut (impl Entropy + ?Sized)) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

impl<E: Entropy + ?Sized> Entropy for Box<E> {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

/// Repeatable bytes from a seed, for tests and vectors only: anyone who knows the seed knows them.
#[derive(Debug, Clone)]
pub struct SeededEntropy {
    seed: [u8; 32],
    block: u64,
}

impl SeededEntropy {
    /// The same seed gives the same bytes in the same order.
    #[must_use]
    pub fn dangerous_new(seed: u64) -> Self {
        Self {
            seed: Sha256::digest(seed.to_be_bytes()).into(),
            block: 0,
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.block.to_be_bytes());
            self.block = self.block.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(hash.finalize()) {
                *to = from;
            }
        }
    }
}

/// Lends an [`Entropy`] to the primitive crates.
pub(crate) struct Rng<'a, E: Entropy + ?Sized>(pub(crate) &'a mut E);

impl<E: Entropy + ?Sized> TryRng for Rng<'_, E> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(draw(self.0)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(draw(self.0)))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl<E: Entropy + ?Sized> TryCryptoRng for Rng<'_, E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_repeats_and_two_seeds_differ() {
        let first: [u8; 80] = SeededEntropy::dangerous_new(1).bytes();

        assert_eq!(first, SeededEntropy::dangerous_new(1).bytes::<80>());
        assert_ne!(first, SeededEntropy::dangerous_new(2).bytes::<80>());
    }

    #[test]
    fn successive_draws_differ() {
        let mut entropy = SeededEntropy::dangerous_new(1);

        assert_ne!(entropy.bytes::<32>(), entropy.bytes::<32>());
    }
}
