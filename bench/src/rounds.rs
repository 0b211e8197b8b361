//! Alternating rounds and medians: the machine's mood hits both sides alike.

use crate::size::Size;

/// Rounds of every comparison.
const ROUNDS: usize = 5;

/// Runs `ours` and `reference` in turn and returns the median of each.
pub(crate) fn side_by_side<E>(
    size: Size,
    mut ours: impl FnMut() -> Result<f64, E>,
    mut reference: impl FnMut() -> Result<f64, E>,
) -> Result<(f64, f64), E> {
    let mut left = Vec::with_capacity(ROUNDS);
    let mut right = Vec::with_capacity(ROUNDS);
    for _ in 0..size.of(ROUNDS, 1) {
        left.push(ours()?);
        right.push(reference()?);
    }
    Ok((median(&mut left), median(&mut right)))
}

/// The middle value; of an even number, the upper one of the two. Zero for none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&mut []).abs() < f64::EPSILON);
    }
}
