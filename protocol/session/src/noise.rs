//! The sole wrapper of `snow`: `Noise_XXpsk3_25519_ChaChaPoly_SHA256`, Noise revision 34.
//!
//! Adds two rules to it. Randomness is what the caller drew: the bytes of one ephemeral key, given
//! out once. And a key exchange that gives zero, as only points of low order do, fails. Curve and
//! cipher are those of `vettid-crypto`, which takes the fastest there is.

use core::cell::Cell;
use core::fmt;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};
use vettid_crypto::aead::{self, Cipher as Aead};
use vettid_crypto::x25519::X25519Secret;
use vettid_crypto::{Entropy, Label, SecretBytes, WipedVec, Zeroizing, derive};

use crate::error::{Error, Internal, PeerMisbehaved};
use crate::identity::Role;
use crate::statement::Transcript;

/// Bytes that sealing adds to a frame.
pub(crate) const TAG: usize = aead::TAG;

/// A Noise handshake under way.
pub(crate) struct Handshake(Box<HandshakeState>);

impl Handshake {
    /// Begins a handshake; draws one ephemeral key.
    pub(crate) fn new(
        role: Role,
        static_key: &X25519Secret,
        prologue: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Self, Error> {
        let resolver = Resolver::draw(entropy);
        let state = static_key.expose(|key| {
            let builder = Builder::with_resolver(PATTERN.parse()?, Box::new(resolver))
                .local_private_key(key)?
                .prologue(prologue)?;
            match role {
                Role::Initiator => builder.build_initiator(),
                Role::Responder => builder.build_responder(),
            }
        });
        Ok(Self(Box::new(state.map_err(handshake_error)?)))
    }

    /// The next message, with `payload` in it.
    pub(crate) fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = vec![0; payload.len().saturating_add(LARGEST_OVERHEAD)];
        let length = self
            .0
            .write_message(payload, &mut out)
            .map_err(handshake_error)?;
        out.truncate(length);
        Ok(out)
    }

    /// The payload of the peer's next message.
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<WipedVec, Error> {
        let mut out = WipedVec::new(vec![0; message.len()]);
        let length = self
            .0
            .read_message(message, &mut out)
            .map_err(handshake_error)?;
        out.truncate(length);
        Ok(out)
    }

    /// Sets what the third message mixes in.
    pub(crate) fn set_psk(&mut self, psk: &Psk) -> Result<(), Error> {
        psk.expose(|bytes| self.0.set_psk(3, bytes))
            .map_err(handshake_error)
    }

    /// The final transcript hash and the transport keys.
    pub(crate) fn finish(self) -> Result<(Transcript, Transport), Error> {
        let hash = self
            .0
            .get_handshake_hash()
            .try_into()
            .map_err(|_| Internal::Noise)?;
        let state = self.0.into_transport_mode().map_err(handshake_error)?;
        Ok((Transcript(hash), Transport(Box::new(state))))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(..)")
    }
}

/// The pair of ciphers after the handshake.
pub(crate) struct Transport(Box<TransportState>);

impl Transport {
    /// Number of the next frame that this side seals.
    pub(crate) fn next_sent(&self) -> u64 {
        self.0.sending_nonce()
    }

    /// Number of the next frame that this side opens.
    pub(crate) fn next_received(&self) -> u64 {
        self.0.receiving_nonce()
    }

    /// Seals one frame into `out`, which is [`TAG`] bytes longer than `plaintext`.
    pub(crate) fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<(), Error> {
        match self.0.write_message(plaintext, out) {
            Ok(length) if length == out.len() => Ok(()),
            _ => Err(Internal::Noise.into()),
        }
    }

    /// Opens the next frame.
    pub(crate) fn open(&mut self, sealed: &[u8]) -> Result<WipedVec, Error> {
        let length = sealed
            .len()
            .checked_sub(TAG)
            .ok_or(PeerMisbehaved::FrameSize(sealed.len()))?;
        let mut out = WipedVec::new(vec![0; length]);
        match self.0.read_message(sealed, &mut out) {
            Ok(read) if read == length => Ok(out),
            Err(snow::Error::Decrypt) => Err(PeerMisbehaved::FrameAltered.into()),
            _ => Err(Internal::Noise.into()),
        }
    }

    /// Replaces the sending key by the next one. Noise, section 4.2.
    pub(crate) fn rekey_sent(&mut self) {
        self.0.rekey_outgoing();
    }

    /// Replaces the receiving key by the next one.
    pub(crate) fn rekey_received(&mut self) {
        self.0.rekey_incoming();
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport(..)")
    }
}

/// Pre-shared key of one handshake, from its ML-KEM secret.
pub(crate) struct Psk(Zeroizing<[u8; 32]>);

