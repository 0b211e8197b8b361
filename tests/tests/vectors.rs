//! Every checked-in vector is read back with the product's own readers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use serde::de::DeserializeOwned;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{PinKey, SealingKey, SecretBytes, VaultKey};
use vettid_store::{Chain, Database, HeaderKey, Kind, Linked, Record, Replay};
use vettid_tests::vectors::{self, bytes, envelope, identity, ids, network, padding, record};
use vettid_wire::cbor;
use vettid_wire::envelope::Envelope;
use vettid_wire::id::{DeviceId, SpaceId, VaultId};
use vettid_wire::identity::IdentityChain;
use vettid_wire::network::{Network, SignedNetwork};
use vettid_wire::padding::{bucket, pad, unpad};

fn text(name: &str) -> String {
    let path = format!("{}/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).expect("vectors: write them with `cargo xtask vectors`")
}

fn file<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&text(name)).expect("the shape of this file")
}

fn key(text: &str) -> [u8; 32] {
    bytes(text).try_into().expect("32 bytes")
}

#[test]
fn checked_in_vectors_are_what_this_code_makes() {
    for (name, made) in vectors::all() {
        assert_eq!(
            text(name),
            made,
            "{name}: write it with `cargo xtask vectors`"
        );
    }
}

#[test]
fn two_runs_make_the_same_vectors() {
    assert_eq!(vectors::all(), vectors::all());
}

#[test]
fn envelopes_are_read_and_written_as_the_vectors_say() {
    let file: envelope::Envelopes = file("envelope.json");
    for entry in &file.accepted {
        let all = bytes(&entry.bytes);
        let parsed = Envelope::parse(&all).expect("an envelope");
        assert_eq!(envelope::name(parsed.kind), entry.kind);
        assert_eq!(parsed.device.to_string(), entry.device);
        assert_eq!(parsed.session.to_string(), entry.session);
        assert_eq!(parsed.body, bytes(&entry.body));
        assert_eq!(parsed.to_bytes(), all);
    }
    for entry in &file.refused {
        let mut all = bytes(&entry.bytes);
        all.resize(all.len() + entry.zeros, 0);
        assert!(Envelope::parse(&all).is_err(), "{}", entry.why);
    }
}

#[test]
fn paddings_are_as_the_vectors_say() {
    let file: padding::Padding = file("padding.json");
    for (length, size) in file.buckets {
        assert_eq!(bucket(length), size, "{length}");
    }
    let mut padded = bytes(&file.plaintext);
    pad(&mut padded).expect("fits");
    assert_eq!(padded, bytes(&file.padded));
    assert_eq!(unpad(&padded), Ok(bytes(&file.plaintext).as_slice()));
    for (why, refused) in &file.refused {
        assert!(unpad(&bytes(refused)).is_err(), "{why}");
    }
}

#[test]
fn ids_have_the_texts_of_the_vectors() {
    let file: ids::Ids = file("ids.json");
    for id in &file.texts {
        assert_eq!(
            ids::read(&id.kind, &id.text),
            Some(bytes(&id.bytes)),
            "{}",
            id.kind
        );
        if id.kind != "network" {
            assert_eq!(
                ids::show(&id.kind, &bytes(&id.bytes)).as_ref(),
                Some(&id.text)
            );
        }
    }
    for (kind, text) in &file.refused {
        assert_eq!(ids::read(kind, text), None, "{kind} {text}");
    }
    let public = SigningKey::from_seed(&key(&file.derived.seed)).verifying_key();
    assert_eq!(public.0.to_vec(), bytes(&file.derived.public));
    assert_eq!(VaultId::of(&public).to_string(), file.derived.vault);
    assert_eq!(DeviceId::of(&public).to_string(), file.derived.device);
}

#[test]
fn network_files_are_accepted_and_refused_as_the_vectors_say() {
    let file: network::Networks = file("network.json");
    for entry in &file.accepted {
        let network = SignedNetwork::verify(&bytes(&entry.file)).expect("a network file");
        assert_eq!(network.id().to_string(), entry.id);
        assert_eq!(network.epoch, entry.epoch);
        assert_eq!(cbor::decode::<Network>(&bytes(&entry.network)), Ok(network));
    }
    for (why, refused) in &file.refused {
        assert!(SignedNetwork::verify(&bytes(refused)).is_err(), "{why}");
    }
}

