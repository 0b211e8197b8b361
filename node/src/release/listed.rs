//! Releases of the enclave image: what the network file lists, and which of them a given image is.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use vettid_eif::{Image, ImageError};
use vettid_wire::network::ReferenceValue;

use crate::network::NetworkFile;

/// One release, as an operator sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed {
    /// Its number.
    pub release: u32,
    /// `active`, `deprecated` or `retired`.
    pub status: String,
    /// Whether apps and other nodes accept it: not retired, and not below the floor.
    pub accepted: bool,
    /// What its image measures, hexadecimal.
    pub pcr0: String,
    /// The same.
    pub pcr1: String,
    /// The same.
    pub pcr2: String,
}

/// Why an image is no release of a network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// It is none.
    #[error("this is no enclave image: {0}")]
    NoImage(#[from] ImageError),
    /// It is a release that nobody accepts any more.
    #[error("this is release {release}, which is {status} and not accepted any more")]
    NotAccepted {
        /// Its number.
        release: u32,
        /// How far it is in its life.
        status: String,
    },
    /// The network does not list it.
    #[error("this image is no release of the network: its PCR0 is {0}")]
    Unknown(String),
}

/// All releases that the network file lists, retired ones too.
#[must_use]
pub fn listed(network: &NetworkFile) -> Vec<Listed> {
    let values = network.releases.iter();
    values.map(|value| one(network, value)).collect()
}

/// Numbers of the releases that apps and other nodes accept.
pub(crate) fn accepted(network: &NetworkFile) -> Vec<u32> {
    let listed = listed(network).into_iter().filter(|listed| listed.accepted);
    listed.map(|listed| listed.release).collect()
}

/// The release that the network accepts under what `image` measures.
///
/// # Errors
/// When it is no image, or none that the network accepts.
pub fn verify(network: &NetworkFile, image: &[u8]) -> Result<Listed, VerifyError> {
    let measured = Image::parse(image)?.registers();
    let value = network.releases.iter().find(|value| {
        (value.pcr0, value.pcr1, value.pcr2) == (measured.pcr0, measured.pcr1, measured.pcr2)
    });
    let unknown = || VerifyError::Unknown(HEXLOWER.encode(&measured.pcr0));
    let listed = one(network, value.ok_or_else(unknown)?);
    if listed.accepted {
        return Ok(listed);
    }
    Err(VerifyError::NotAccepted {
        release: listed.release,
        status: listed.status,
    })
}

fn one(network: &NetworkFile, value: &ReferenceValue) -> Listed {
    Listed {
        release: value.release,
        status: value.status.as_str().to_owned(),
        accepted: network.images.contains(&value.pcr0),
        pcr0: HEXLOWER.encode(&value.pcr0),
        pcr1: HEXLOWER.encode(&value.pcr1),
        pcr2: HEXLOWER.encode(&value.pcr2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::sign::SigningKey;
    use vettid_wire::cbor;
    use vettid_wire::network::{GovernanceKey, Network, ReleaseStatus, SignedNetwork, TrustRoot};

    fn image(program: &[u8]) -> Vec<u8> {
        let image = Image {
            kernel: b"kernel",
            command_line: "console=ttyS0",
            metadata: b"{}",
            ramdisks: vec![b"init", program],
        };
        image.write().expect("image")
    }

    /// Programs a to c as releases 1 to 3: one below the floor, one in use, one retired.
    fn network() -> NetworkFile {
        let value = |(release, program): (u32, &[u8])| {
            let file = image(program);
            let measured = Image::parse(&file).expect("image").registers();
            ReferenceValue {
                release,
                pcr0: measured.pcr0,
                pcr1: measured.pcr1,
                pcr2: measured.pcr2,
                status: if release == 3 {
                    ReleaseStatus::Retired
                } else {
                    ReleaseStatus::Active
                },
            }
        };
        let key = SigningKey::from_seed(&[1; 32]);
        let programs: [(u32, &[u8]); 3] = [(1, b"a"), (2, b"b"), (3, b"c")];
        let network = Network {
            trust_root: TrustRoot::Nitro,
            governance: vec![GovernanceKey(key.verifying_key().0)],
            threshold: 1,
            reference_values: programs.map(value).to_vec(),
            release_floor: 2,
            epoch: 1,
            bootstrap: vec![],
            relays: vec![],
        };
        let signed = SignedNetwork(vec![network.sign(&key)]);
        NetworkFile::verified(cbor::encode(&signed)).expect("network")
    }

    #[test]
    fn every_release_is_listed_and_only_those_in_use_are_accepted() {
        let listed = listed(&network());

        let short: Vec<_> = listed
            .iter()
            .map(|one| (one.release, one.status.as_str(), one.accepted))
            .collect();
        assert_eq!(
            short,
            [
                (1, "active", false),
                (2, "active", true),
                (3, "retired", false)
            ]
        );
    }

    #[test]
    fn an_image_is_the_release_that_it_measures_as() {
        let network = network();

        let found = verify(&network, &image(b"b")).expect("a release");

        assert_eq!(found, listed(&network)[1]);
    }

    #[test]
    fn old_retired_and_foreign_images_and_what_is_none_are_refused() {
        let refused = |image: &[u8]| verify(&network(), image).expect_err("refused").to_string();

        let not_accepted = "not accepted any more";
        assert_eq!(
            refused(&image(b"a")),
            format!("this is release 1, which is active and {not_accepted}")
        );
        assert_eq!(
            refused(&image(b"c")),
            format!("this is release 3, which is retired and {not_accepted}")
        );
        assert!(refused(&image(b"d")).starts_with("this image is no release of the network"));
        assert!(refused(b"no image").starts_with("this is no enclave image"));
    }
}
