//! The least that can be started: writes one byte and waits for its input to end.

use std::io::{Read, Write};

fn main() {
    let mut out = std::io::stdout();
    let said = out.write_all(b"r").and_then(|()| out.flush());
    debug_assert!(said.is_ok());
    let _ = std::io::stdin().read(&mut [0]);
}
