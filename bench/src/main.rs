//! Measurements against peers, side by side.

fn main() {}
