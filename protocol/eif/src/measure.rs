//! What the hypervisor measures of an image, as it will stand in attestation documents.

use vettid_crypto::digest::{Sha384Stream, sha384};

/// The first three platform configuration registers of an enclave that boots an image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Registers {
    /// The whole image.
    pub pcr0: [u8; 48],
    /// Kernel, command line and first ramdisk.
    pub pcr1: [u8; 48],
    /// The ramdisks from the second on.
    pub pcr2: [u8; 48],
}

impl Registers {
    /// From the parts in the order of the file.
    pub(crate) fn of(kernel: &[u8], command_line: &[u8], ramdisks: &[&[u8]]) -> Self {
        let (first, others) = ramdisks.split_at(ramdisks.len().min(1));
        let boot = [kernel, command_line];
        Self {
            pcr0: register(boot.iter().chain(ramdisks)),
            pcr1: register(boot.iter().chain(first)),
            pcr2: register(others.iter()),
        }
    }
}

/// A register that held zeros, extended once with the digest of the parts.
fn register<'a>(parts: impl Iterator<Item = &'a &'a [u8]>) -> [u8; 48] {
    let mut content = Sha384Stream::default();
    for part in parts {
        content.update(part);
    }
    let mut extended = [0; 96];
    for (to, from) in extended.iter_mut().skip(48).zip(content.finish()) {
        *to = from;
    }
    sha384(&extended)
}
