//! Each program holds its own platform and nothing of the other.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

use std::fs;

/// Texts that only the emulated attester needs: names of its certificates and its fixed registers.
const EMULATED: [&str; 2] = ["emulated.vettid", "vettid/1/emulated-boot"];

/// Texts that only the Nitro platform needs.
const NITRO: [&str; 2] = ["/dev/nsm", "nsm-hwrng"];

fn holds(program: &[u8], text: &str) -> bool {
    program
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn the_hardware_program_holds_nothing_of_the_emulated_attester() {
    let program = fs::read(env!("CARGO_BIN_EXE_vettid-enclave")).expect("program");

    for text in EMULATED {
        assert!(!holds(&program, text), "{text}");
    }
    // Names of its code, as far as the program keeps any.
    for symbol in ["EmulatedPlatform", "EmulatedAttester", "DevelopmentRoot"] {
        let mangled = format!("{}{symbol}", symbol.len());
        assert!(!holds(&program, &mangled), "{symbol}");
    }
    for text in NITRO {
        assert!(
            holds(&program, text),
            "{text}: this test looks for the wrong thing"
        );
    }
}

#[test]
fn the_emulated_program_holds_nothing_of_the_hardware_platform() {
    let program = fs::read(env!("CARGO_BIN_EXE_vettid-enclave-emulated")).expect("program");

    for text in NITRO {
        assert!(!holds(&program, text), "{text}");
    }
    for text in EMULATED {
        assert!(
            holds(&program, text),
            "{text}: this test looks for the wrong thing"
        );
    }
}
