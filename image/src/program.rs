//! Whether a program needs others: ELF, 64 bits, little-endian.

/// Kind of the program header that names a loader.
const LOADER: u32 = 3;

/// Whether `file` is an executable that the kernel starts without a loader.
pub(crate) fn is_static(file: &[u8]) -> bool {
    loader_is_named(file) == Some(false)
}

/// None when this is no such file.
fn loader_is_named(file: &[u8]) -> Option<bool> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let start = usize::try_from(u64::from_le_bytes(take(file, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(take(file, 54)?));
    let count = usize::from(u16::from_le_bytes(take(file, 56)?));
    for index in 0..count {
        let at = index.checked_mul(size)?.checked_add(start)?;
        if u32::from_le_bytes(take(file, at)?) == LOADER {
            return Some(true);
        }
    }
    Some(false)
}

fn take<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A header with one program header, which names a kind.
#[cfg(test)]
const fn with_header(kind: u8) -> [u8; 120] {
    let mut file = [0; 120];
    let mut at = 0;
    let magic = *b"\x7fELF\x02\x01";
    while at < magic.len() {
        file[at] = magic[at];
        at += 1;
    }
    file[32] = 64;
    file[54] = 56;
    file[56] = 1;
    file[64] = kind;
    file
}

#[cfg(test)]
pub(crate) const STATIC: &[u8] = &with_header(1);
#[cfg(test)]
pub(crate) const DYNAMIC: &[u8] = &with_header(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_loader_and_what_is_no_program_are_told_apart() {
        assert!(is_static(STATIC));
        assert!(!is_static(DYNAMIC));
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(&STATIC[..66]));
        assert!(!is_static(b""));
    }

    #[test]
    fn this_test_is_no_static_program() {
        let this = std::fs::read("/proc/self/exe").expect("program");

        assert!(!is_static(&this));
    }
}
