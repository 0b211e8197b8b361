//! The real program with a real vault in it, under its real confinement: enrollment, use, closing,
//! reading back.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

mod rig;

use std::io::Write;
use std::process::Command;

use rig::{Device, Rig, await_gone, space};
use vettid_crypto::sealed_box::BoxPublic;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Entropy, Label, digest};
use vettid_runtime::platform::KernelEntropy;
use vettid_wire::id::{ItemId, RequestId};
use vettid_wire::link::{Closed, Entry, FromHost};
use vettid_wire::operation::credential::Create;
use vettid_wire::operation::item::{
    Category, Draft, Field, FieldKind, Get, Item, Put, Search, Sensitivity, Summaries, Written,
};
use vettid_wire::operation::vault::{Enroll, Enrolled, Lock, Unlock, Unlocked};
use vettid_wire::refusal::Code;
use vettid_wire::request::{
    FromVault, Operation, Outcome, OwnerProof, OwnerSecret, Reply, Request, TransactionKey,
    proof_context,
};
use vettid_wire::{Secret, cbor};

const TOKEN: [u8; 32] = [0x77; 32];
const PIN: &str = "481516";

fn start() -> Rig {
    let program = env!("CARGO_BIN_EXE_vettid-enclave-emulated");
    let (mut create, mut run) = (Command::new(program), Command::new(program));
    create.arg("create-network");
    run.arg("run");
    let mut rig = Rig::of(create, run, |_| {});
    rig.greet();
    rig
}

fn ask(rig: &mut Rig, device: &mut Device, request: &Request) -> Reply {
    device.ask(rig, &cbor::encode(request));
    loop {
        let (_, message) = device.hear(rig);
        if let FromVault::Reply(reply) = cbor::decode(&message).expect("message of a vault") {
            assert_eq!(reply.id, request.id);
            return reply;
        }
    }
}

fn request<O: Operation>(body: &O) -> Request {
    Request {
        id: RequestId::random(&mut KernelEntropy),
        operation: O::NAME.to_owned(),
        body: Secret::new(cbor::encode(body)),
        proof: None,
    }
}

fn call<O: Operation>(rig: &mut Rig, device: &mut Device, body: &O) -> O::Reply {
    match ask(rig, device, &request(body)).outcome {
        Outcome::Done(reply) => reply.expose(|reply| cbor::decode(reply)).expect("reply"),
        other => panic!("{}: {other:?}", O::NAME),
    }
}

/// `credential.create`: the password, sealed to a one-time key.
fn create(rig: &mut Rig, device: &mut Device, key: &TransactionKey) {
    let mut request = request(&Create {});
    let secret = OwnerSecret {
        password: Secret::from("correct horse battery"),
        reply_key: Secret::new(KernelEntropy.bytes::<32>().to_vec()),
        input: None,
    };
    let context = proof_context(request.id, &request.operation, &request.body);
    let sealed = BoxPublic(key.public.clone())
        .seal(
            Label::OwnerProof,
            &[&context],
            &cbor::encode(&secret),
            &mut KernelEntropy,
        )
        .expect("seals");
    request.proof = Some(OwnerProof {
        transaction_key: key.id,
        sealed,
        credential: vec![],
    });
    let reply = ask(rig, device, &request);
    assert!(
        !matches!(reply.outcome, Outcome::Refused(_)),
        "{:?}",
        reply.outcome
    );
    assert!(reply.credential.is_some());
}

fn enroll(rig: &mut Rig, key: &SigningKey) -> Device {
    rig.open(
        space(1),
        Entry::Fresh {
            token_hash: digest::sha256(&TOKEN),
        },
    );
    let mut device = Device::with_key(rig, space(1), 1, None, key);
    let enroll = Enroll {
        token: Secret::new(TOKEN.to_vec()),
        device_name: "laptop".to_owned(),
        route: device.route,
        pin: Secret::from(PIN),
    };
    let enrolled: Enrolled = call(rig, &mut device, &enroll);
    create(
        rig,
        &mut device,
        enrolled.transaction_keys.first().expect("one-time key"),
    );
    device
}

