//! The sole wrapper of `snow`: `Noise_XXpsk3_25519_ChaChaPoly_SHA256`, Noise revision 34.
//!
//! Adds two rules to it. Randomness is what the caller drew: the bytes of one ephemeral key, given
//! out once. And a key exchange that gives zero, as only points of low order do, fails.

use core::cell::Cell;
use core::fmt;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState, TransportState};
use vettid_crypto::x25519::X25519Secret;
use vettid_crypto::{Entropy, Label, SecretBytes, Zeroizing, derive};

use crate::error::{Error, Internal, PeerMisbehaved};
use crate::identity::Role;
use crate::statement::Transcript;

/// Bytes that sealing adds to a frame.
pub(crate) const TAG: usize = 16;

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
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut out = Zeroizing::new(vec![0; message.len()]);
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
    pub(crate) fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let length = sealed
            .len()
            .checked_sub(TAG)
            .ok_or(PeerMisbehaved::FrameSize(sealed.len()))?;
        let mut out = Zeroizing::new(vec![0; length]);
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

/// Gives snow its primitives: the RustCrypto ones, with the two rules of this module.
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
        Some(Box::new(Contributory(DefaultResolver.resolve_dh(choice)?)))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
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
struct Contributory(Box<dyn Dh>);

impl Dh for Contributory {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn pub_len(&self) -> usize {
        self.0.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.0.priv_len()
    }

    fn set(&mut self, privkey: &[u8]) {
        self.0.set(privkey);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        self.0.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        self.0.pubkey()
    }

    fn privkey(&self) -> &[u8] {
        self.0.privkey()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        self.0.dh(pubkey, out)?;
        let length = self.0.dh_len();
        // A fold without an early end, so that the time tells nothing about the secret.
        if out.iter().take(length).fold(0, |all, byte| all | byte) == 0 {
            return Err(snow::Error::Dh);
        }
        Ok(())
    }
}

fn handshake_error(error: snow::Error) -> Error {
    match error {
        snow::Error::Decrypt => PeerMisbehaved::Handshake.into(),
        snow::Error::Dh => PeerMisbehaved::LowOrderPoint.into(),
        snow::Error::Input => PeerMisbehaved::Malformed.into(),
        _ => Internal::Noise.into(),
    }
}

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
