//! The network file of a one-node development network.
//!
//! TOML of two lines that count, `id` and `signed` (base64 of an encoded
//! [`SignedNetwork`]), and a copy for people to read.

use std::fmt::Write;

use data_encoding::BASE64;
use vettid_attestation::Measurement;
use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor;
use vettid_wire::network::{
    GovernanceKey, Network, ReferenceValue, ReleaseStatus, SignedNetwork, TrustRoot,
};

use super::folder::FolderError;

/// The first network file of a new network that accepts one image as this release.
#[must_use]
pub fn found(root: &[u8], governance: &SigningKey, image: (u32, &Measurement)) -> Network {
    Network {
        trust_root: TrustRoot::Emulated(root.to_vec()),
        governance: vec![GovernanceKey(governance.verifying_key().0)],
        threshold: 1,
        reference_values: vec![reference_value(image)],
        release_floor: image.0,
        epoch: 1,
        bootstrap: Vec::new(),
        relays: Vec::new(),
    }
}

/// Whether a network accepts an image as a release.
#[must_use]
pub fn accepts(network: &Network, image: (u32, &Measurement)) -> bool {
    network.reference_values.contains(&reference_value(image))
}

/// The same network, accepting an image as a release, instead of what it accepted as that; nothing when
/// it does so already.
#[must_use]
pub fn accepting(network: Network, image: (u32, &Measurement)) -> Option<Network> {
    if accepts(&network, image) {
        return None;
    }
    let mut reference_values = network.reference_values.clone();
    reference_values.retain(|value| value.release != image.0);
    reference_values.push(reference_value(image));
    Some(Network {
        reference_values,
        epoch: network.epoch.saturating_add(1),
        ..network
    })
}

/// The signed file as text.
#[must_use]
pub fn to_toml(network: &Network, governance: &SigningKey) -> String {
    let signed = cbor::encode(&SignedNetwork(vec![network.sign(governance)]));
    let mut text = format!(
        "# Network file. `signed` is what counts; the rest is for people to read.\n\
         id = \"{}\"\nsigned = \"{}\"\n\n[readable]\nepoch = {}\nrelease_floor = {}\nthreshold = {}\n",
        network.id(),
        BASE64.encode(&signed),
        network.epoch,
        network.release_floor,
        network.threshold,
    );
    for value in &network.reference_values {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[[readable.images]]\nrelease = {}\nstatus = \"{}\"\n",
            value.release,
            value.status.as_str()
        );
        for (name, pcr) in [
            ("pcr0", value.pcr0),
            ("pcr1", value.pcr1),
            ("pcr2", value.pcr2),
        ] {
            let _ = writeln!(
                text,
                "{name} = \"{}\"",
                data_encoding::HEXLOWER.encode(&pcr)
            );
        }
    }
    text
}

/// Reads and verifies what [`to_toml`] wrote.
///
/// # Errors
/// When the signed part is missing, altered or not of this network.
pub fn from_toml(text: &str) -> Result<Network, FolderError> {
    let signed = text
        .lines()
        .find_map(|line| line.strip_prefix("signed = \"")?.strip_suffix('"'))
        .ok_or(FolderError::Damaged)?;
    let signed = BASE64
        .decode(signed.as_bytes())
        .map_err(|_| FolderError::Damaged)?;
    SignedNetwork::verify(&signed).map_err(|_| FolderError::Damaged)
}

const fn reference_value((release, measurement): (u32, &Measurement)) -> ReferenceValue {
    ReferenceValue {
        release,
        pcr0: *measurement.pcr0(),
        pcr1: *measurement.pcr1(),
        pcr2: *measurement.pcr2(),
        status: ReleaseStatus::Active,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[4; 32])
    }

    fn measurement(byte: u8) -> Measurement {
        Measurement::new([byte; 48], [2; 48], [3; 48]).expect("not debug")
    }

    #[test]
    fn a_network_file_comes_back_verified() {
        let network = found(b"root", &key(), (1, &measurement(1)));

        let text = to_toml(&network, &key());

        assert!(text.contains(&format!("id = \"{}\"", network.id())));
        assert!(text.contains("pcr0 = \"0101"));
        assert_eq!(from_toml(&text), Ok(network));
    }

    #[test]
    fn an_altered_or_missing_signature_is_refused() {
        let text = to_toml(&found(b"root", &key(), (1, &measurement(1))), &key());
        let foreign = to_toml(
            &found(b"root", &key(), (1, &measurement(1))),
            &SigningKey::from_seed(&[5; 32]),
        );

        assert_eq!(
            from_toml(&text.replace("signed", "unsigned")),
            Err(FolderError::Damaged)
        );
        assert_eq!(from_toml(&foreign), Err(FolderError::Damaged));
    }

    #[test]
    fn a_new_image_gets_a_new_epoch_in_the_same_network() {
        let network = found(b"root", &key(), (1, &measurement(1)));
        let id = network.id();
        assert_eq!(accepting(network.clone(), (1, &measurement(1))), None);

        let updated = accepting(network, (1, &measurement(9))).expect("changes");

        assert_eq!((updated.id(), updated.epoch), (id, 2));
        assert_eq!(
            updated.reference_values,
            vec![reference_value((1, &measurement(9)))]
        );
    }

    #[test]
    fn a_later_release_is_accepted_beside_the_one_before() {
        let network = found(b"root", &key(), (1, &measurement(1)));

        let updated = accepting(network, (2, &measurement(9))).expect("changes");

        let releases: Vec<_> = updated.reference_values.iter().map(|v| v.release).collect();
        assert_eq!((releases, updated.release_floor), (vec![1, 2], 1));
    }
}
