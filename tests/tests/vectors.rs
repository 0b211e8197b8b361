//! Every checked-in vector is read back with the product's own readers.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use serde::de::DeserializeOwned;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{PinKey, SealingKey, SecretBytes, VaultKey};
use vettid_store::{Chain, Database, Kind, Record, Replay};
use vettid_tests::vectors::{self, bytes, envelope, ids, network, padding, record};
use vettid_wire::cbor;
use vettid_wire::envelope::Envelope;
use vettid_wire::id::{DeviceId, SpaceId, VaultId};
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
fn records_link_open_and_replay_as_the_vectors_say() {
    let file: record::Log = file("record.json");
    let space: SpaceId = file.space.parse().expect("a space");
    let sealing = SealingKey::from_bytes(key(&file.sealing_key));
    let vault_key = VaultKey::from_bytes(key(&file.vault_key));
    let mut chain = Chain::new(space);
    let mut linked = Vec::new();
    for entry in &file.records {
        let record = Record::parse(&bytes(&entry.bytes)).expect("a record");
        assert_eq!(record.number(), entry.number);
        let record = chain.accept(record).expect("a link");
        assert_eq!(record.head().hash.to_vec(), bytes(&entry.hash));
        linked.push(record);
    }

    assert_eq!(
        linked
            .iter()
            .map(|record| record.kind())
            .collect::<Vec<_>>(),
        [Kind::Checkpoint, Kind::Changeset, Kind::Header]
    );
    let first = linked[0].open_header(&sealing).expect("a header");
    assert_eq!(first.vault.to_string(), file.vault);
    let pin = PinKey::from_bytes(key(&file.pin_key));
    let opened = first.lock.open(&first.vault, &pin).expect("the right PIN");
    assert_eq!(opened.expose(|key| key.to_vec()), bytes(&file.vault_key));
    let newest = linked[2].open_header(&sealing).expect("a header");
    assert_eq!(newest.attempts.failed, file.failed_attempts);

    let vessel = Database::template().expect("a database");
    let mut replay =
        Replay::begin(vessel, &linked[0], &vault_key, &mut |_, _| None).expect("a beginning");
    for record in &linked[1..] {
        replay.apply(record).expect("the next record");
    }
    let restored = replay.finish().expect("a vault").database;
    let tags = restored.view().tags().expect("tags");
    assert_eq!(
        tags.iter().map(|tag| &tag.tag.name).collect::<Vec<_>>(),
        [&file.tag]
    );
}

#[test]
fn record_vectors_with_one_altered_byte_do_not_link_or_open() {
    let file: record::Log = file("record.json");
    let space: SpaceId = file.space.parse().expect("a space");
    let vault_key = VaultKey::from_bytes(key(&file.vault_key));
    let sealing = SealingKey::from_bytes(key(&file.sealing_key));
    let whole = bytes(&file.records[0].bytes);
    for index in (0..whole.len()).step_by(7) {
        let mut altered = whole.clone();
        altered[index] ^= 1;
        let Ok(record) = Record::parse(&altered) else {
            continue;
        };
        let Ok(linked) = Chain::new(space).accept(record) else {
            continue;
        };
        let header = linked.open_header(&sealing).is_ok();
        let snapshot = linked.open_snapshot(&vault_key).is_ok();
        assert!(!(header && snapshot), "byte {index}");
    }
}
