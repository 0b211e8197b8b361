//! What is said on the machine's console, which hardware shows to nobody and an emulator to its test.

use std::io::{self, Write};

use vettid_attestation::Measurement;

/// Tells what booted, as the image's builder tells it.
pub fn tell_registers(measurement: &Measurement) {
    // A console that takes nothing is no reason not to serve.
    let _ = write(&mut io::stderr(), measurement);
}

fn write(out: &mut impl Write, measurement: &Measurement) -> io::Result<()> {
    let registers = [measurement.pcr0(), measurement.pcr1(), measurement.pcr2()];
    for (index, register) in registers.iter().enumerate() {
        let mut line = format!("PCR{index} ");
        for byte in *register {
            line.push_str(&format!("{byte:02x}"));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_told_in_hexadecimal_a_line_each() {
        let measurement = Measurement::new([0x0a; 48], [0xb0; 48], [0xff; 48]).expect("not debug");
        let mut out = Vec::new();

        write(&mut out, &measurement).expect("written");

        let told = String::from_utf8(out).expect("text");
        let [a, b, c] = ["0a", "b0", "ff"].map(|byte| byte.repeat(48));
        assert_eq!(told, format!("PCR0 {a}\nPCR1 {b}\nPCR2 {c}\n"));
    }
}
