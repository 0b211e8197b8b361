//! The recipient of one answer of a key service: RSA-OAEP around an AES key, as CMS nests them.
//!
//! RSA-2048 with OAEP, SHA-256 and MGF1 with SHA-256 (RFC 8017, section 7.1); AES-256 in CBC mode with
//! the padding of RFC 5652, section 6.3. What is opened here is not authenticated by itself: it comes
//! over TLS from the service, and a wrong key comes out as an error or as nonsense.
//!
//! Native builds alone. The key is drawn from the operating system by AWS-LC.

use core::fmt;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use crate::WipedVec;
use crate::seal::NotOpened;

/// Bytes of a wrapped content key: one RSA-2048 block.
pub const WRAPPED: usize = 256;

/// Bytes of an initialization vector.
pub const IV: usize = 16;

/// No key could be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no recipient key could be made")]
pub struct NotMade;

/// An RSA key that opens one answer and is dropped.
pub struct RecipientKey {
    private: OaepPrivateDecryptingKey,
    public: Vec<u8>,
}

impl RecipientKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, NotMade> {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| NotMade)?;
        let public = private.public_key().as_der().map_err(|_| NotMade)?;
        let public = public.as_ref().to_vec();
        let private = OaepPrivateDecryptingKey::new(private).map_err(|_| NotMade)?;
        Ok(Self { private, public })
    }

    /// The public key as `SubjectPublicKeyInfo`, DER. RFC 5280, section 4.1.2.7.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Opens `content` under the AES key that is in `wrapped`.
    pub fn open(
        &self,
        wrapped: &[u8; WRAPPED],
        iv: &[u8; IV],
        content: &[u8],
    ) -> Result<WipedVec, NotOpened> {
        let mut room = Zeroizing::new([0; WRAPPED]);
        let key = self
            .private
            .decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, room.as_mut_slice(), None)
            .map_err(|_| NotOpened)?;
        let key = UnboundCipherKey::new(&AES_256, key).map_err(|_| NotOpened)?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| NotOpened)?;
        let mut padded = WipedVec::new(content.to_vec());
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let opened = key.decrypt(&mut padded, context).map_err(|_| NotOpened)?;
        Ok(WipedVec::new(opened.to_vec()))
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};
    use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};

    use super::*;

    const CONTENT_KEY: [u8; 32] = [7; 32];

    fn wrapped(public: &[u8], key: &[u8]) -> [u8; WRAPPED] {
        let public = PublicEncryptingKey::from_der(public).expect("a key");
        let public = OaepPublicEncryptingKey::new(public).expect("a key");
        let mut out = [0; WRAPPED];
        public
            .encrypt(&OAEP_SHA256_MGF1SHA256, key, &mut out, None)
            .expect("wrapped");
        out
    }

    fn encrypted(plaintext: &[u8]) -> ([u8; IV], Vec<u8>) {
        let key = UnboundCipherKey::new(&AES_256, &CONTENT_KEY).expect("a key");
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).expect("a key");
        let mut content = plaintext.to_vec();
        let iv = [9; IV];
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        key.less_safe_encrypt(&mut content, context)
            .expect("encrypted");
        (iv, content)
    }

    #[test]
    fn what_was_wrapped_for_a_key_opens_with_it_and_no_other() {
        let [key, other] = [0; 2].map(|_| RecipientKey::generate().expect("a key"));
        let wrapped = wrapped(key.public_key(), &CONTENT_KEY);
        let (iv, content) = encrypted(b"data key");

        let opened = key.open(&wrapped, &iv, &content);

        assert_eq!(opened.as_deref(), Ok(&b"data key".to_vec()));
        assert_eq!(other.open(&wrapped, &iv, &content), Err(NotOpened));
    }

    #[test]
    fn altered_and_short_parts_do_not_open() {
        let key = RecipientKey::generate().expect("a key");
        let good = wrapped(key.public_key(), &CONTENT_KEY);
        let short_key = wrapped(key.public_key(), &CONTENT_KEY[..16]);
        let (iv, content) = encrypted(b"sixteen bytes it");
        let mut altered = good;
        altered[100] ^= 1;

        for (wrapped, content) in [
            (&altered, &content[..]),
            (&short_key, &content[..]),
            (&good, &content[..15]),
            (&good, &[]),
            // Without its last block, which is all padding, the text ends in what is none.
            (&good, &content[..16]),
        ] {
            assert_eq!(key.open(wrapped, &iv, content), Err(NotOpened));
        }
    }

    #[test]
    fn key_is_not_printed() {
        let key = RecipientKey::generate().expect("a key");

        assert_eq!(format!("{key:?}"), "RecipientKey(..)");
    }
}