impl Psk {
    /// Derives it from the ML-KEM shared secret.
    pub(crate) fn derive(shared: &[u8; 32]) -> Self {
        derive::from_bytes(shared, &[], Label::SessionPsk, &[])
    }
}

impl SecretBytes<32> for Psk {
    fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn expose<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        f(&self.0)
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}

/// Gives snow its primitives, with the two rules of this module.
struct Resolver {
    ephemeral: Cell<Option<Ephemeral>>,
}

impl Resolver {
    fn draw(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice());
        Self {
            ephemeral: Cell::new(Some(Ephemeral(Some(bytes)))),
        }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(self.ephemeral.take()?))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(Contributory::default())),
            _ => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        match choice {
            CipherChoice::ChaChaPoly => Some(Box::new(Frames(None))),
            _ => None,
        }
    }
}

/// The bytes of one ephemeral key. Whoever asks twice, or for another length, gets none.
struct Ephemeral(Option<Zeroizing<[u8; 32]>>);

impl Random for Ephemeral {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        let bytes = self.0.take().ok_or(snow::Error::Rng)?;
        if dest.len() != bytes.len() {
            return Err(snow::Error::Rng);
        }
        dest.copy_from_slice(bytes.as_slice());
        Ok(())
    }
}

/// A key exchange to which both sides contribute. RFC 7748, section 6.1.
#[derive(Default)]
struct Contributory {
    /// None until a key is set or made.
    secret: Option<X25519Secret>,
    bytes: Zeroizing<[u8; KEY]>,
    public: [u8; KEY],
}

impl Contributory {
    fn of(bytes: &[u8; KEY]) -> Self {
        let secret = X25519Secret::from_bytes(bytes);
        let public = secret.public();
        Self {
            secret: Some(secret),
            bytes: Zeroizing::new(*bytes),
            public,
        }
    }
}

impl Dh for Contributory {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY
    }

    fn priv_len(&self) -> usize {
        KEY
    }

    fn set(&mut self, privkey: &[u8]) {
        // Snow has compared the length with `priv_len`.
        if let Ok(bytes) = privkey.try_into() {
            *self = Self::of(bytes);
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut bytes = Zeroizing::new([0; KEY]);
        rng.try_fill_bytes(bytes.as_mut_slice())?;
        *self = Self::of(&bytes);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        // Snow's buffers are as long as the longest key of any curve.
        let peer = pubkey.first_chunk().ok_or(snow::Error::Dh)?;
        let out = out.first_chunk_mut().ok_or(snow::Error::Dh)?;
        let secret = self.secret.as_ref().ok_or(snow::Error::Dh)?;
        *out = *secret.agree(peer).ok_or(snow::Error::Dh)?;
        Ok(())
    }
}

/// ChaCha20-Poly1305 under the nonces of Noise, section 12.3.
struct Frames(Option<Aead>);

impl Cipher for Frames {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; KEY]) {
        self.0 = Some(Aead::new(key));
    }

    /// Zero for what cannot be sealed; a frame of another length than it should have opens nowhere.
    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let length = plaintext.len().saturating_add(TAG);
        let sealed = self.0.as_ref().zip(out.get_mut(..length));
        let sealed = sealed
            .is_some_and(|(key, out)| key.seal(&of_frame(nonce), authtext, plaintext, out).is_ok());
        if sealed { length } else { 0 }
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let length = ciphertext.len().checked_sub(TAG);
        let length = length.ok_or(snow::Error::Decrypt)?;
        let key = self.0.as_ref().ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..length).ok_or(snow::Error::Decrypt)?;
        key.open(&of_frame(nonce), authtext, ciphertext, out)
            .map_err(|_| snow::Error::Decrypt)?;
        Ok(length)
    }
}

/// Four zero bytes, then the number of the frame, little-endian.
fn of_frame(number: u64) -> [u8; aead::NONCE] {
    let mut nonce = [0; aead::NONCE];
    let (_, rest) = nonce.split_at_mut(aead::NONCE - 8);
    rest.copy_from_slice(&number.to_le_bytes());
    nonce
}

fn handshake_error(error: snow::Error) -> Error {
    match error {
        snow::Error::Decrypt => PeerMisbehaved::Handshake.into(),
        snow::Error::Dh => PeerMisbehaved::LowOrderPoint.into(),
        snow::Error::Input => PeerMisbehaved::Malformed.into(),
        _ => Internal::Noise.into(),
    }
}

/// Bytes of a key, of the curve as of the cipher.
const KEY: usize = 32;

const PATTERN: &str = "Noise_XXpsk3_25519_ChaChaPoly_SHA256";

