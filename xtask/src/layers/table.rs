//! The tables themselves. Nothing that they do not list is allowed.

/// The part of the system a crate belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// What the owner holds.
    Edge,
    /// Everything that may see plaintext.
    Enclave,
    /// The untrusted side of a node.
    Host,
    /// No I/O, clock, threads or entropy of its own.
    Protocol,
    /// Tests, measurements and commands: shipped to nobody.
    Tool,
}

/// One crate and the arrows that leave it.
pub(crate) struct Row {
    /// Package name.
    pub(crate) package: &'static str,
    /// Where it belongs.
    pub(crate) part: Part,
    /// Packages of the workspace that it may use.
    pub(crate) uses: Uses,
}

/// Arrows inside the workspace.
pub(crate) enum Uses {
    /// Any crate: nothing depends on the result.
    Anything,
    /// These alone.
    Only(&'static [&'static str]),
}

/// Outside crates that only some crates may name as a dependency.
pub(crate) struct Reserved {
    /// Why they are reserved.
    pub(crate) why: &'static str,
    /// The packages that may.
    pub(crate) owners: &'static [&'static str],
    /// The outside crates.
    pub(crate) crates: &'static [&'static str],
}

/// The arrow table, in the order of the layers.
pub(crate) const ROWS: &[Row] = &[
    row("vettid-crypto", Part::Protocol, &[]),
    row("vettid-wire", Part::Protocol, &["vettid-crypto"]),
    row(
        "vettid-attestation",
        Part::Protocol,
        &["vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-session",
        Part::Protocol,
        &["vettid-attestation", "vettid-wire", "vettid-crypto"],
    ),
    row("vettid-eif", Part::Protocol, &["vettid-crypto"]),
    row(
        "vettid-store",
        Part::Enclave,
        &["vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-vault",
        Part::Enclave,
        &["vettid-store", "vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-kms",
        Part::Enclave,
        &["vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-runtime",
        Part::Enclave,
        &[
            "vettid-kms",
            "vettid-vault",
            "vettid-store",
            "vettid-session",
            "vettid-attestation",
            "vettid-wire",
            "vettid-crypto",
        ],
    ),
    row("vettid-init", Part::Enclave, &[]),
    row(
        "vettid-federation",
        Part::Host,
        &["vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-bootstrap",
        Part::Host,
        &["vettid-federation", "vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-relay",
        Part::Host,
        &["vettid-federation", "vettid-wire", "vettid-crypto"],
    ),
    row(
        "vettid-node",
        Part::Host,
        &[
            "vettid-federation",
            "vettid-eif",
            "vettid-wire",
            "vettid-crypto",
        ],
    ),
    row(
        "vettid-sdk",
        Part::Edge,
        &[
            "vettid-session",
            "vettid-attestation",
            "vettid-wire",
            "vettid-crypto",
        ],
    ),
    row("vettid-cli", Part::Edge, &["vettid-sdk"]),
    row("vettid-image", Part::Tool, &["vettid-eif"]),
    Row {
        package: "vettid-tests",
        part: Part::Tool,
        uses: Uses::Anything,
    },
    Row {
        package: "vettid-bench",
        part: Part::Tool,
        uses: Uses::Anything,
    },
    row("xtask", Part::Tool, &[]),
];

/// Outside crates with a single place to use them. Tools are exempt.
pub(crate) const RESERVED: &[Reserved] = &[
    Reserved {
        why: "primitives are used through vettid-crypto",
        owners: &["vettid-crypto"],
        crates: &[
            "argon2",
            "aws-lc-rs",
            "blake2",
            "chacha20",
            "chacha20poly1305",
            "crypto_box",
            "curve25519-dalek",
            "ed25519-dalek",
            "hkdf",
            "hmac",
            "hpke",
            "k256",
            "ml-kem",
            "p256",
            "p384",
            "ring",
            "sha1",
            "sha2",
            "sha3",
            "subtle",
            "x-wing",
            "x25519-dalek",
            "zeroize",
        ],
    },
    Reserved {
        why: "CBOR is decoded in vettid-wire",
        owners: &["vettid-wire"],
        crates: &["minicbor", "serde_cbor"],
    },
    Reserved {
        why: "MLS, and the form in which its library stores its state, belong to the vault",
        owners: &["vettid-vault"],
        crates: &["ciborium", "openmls", "openmls_traits", "rayon"],
    },
    Reserved {
        why: "attestation documents are parsed in vettid-attestation",
        owners: &["vettid-attestation"],
        crates: &[
            "const-oid",
            "coset",
            "der",
            "rustls-webpki",
            "spki",
            "x509-cert",
            "x509-parser",
        ],
    },
    Reserved {
        why: "Noise is spoken in vettid-session",
        owners: &["vettid-session"],
        crates: &["snow"],
    },
    Reserved {
        why: "SQLite holds a vault in vettid-store and the host's log in vettid-node",
        owners: &["vettid-store", "vettid-node"],
        crates: &["libsqlite3-sys", "rusqlite"],
    },
    Reserved {
        why: "the platform is reached through vettid-runtime",
        owners: &["vettid-runtime"],
        crates: &[
            "aws-nitro-enclaves-nsm-api",
            "aws-sdk-kms",
            "seccompiler",
            "vsock",
        ],
    },
    Reserved {
        why: "the key service is spoken to in vettid-kms",
        owners: &["vettid-kms"],
        crates: &["cms", "httparse", "webpki-roots"],
    },
    Reserved {
        why: "powers are dropped by the image's first process",
        owners: &["vettid-init"],
        crates: &["caps", "rustix"],
    },
    Reserved {
        why: "images are written and read in vettid-eif",
        owners: &["vettid-eif"],
        crates: &["aws-nitro-enclaves-image-format", "miniz_oxide"],
    },
    Reserved {
        why: "the host's services belong to vettid-node",
        owners: &["vettid-node"],
        crates: &[
            "aws-config",
            "aws-sdk-s3",
            "axum",
            "tokio-vsock",
            "tower-http",
        ],
    },
    Reserved {
        why: "the network between nodes is spoken in vettid-federation",
        owners: &["vettid-federation"],
        crates: &["libp2p"],
    },
    Reserved {
        why: "the bus has two ends",
        owners: &["vettid-node", "vettid-sdk"],
        crates: &["async-nats", "nkeys"],
    },
];

/// Crates that do I/O, read clocks or draw entropy: never below `protocol/` on a bare target.
pub(crate) const IMPURE: &[&str] = &[
    "async-nats",
    "aws-lc-sys",
    "getrandom",
    "hyper",
    "js-sys",
    "libsqlite3-sys",
    "mio",
    "nix",
    "rand",
    "reqwest",
    "rustix",
    "socket2",
    "tokio",
    "wasm-bindgen",
];

const fn row(package: &'static str, part: Part, uses: &'static [&'static str]) -> Row {
    Row {
        package,
        part,
        uses: Uses::Only(uses),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_package_has_one_row() {
        let names: BTreeSet<_> = ROWS.iter().map(|row| row.package).collect();

        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn arrows_point_to_rows_above_so_there_is_no_cycle() {
        let mut above = BTreeSet::new();
        for row in ROWS {
            if let Uses::Only(uses) = row.uses {
                assert!(
                    uses.iter().all(|name| above.contains(name)),
                    "{}",
                    row.package
                );
            }
            above.insert(row.package);
        }
    }

    #[test]
    fn no_arrow_leads_from_host_or_edge_into_the_enclave() {
        let enclave: BTreeSet<_> = ROWS
            .iter()
            .filter(|row| row.part == Part::Enclave)
            .map(|row| row.package)
            .collect();
        for row in ROWS
            .iter()
            .filter(|row| matches!(row.part, Part::Host | Part::Edge))
        {
            let Uses::Only(uses) = row.uses else {
                panic!("{} may use anything", row.package)
            };
            assert!(
                uses.iter().all(|name| !enclave.contains(name)),
                "{}",
                row.package
            );
        }
    }

    #[test]
    fn outside_crate_is_reserved_once_and_its_owners_exist() {
        let mut seen = BTreeSet::new();
        for reserved in RESERVED {
            for name in reserved.crates {
                assert!(seen.insert(name), "{name} is reserved twice");
            }
            for owner in reserved.owners {
                assert!(ROWS.iter().any(|row| row.package == *owner), "{owner}");
            }
        }
    }
}
