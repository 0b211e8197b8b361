//! What MLS costs two vaults for each message, against sealing and opening the same bytes.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use vettid_crypto::{Label, SecretBytes, SeededEntropy, VaultKey, seal};
use vettid_vault::MeasuredPair;

use crate::figure::Figure;
use crate::rounds::side_by_side;
use crate::size::Size;

/// Messages of one round.
const TIMES: u32 = 500;
/// Plaintext of each message.
const KIB: usize = 1024;

/// Microseconds of saying and hearing one message of 1 KiB.
pub(crate) fn message(size: Size) -> Result<Figure> {
    let times = size.of(TIMES, 5);
    let plaintext = vec![7; KIB];
    let mut pair = MeasuredPair::connected(&mut SeededEntropy::dangerous_new(1))
        .context("two vaults do not connect")?;
    let mut entropy = SeededEntropy::dangerous_new(2);
    let key = VaultKey::from_bytes([7; 32]);
    let mut sealing = SeededEntropy::dangerous_new(3);
    let (ours, reference) = side_by_side(
        size,
        || {
            timed(times, || {
                let said = pair.say(&plaintext, &mut entropy).context("not said")?;
                let heard = pair.hear(&said, &mut entropy).context("not heard")?;
                ensure!(heard == KIB, "something else was heard");
                Ok(())
            })
        },
        || {
            timed(times, || {
                let label = Label::SnapshotChunk;
                let sealed = seal::seal(&key, label, &[], &plaintext, &mut sealing);
                seal::open(&key, label, &[], &sealed)?;
                Ok(())
            })
        },
    )?;
    Ok(Figure::new("mls_over_aead", ours, reference, "us"))
}

fn timed(times: u32, mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..times {
        once()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(times))
}
