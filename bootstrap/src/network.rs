//! `vettid-bootstrap network`: makes, signs and shows a network file.
//!
//! ```text
//!  each holder     network key --out my.key                   shows the public half
//!  one of them     network create --governance A --governance B --threshold 2 … --out network.toml
//!  each holder     network sign network.toml --key-file my.key     until enough have signed
//!  anybody         network show network.toml
//! ```
//! A later file is made from the one before: `network create --from network.toml …`; its epoch is one
//! higher, and its anchors stay as they are.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use serde_json::{Value, json};
use vettid_federation::address;
use vettid_wire::limits;
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};
use vettid_wire::network_file::NetworkText;

use crate::fault::Fault;
use crate::file;
use crate::governance::{self, Source};

/// Works on network files and governance keys.
#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Make a network file for the holders of its governance keys to sign
    Create(Create),
    /// Make a governance key and show its public half
    Key {
        /// File to write it to; only you can read it
        #[arg(long)]
        out: PathBuf,
    },
    /// Show what a network file says and who has signed it
    Show {
        /// The file
        file: PathBuf,
    },
    /// Sign a network file, in place
    Sign(Sign),
}

/// What a new network file says.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Earlier file of the network: what is not given stays as it is there
    #[arg(long)]
    from: Option<PathBuf>,
    /// A governance key, 64 hexadecimal digits; repeat for each
    #[arg(long, conflicts_with = "from")]
    governance: Vec<String>,
    /// How many of them must sign
    #[arg(long, conflicts_with = "from")]
    threshold: Option<u32>,
    /// `nitro`, or the file of a development root's certificate (DER)
    #[arg(long, conflicts_with = "from")]
    trust_root: Option<String>,
    /// An accepted image, `RELEASE:PCR0:PCR1:PCR2`; repeat for each
    #[arg(long)]
    image: Vec<String>,
    /// A release that no new vault is set up under any more; repeat for each
    #[arg(long)]
    deprecate: Vec<u32>,
    /// A release that is refused from now on; repeat for each
    #[arg(long)]
    retire: Vec<u32>,
    /// Releases below this are refused
    #[arg(long)]
    release_floor: Option<u32>,
    /// Multiaddr of a bootstrap node, ending in /p2p/PEER; repeat for each
    #[arg(long)]
    bootstrap: Vec<String>,
    /// Multiaddr of a relay, ending in /p2p/PEER; repeat for each
    #[arg(long)]
    relay: Vec<String>,
    /// File to write
    #[arg(long, default_value = "network.toml")]
    out: PathBuf,
}

/// Which file is signed, and with what.
#[derive(Args, Debug)]
pub(crate) struct Sign {
    /// The file
    file: PathBuf,
    /// File of the governance key; without, it is asked for, or read from standard input
    #[arg(long)]
    key_file: Option<PathBuf>,
}

impl NetworkCommand {
    /// Carries it out; what to show.
    pub(crate) fn execute(self) -> Result<Value, Fault> {
        match self {
            Self::Create(create) => create.execute(),
            Self::Key { out } => {
                let key = governance::create(&out)?;
                Ok(json!({ "governance": HEX.encode(&key.verifying_key().0) }))
            }
            Self::Show { file } => Ok(shown(&read(&file)?)),
            Self::Sign(sign) => {
                let mut text = read(&sign.file)?;
                let source = sign.key_file.as_deref();
                let key = governance::read(source.map_or(Source::Prompt, Source::File))?;
                text.sign(&key).map_err(Fault::file(&sign.file))?;
                file::replace(&sign.file, &text.to_toml())?;
                Ok(shown(&text))
            }
        }
    }
}

impl Create {
    fn execute(self) -> Result<Value, Fault> {
        let network = match &self.from {
            Some(path) => self.next(read(path)?.network().clone())?,
            None => self.first()?,
        };
        let text = NetworkText::draft(self.with_status(network)?).map_err(Fault::Content)?;
        if self.from.as_ref() == Some(&self.out) {
            file::replace(&self.out, &text.to_toml())?;
        } else {
            // As open as the umask lets it be: there is no secret in it.
            file::create(&self.out, 0o666, |file| {
                file.write_all(text.to_toml().as_bytes())
            })?;
        }
        Ok(shown(&text))
    }

    fn first(&self) -> Result<Network, Fault> {
        let keys = self.governance.iter();
        let keys: Result<Vec<_>, _> = keys.map(|key| parse_hex("--governance", key)).collect();
        let mut governance: Vec<_> = keys?.into_iter().map(GovernanceKey).collect();
        governance.sort_unstable_by_key(|key| key.0);
        governance.dedup();
        let trust_root = self.trust_root.as_deref();
        let trust_root = match trust_root.ok_or(Fault::Missing("--trust-root"))? {
            "nitro" => TrustRoot::Nitro,
            path => TrustRoot::Emulated(fs::read(path).map_err(Fault::read(Path::new(path)))?),
        };
        let images = self.images()?;
        let lowest = images.iter().map(|image| image.release).min();
        Ok(Network {
            trust_root,
            threshold: self.threshold.ok_or(Fault::Missing("--threshold"))?,
            governance,
            reference_values: images,
            release_floor: self.release_floor.or(lowest).unwrap_or(0),
            epoch: 1,
            bootstrap: checked(BOOTSTRAP, &self.bootstrap)?,
            relays: checked(RELAY, &self.relay)?,
        })
    }

