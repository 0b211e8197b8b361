//! `CiphertextForRecipient`: CMS `EnvelopedData` in BER with indefinite lengths, as the service writes
//! it. RFC 5652, section 6.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use data_encoding::HEXLOWER;
use vettid_crypto::Entropy;
use vettid_crypto::digest::sha256;

use crate::raw::SystemEntropy;

/// Encloses `plaintext` for a public key, `SubjectPublicKeyInfo` in DER.
pub(super) fn around(plaintext: &[u8], public_key: &[u8]) -> Vec<u8> {
    let (content_key, iv) = (random::<32>(), random::<16>());
    let cipher = UnboundCipherKey::new(&AES_256, &content_key).expect("a key");
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).expect("a key");
    let mut content = plaintext.to_vec();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    cipher
        .less_safe_encrypt(&mut content, context)
        .expect("encrypted");
    let key = PublicEncryptingKey::from_der(public_key).expect("a public key");
    let key = OaepPublicEncryptingKey::new(key).expect("a public key");
    let mut wrapped = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, &content_key, &mut wrapped, None)
        .expect("wrapped");

    let hash = field(0x30, &[hex("0609608648016503040201"), vec![5, 0]].concat());
    let mask = [hex("06092a864886f70d010108"), hash.clone()].concat();
    let oaep = [field(0xa0, &hash), field(0xa1, &field(0x30, &mask))];
    let oaep = [hex("06092a864886f70d010107"), field(0x30, &oaep.concat())].concat();
    let recipient = [
        field(2, &[2]),
        field(0x80, &sha256(public_key)),
        field(0x30, &oaep),
        field(4, &wrapped),
    ];
    let cipher = [hex("060960864801650304012a"), field(4, &iv)].concat();
    let content = [
        hex("06092a864886f70d010701"),
        field(0x30, &cipher),
        endless(0xa0, &field(4, &content)),
    ];
    let data = [
        field(2, &[2]),
        field(0x31, &field(0x30, &recipient.concat())),
        endless(0x30, &content.concat()),
    ];
    let data = endless(0xa0, &endless(0x30, &data.concat()));
    endless(0x30, &[hex("06092a864886f70d010703"), data].concat())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemEntropy.fill(&mut bytes);
    bytes
}

fn hex(digits: &str) -> Vec<u8> {
    HEXLOWER.decode(digits.as_bytes()).expect("digits")
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).expect("short").to_be_bytes();
    let length = match (high, low) {
        (0, 0..=127) => vec![low],
        (0, _) => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], length.as_slice(), content].concat()
}

fn endless(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x80], content, &[0, 0]].concat()
}