#[test]
fn identity_chains_lead_where_the_vectors_say() {
    let file: identity::Identities = file("identity.json");
    let vault: VaultId = file.vault.parse().expect("a vault");
    let first = SigningKey::from_seed(&key(&file.seeds[0])).verifying_key();
    assert_eq!(VaultId::of(&first), vault);
    for entry in &file.accepted {
        let chain: IdentityChain = cbor::decode(&bytes(&entry.chain)).expect("a chain");
        assert_eq!(chain.rotations.len(), entry.rotations);
        let current = chain.verify(&vault).expect("a key");
        assert_eq!(current.0.to_vec(), bytes(&entry.current));
        if let Some(seed) = file.seeds.get(entry.rotations) {
            assert_eq!(SigningKey::from_seed(&key(seed)).verifying_key(), current);
        }
    }
    for (why, refused) in &file.refused {
        let chain: IdentityChain = cbor::decode(&bytes(refused)).expect("a chain");
        assert!(chain.verify(&vault).is_err(), "{why}");
    }
}

/// The log of the vectors, with the keys that open it.
struct Log {
    file: record::Log,
    space: SpaceId,
    sealing: HeaderKey,
    vault_key: VaultKey,
}

impl Log {
    fn read() -> Self {
        let file: record::Log = file("record.json");
        Self {
            space: file.space.parse().expect("a space"),
            sealing: HeaderKey::new(file.release, SealingKey::from_bytes(key(&file.sealing_key))),
            vault_key: VaultKey::from_bytes(key(&file.vault_key)),
            file,
        }
    }

    fn restore(&self, records: &[Linked]) -> Option<Database> {
        let vessel = Database::template().expect("a database");
        let (first, rest) = records.split_first().expect("a record");
        let mut replay = Replay::begin(vessel, first, &self.vault_key, &mut |_, _| None).ok()?;
        for record in rest {
            replay.apply(record).ok()?;
        }
        replay.finish().ok().map(|restored| restored.database)
    }
}

#[test]
fn records_link_open_and_replay_as_the_vectors_say() {
    let log = Log::read();
    let mut chain = Chain::new(log.space);
    let mut linked = Vec::new();
    for entry in &log.file.records {
        let record = Record::parse(&bytes(&entry.bytes)).expect("a record");
        assert_eq!(record.number(), entry.number);
        let record = chain.accept(record).expect("a link");
        assert_eq!(record.head().hash.to_vec(), bytes(&entry.hash));
        let header = record.open_header(&log.sealing).ok();
        let counts = header.map(|header| (header.attempts.failed, header.unaudited.len()));
        assert_eq!(counts, entry.failed_attempts.zip(entry.unaudited));
        linked.push(record);
    }

    assert_eq!(
        linked
            .iter()
            .map(|record| record.kind())
            .collect::<Vec<_>>(),
        [Kind::Checkpoint, Kind::Changeset, Kind::Header, Kind::Joint]
    );
    let first = linked[0].open_header(&log.sealing).expect("a header");
    assert_eq!(first.vault.to_string(), log.file.vault);
    let pin = PinKey::from_bytes(key(&log.file.pin_key));
    let opened = first.lock.open(&first.vault, &pin).expect("the right PIN");
    assert_eq!(
        opened.expose(|key| key.to_vec()),
        bytes(&log.file.vault_key)
    );
    let restored = log.restore(&linked).expect("a vault");
    let vault = restored.view().vault().expect("a row").expect("a vault");
    assert_eq!(vault.id, first.vault);
    let tags = restored.view().tags().expect("tags");
    let names: Vec<_> = tags.into_iter().map(|tag| tag.tag.name).collect();
    assert_eq!(names, log.file.tags);
}

#[test]
fn what_a_host_makes_of_a_joint_record_links_and_does_not_open() {
    let log = Log::read();
    let (_, before) = log.file.records.split_last().expect("records");
    for (why, refused) in &log.file.refused {
        let mut chain = Chain::new(log.space);
        let mut linked = Vec::new();
        for bytes in before.iter().map(|entry| bytes(&entry.bytes)) {
            linked.push(
                chain
                    .accept(Record::parse(&bytes).expect("a record"))
                    .expect("a link"),
            );
        }
        let record = Record::parse(&bytes(refused)).expect("a record");
        linked.push(chain.accept(record).expect("a link"));

        let newest = linked.last().expect("a record");
        let header = newest.kind() == Kind::Changeset || newest.open_header(&log.sealing).is_ok();
        assert!(!(header && log.restore(&linked).is_some()), "{why}");
    }
}

#[test]
fn record_vectors_with_one_altered_byte_do_not_link_or_open() {
    let log = Log::read();
    let whole = bytes(&log.file.records[0].bytes);
    for index in (0..whole.len()).step_by(7) {
        let mut altered = whole.clone();
        altered[index] ^= 1;
        let Ok(record) = Record::parse(&altered) else {
            continue;
        };
        let Ok(linked) = Chain::new(log.space).accept(record) else {
            continue;
        };
        let header = linked.open_header(&log.sealing).is_ok();
        assert!(
            !(header && log.restore(&[linked]).is_some()),
            "byte {index}"
        );
    }
}
