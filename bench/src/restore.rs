//! Unlocking a vault of 10 MB, against reading and decrypting the same bytes.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use vettid_crypto::password::{Cost, hash};
use vettid_crypto::{Label, SecretBytes, SeededEntropy, VaultKey, seal};
use vettid_wire::{Secret, limits};

use crate::figure::Figure;
use crate::rounds::{median, side_by_side};
use crate::size::Size;
use crate::system::{PIN, System};
use crate::traffic::fill;

const SIZE: usize = 10 * 1024 * 1024;

/// Time of `vault.unlock` less Argon2id, against reading 10 MB from disk and opening its chunks.
pub(crate) fn unlock(size: Size) -> Result<Figure> {
    let system = System::with_owners(1)?;
    let owner = system.owners.first().context("owner")?;
    system.runtime.block_on(fill(owner, SIZE))?;
    let file = system.node.folder().join("reference.sealed");
    let key = VaultKey::from_bytes([7; 32]);
    write_reference(&file, &key)?;
    let (ours, reference) = side_by_side(
        size,
        || {
            system.runtime.block_on(async {
                owner.lock().await?;
                // The session with the next process is not part of the figure.
                owner.status().await?;
                let start = Instant::now();
                owner.unlock(&Secret::from(PIN)).await?;
                Ok::<_, anyhow::Error>(start.elapsed().as_secs_f64() * 1e3 - argon2()?)
            })
        },
        || {
            let start = Instant::now();
            read_reference(&file, &key)?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        },
    )?;
    Ok(Figure::new(
        "unlock_over_read_decrypt",
        ours,
        reference,
        "ms",
    ))
}

/// Milliseconds of one password hash at the standard cost: the median of a few, since one that is
/// disturbed would be more than all that is left of an unlock.
fn argon2() -> Result<f64> {
    let mut times = Vec::with_capacity(HASHES);
    for _ in 0..HASHES {
        let start = Instant::now();
        hash(PIN.as_bytes(), &[1; 16], Cost::STANDARD)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&mut times))
}

/// Password hashes that are timed after each unlock.
const HASHES: usize = 3;

const SEALED_CHUNK: usize = limits::SNAPSHOT_CHUNK + seal::OVERHEAD;

fn write_reference(file: &Path, key: &VaultKey) -> Result<()> {
    let mut entropy = SeededEntropy::dangerous_new(1);
    let mut sealed = Vec::with_capacity(SIZE + SIZE / 64);
    for _ in 0..SIZE / limits::SNAPSHOT_CHUNK {
        let chunk = vec![7; limits::SNAPSHOT_CHUNK];
        sealed.extend(seal::seal(
            key,
            Label::SnapshotChunk,
            &[],
            &chunk,
            &mut entropy,
        ));
    }
    Ok(fs::write(file, sealed)?)
}

fn read_reference(file: &Path, key: &VaultKey) -> Result<()> {
    for chunk in fs::read(file)?.chunks(SEALED_CHUNK) {
        seal::open(key, Label::SnapshotChunk, &[], chunk)?;
    }
    Ok(())
}