fn put(rig: &mut Rig, device: &mut Device, name: &str) -> ItemId {
    let draft = Draft {
        name: name.to_owned(),
        category: Category::Note,
        sensitivity: Sensitivity::Data,
        fields: vec![Field {
            id: 0,
            label: "text".to_owned(),
            kind: FieldKind::Multiline,
            value: Some(Secret::new(vec![b'x'; 1024])),
        }],
        tags: vec!["home".to_owned()],
        favorite: false,
        notes: None,
    };
    let written: Written = call(
        rig,
        device,
        &Put {
            id: None,
            base: None,
            draft,
        },
    );
    written.id
}

fn unlock(rig: &mut Rig, device: &mut Device, pin: &str) -> Result<Unlocked, Code> {
    let unlock = Unlock {
        pin: Secret::from(pin),
        seen: None,
    };
    match ask(rig, device, &request(&unlock)).outcome {
        Outcome::Done(reply) => Ok(reply.expose(|reply| cbor::decode(reply)).expect("reply")),
        Outcome::Refused(refusal) => Err(refusal.code),
        Outcome::Sealed(_) => panic!("sealed"),
    }
}

#[test]
fn an_owner_enrolls_keeps_items_and_finds_them_again_after_every_process_was_new() {
    let mut rig = start();
    let key = SigningKey::generate(&mut KernelEntropy);
    let mut device = enroll(&mut rig, &key);
    let first = put(&mut rig, &mut device, "recipe for bread");
    let hits: Summaries = call(
        &mut rig,
        &mut device,
        &Search {
            text: Secret::from("bread"),
            limit: None,
        },
    );
    assert_eq!(hits.items.len(), 1);
    let old = rig.vault_pids();

    rig.send(&FromHost::Close { space: space(1) });
    assert_eq!(rig.closed(space(1)), Closed::Asked);
    await_gone(&old);
    rig.open(space(1), Entry::Existing);
    let mut device = Device::with_key(&mut rig, space(1), 1, None, &key);

    assert_eq!(
        unlock(&mut rig, &mut device, "000000").err(),
        Some(Code::WrongPin)
    );
    let unlocked = unlock(&mut rig, &mut device, PIN).expect("unlocks");
    assert_eq!(unlocked.failed_attempts, 1);
    let item: Item = call(&mut rig, &mut device, &Get { id: first });
    assert_eq!(item.draft.name, "recipe for bread");
    call(&mut rig, &mut device, &Lock {});
    assert_eq!(rig.closed(space(1)), Closed::Locked);
}

#[test]
fn a_host_that_speaks_garbage_loses_the_enclave_and_every_vault_in_it() {
    let noise: Vec<u8> = (0..1_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let mut unasked = Vec::new();
    let page = FromHost::LogPage {
        request: 77,
        page: None,
    };
    assert!(vettid_wire::link::write(&page, &mut unasked));
    for (what, bytes) in [
        ("noise", noise),
        ("a frame that is none", b"\0\0\0\x05hello".to_vec()),
        ("an answer that was never asked", unasked),
    ] {
        let mut rig = start();
        let key = SigningKey::generate(&mut KernelEntropy);
        let mut device = enroll(&mut rig, &key);
        put(&mut rig, &mut device, "kept from noise");
        let mut processes = rig.vault_pids();
        processes.push(rig.zygote_pid());

        // It may hang up while noise is still on its way.
        let _ = rig.link.write_all(&bytes);

        assert_eq!(rig.exit_code(), Some(3), "{what}");
        await_gone(&processes);
    }
}

#[test]
fn a_device_that_is_not_registered_gets_no_session_with_an_existing_vault() {
    let mut rig = start();
    let key = SigningKey::generate(&mut KernelEntropy);
    let device = enroll(&mut rig, &key);
    rig.send(&FromHost::Close { space: space(1) });
    rig.closed(space(1));
    rig.open(space(1), Entry::Existing);
    drop(device);

    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Device::open(&mut rig, space(1), 9)
    }));

    assert!(refused.is_err());
    let mut device = Device::with_key(&mut rig, space(1), 1, None, &key);
    unlock(&mut rig, &mut device, PIN).expect("the owner's device still can");
}