    /// The file after `earlier`.
    fn next(&self, earlier: Network) -> Result<Network, Fault> {
        let or = |argument, given: &[String], before: Vec<String>| {
            if given.is_empty() {
                Ok(before)
            } else {
                checked(argument, given)
            }
        };
        let mut images = self.images()?;
        for image in &mut images {
            let mut before = earlier.reference_values.iter();
            if let Some(before) = before.find(|before| before.release == image.release) {
                image.status = before.status;
            }
        }
        Ok(Network {
            reference_values: if images.is_empty() {
                earlier.reference_values
            } else {
                images
            },
            release_floor: self.release_floor.unwrap_or(earlier.release_floor),
            epoch: earlier.epoch.saturating_add(1),
            bootstrap: or(BOOTSTRAP, &self.bootstrap, earlier.bootstrap)?,
            relays: or(RELAY, &self.relay, earlier.relays)?,
            ..earlier
        })
    }

    /// A release only ever moves on in its life.
    fn with_status(&self, mut network: Network) -> Result<Network, Fault> {
        for (releases, status) in [
            (&self.deprecate, ReleaseStatus::Deprecated),
            (&self.retire, ReleaseStatus::Retired),
        ] {
            for release in releases {
                let mut values = network.reference_values.iter_mut();
                let value = values.find(|value| value.release == *release);
                let value = value.ok_or(Fault::Unlisted(*release))?;
                if value.status == ReleaseStatus::Retired {
                    return Err(Fault::Retired(*release));
                }
                value.status = status;
            }
        }
        Ok(network)
    }

    fn images(&self) -> Result<Vec<ReferenceValue>, Fault> {
        self.image.iter().map(|text| parse_image(text)).collect()
    }
}

fn parse_image(text: &str) -> Result<ReferenceValue, Fault> {
    let malformed = || Fault::Image(text.to_owned());
    let parts: Vec<&str> = text.split(':').collect();
    let [release, pcr0, pcr1, pcr2] = parts.as_slice() else {
        return Err(malformed());
    };
    Ok(ReferenceValue {
        release: release.parse().map_err(|_| malformed())?,
        pcr0: parse_hex("--image", pcr0)?,
        pcr1: parse_hex("--image", pcr1)?,
        pcr2: parse_hex("--image", pcr2)?,
        status: ReleaseStatus::Active,
    })
}

fn parse_hex<const N: usize>(argument: &'static str, text: &str) -> Result<[u8; N], Fault> {
    let bytes = HEX.decode(text.trim().as_bytes()).unwrap_or_default();
    <[u8; N]>::try_from(bytes).map_err(|_| Fault::Hex {
        argument,
        text: text.to_owned(),
        digits: N.saturating_mul(2),
    })
}

fn checked(argument: &'static str, addresses: &[String]) -> Result<Vec<String>, Fault> {
    if addresses.len() > limits::INTRODUCERS {
        return Err(Fault::TooMany(argument));
    }
    for text in addresses {
        address::check_peer(text).map_err(|why| Fault::Address {
            argument,
            text: text.clone(),
            why,
        })?;
    }
    Ok(addresses.to_vec())
}

fn read(path: &Path) -> Result<NetworkText, Fault> {
    let length = fs::metadata(path).map_err(Fault::read(path))?.len();
    if length > LARGEST {
        return Err(Fault::Large(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(Fault::read(path))?;
    NetworkText::parse(&text).map_err(Fault::file(path))
}

/// What a file says, as JSON.
fn shown(text: &NetworkText) -> Value {
    let network = text.network();
    // One order, whoever has signed last.
    let mut signers = text.signers().to_vec();
    signers.sort_unstable_by_key(|key| key.0);
    let keys = |keys: &[GovernanceKey]| -> Vec<String> {
        keys.iter().map(|key| HEX.encode(&key.0)).collect()
    };
    let images: Vec<Value> = network
        .reference_values
        .iter()
        .map(|value| {
            json!({
                "release": value.release, "status": value.status.as_str(),
                "pcr0": HEX.encode(&value.pcr0),
                "pcr1": HEX.encode(&value.pcr1), "pcr2": HEX.encode(&value.pcr2),
            })
        })
        .collect();
    json!({
        "id": text.id().to_string(),
        "epoch": network.epoch,
        "release_floor": network.release_floor,
        "governance": keys(&network.governance),
        "threshold": network.threshold,
        "signed_by": keys(&signers),
        "complete": text.verified().is_ok(),
        "images": images,
        "bootstrap": network.bootstrap,
        "relays": network.relays,
    })
}

/// Arguments that name those who introduce others.
const BOOTSTRAP: &str = "--bootstrap";
const RELAY: &str = "--relay";

/// Longest text of a network file, bytes: what is signed, in base64, and the same to be read.
const LARGEST: u64 = 4 * limits::NETWORK_FILE as u64;

#[cfg(test)]
mod tests;