/// Most bytes that a handshake message adds to its payload: two keys and two tags.
const LARGEST_OVERHEAD: usize = 32 + 32 + TAG + TAG;

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::SeededEntropy;

    #[test]
    fn ephemeral_bytes_are_given_out_once_and_whole() {
        let resolver = Resolver::draw(&mut SeededEntropy::dangerous_new(1));
        let mut rng = resolver.resolve_rng().expect("first");
        let mut out = [0; 32];

        assert_eq!(rng.try_fill_bytes(&mut out), Ok(()));
        assert_eq!(rng.try_fill_bytes(&mut out), Err(snow::Error::Rng));
        assert!(resolver.resolve_rng().is_none());
    }

    #[test]
    fn ephemeral_of_another_length_is_refused() {
        let resolver = Resolver::draw(&mut SeededEntropy::dangerous_new(1));
        let mut rng = resolver.resolve_rng().expect("first");

        assert_eq!(rng.try_fill_bytes(&mut [0; 31]), Err(snow::Error::Rng));
    }

    #[test]
    fn every_point_of_low_order_is_refused() {
        let resolver = Resolver::draw(&mut SeededEntropy::dangerous_new(1));
        let mut dh = resolver.resolve_dh(&DHChoice::Curve25519).expect("curve");
        dh.set(&[9; 32]);

        for point in LOW_ORDER {
            assert_eq!(
                dh.dh(&hex(point), &mut [0; 32]),
                Err(snow::Error::Dh),
                "{point}"
            );
        }
        assert_eq!(dh.dh(&[9; 32], &mut [0; 32]), Ok(()));
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = X25519Secret::from_bytes(&[1; 32]);
        let mut entropy = SeededEntropy::dangerous_new(1);
        let handshake = Handshake::new(Role::Initiator, &key, &[], &mut entropy).expect("made");

        assert_eq!(format!("{handshake:?}"), "Handshake(..)");
        assert_eq!(format!("{:?}", Psk::derive(&[1; 32])), "Psk(..)");
    }

    #[test]
    fn frames_are_sealed_as_by_stock_snow() {
        let resolver = Resolver::draw(&mut SeededEntropy::dangerous_new(1));
        let mut ours = resolver
            .resolve_cipher(&CipherChoice::ChaChaPoly)
            .expect("ours");
        let mut stock = DefaultResolver
            .resolve_cipher(&CipherChoice::ChaChaPoly)
            .expect("stock");
        for cipher in [&mut ours, &mut stock] {
            cipher.set(&[3; KEY]);
        }
        for number in [0, 1, 7, u64::MAX - 1] {
            let (mut left, mut right) = ([0; 100 + TAG], [0; 100 + TAG]);
            assert_eq!(ours.encrypt(number, b"a", &[5; 100], &mut left), left.len());
            stock.encrypt(number, b"a", &[5; 100], &mut right);
            assert_eq!(left, right);

            let mut opened = [0; 100];
            assert_eq!(stock.decrypt(number, b"a", &left, &mut opened), Ok(100));
            assert_eq!(ours.decrypt(number, b"a", &right, &mut opened), Ok(100));
            assert_eq!(opened, [5; 100]);
            right[3] ^= 1;
            let refused = ours.decrypt(number, b"a", &right, &mut opened);
            assert_eq!(refused, Err(snow::Error::Decrypt));
        }
        ours.rekey();
        stock.rekey();
        let (mut left, mut right) = ([0; TAG], [0; TAG]);
        ours.encrypt(0, &[], &[], &mut left);
        stock.encrypt(0, &[], &[], &mut right);
        assert_eq!(left, right);
    }

    #[test]
    fn cipher_without_a_key_does_nothing() {
        assert_eq!(Frames(None).encrypt(0, &[], b"x", &mut [0; 1 + TAG]), 0);
        assert_eq!(
            Frames(None).decrypt(0, &[], &[0; 1 + TAG], &mut [0]),
            Err(snow::Error::Decrypt)
        );
    }

    #[test]
    fn keys_are_exchanged_as_by_stock_snow() {
        let resolver = Resolver::draw(&mut SeededEntropy::dangerous_new(1));
        let mut ours = resolver.resolve_dh(&DHChoice::Curve25519).expect("ours");
        let mut stock = DefaultResolver
            .resolve_dh(&DHChoice::Curve25519)
            .expect("stock");
        for dh in [&mut ours, &mut stock] {
            dh.set(&[9; KEY]);
        }
        let (mut left, mut right) = ([0; KEY], [0; KEY]);

        assert_eq!(ours.pubkey(), stock.pubkey());
        assert_eq!(ours.privkey(), [9; KEY]);
        assert_eq!(ours.dh(&[2; KEY], &mut left), Ok(()));
        assert_eq!(stock.dh(&[2; KEY], &mut right), Ok(()));
        assert_eq!(left, right);
    }

    // The list of https://cr.yp.to/ecdh.html, "validate".
    const LOW_ORDER: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
            .collect()
    }
}
