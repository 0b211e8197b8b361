//! Memory of what is idle: an admitted peer and a reservation, each with its connection, against a
//! stock connection.

use std::time::Duration;

use anyhow::{Context, Result};
use vettid_runtime::memory::private;

use crate::crowd::{Part, Player};
use crate::figure::Figure;
use crate::hosts::now;
use crate::size::Size;

/// Peers before the first look: what the first ones cost once is not theirs.
const FIRST: usize = 50;
/// Peers between the two looks.
const MORE: usize = 350;
/// From the last arrival to a look.
const QUIET: Duration = Duration::from_secs(10);

/// KiB of private memory per idle admitted peer, enclave's part included.
pub(crate) fn peer(size: Size) -> Result<Figure> {
    compare("idle_peer_kib", (Part::Node, Part::Peers), size)
}

/// KiB of private memory of a relay per idle reservation.
pub(crate) fn reservation(size: Size) -> Result<Figure> {
    compare("idle_reservation_kib", (Part::Relay, Part::Reserving), size)
}

fn compare(name: &'static str, ours: (Part, Part), size: Size) -> Result<Figure> {
    let ours = each(ours, size)?;
    let reference = each((Part::Stock, Part::StockPeers), size)?;
    Ok(Figure::new(name, ours, reference, "KiB"))
}

/// KiB that one more of a crowd costs whom it is around.
fn each((measured, crowd): (Part, Part), size: Size) -> Result<f64> {
    let (first, more) = (size.of(FIRST, 3), size.of(MORE, 8));
    let made = now();
    let mut measured = Player::start(measured, made, "")?;
    let address = measured.hear()?;
    let mut crowd = Player::start(crowd, made, &address)?;
    crowd.grow_to(first)?;
    let before = memory(&measured, size)?;
    crowd.grow_to(first.saturating_add(more))?;
    let after = memory(&measured, size)?;
    Ok((after - before) / f64::from(u32::try_from(more)?))
}

/// KiB of private memory once it is quiet.
fn memory(measured: &Player, size: Size) -> Result<f64> {
    std::thread::sleep(size.of(QUIET, Duration::from_secs(1)));
    let bytes = private(measured.pid()?, 0).context("it has ended")?;
    Ok(f64::from(u32::try_from(bytes / 1024)?))
}
