//! HMAC-SHA-256 of protocols that are not ours. RFC 2104.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::digest::sha256;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// HMAC-SHA-256 of `message` under a key of any length.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = Zeroizing::new([0; BLOCK]);
    // A key that is longer than a block stands for its digest.
    let digest = Zeroizing::new(sha256(key));
    let key = if key.len() > BLOCK { &*digest } else { key };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mac = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
    mac.chain_update(message).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_of_rfc_4231_come_out_for_short_and_for_long_keys() {
        let short = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let long = hmac_sha256(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
        );

        #[rustfmt::skip]
        assert_eq!(short, [
            0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
            0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
        ]);
        #[rustfmt::skip]
        assert_eq!(long, [
            0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5, 0xb7, 0x7f,
            0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54,
        ]);
    }
}
