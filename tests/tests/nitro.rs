//! The image under an emulated Nitro machine, whose secure module signs nothing.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use vettid_attestation::emulated::DevelopmentRoot;
use vettid_attestation::nitro::{Claims, DocumentError, own_claims};
use vettid_attestation::{
    AppraisalError, Cache, Evidence, Measurement, Nitro, NonceExpectation, Policy, ReferenceValue,
    Trust, appraise,
};
use vettid_crypto::digest::sha384;
use vettid_crypto::sign::SigningKey;
use vettid_eif::{Image, Registers};
use vettid_runtime::boot::RELEASE;
use vettid_runtime::platform::emulated::network::to_toml;
use vettid_tests::kms::StandIn;
use vettid_tests::machine::{LINK, Machine, image};
use vettid_tests::node::Node;
use vettid_tests::raw::SystemEntropy;
use vettid_wire::network::{self, GovernanceKey, Network, ReleaseStatus, TrustRoot};
use vettid_wire::time::UnixMillis;

const ENCLAVE: &str = "vettid-enclave.eif";
const PROBE: &str = "nitro-probe.eif";

/// What the probe commits to.
const CONFIGURATION: [u8; 48] = [0x42; 48];

/// Attempts that the probe has made by vault processes.
const ATTEMPTS: usize = 16;

/// Signal by which the kernel ends who calls what it must not.
const SIGSYS: u8 = 31;

/// Bytes that the probe sends in one piece.
const FRAME: usize = 1024 * 1024;

/// What the image's builder says that it measures.
fn computed(path: &Path) -> Registers {
    let file = fs::read(path).expect("image");
    Image::parse(&file).expect("an image").registers()
}

fn told(registers: &Registers) -> [String; 3] {
    let mut index = 0;
    [registers.pcr0, registers.pcr1, registers.pcr2].map(|value| {
        let line = format!("PCR{index} {}", HEXLOWER.encode(&value));
        index += 1;
        line
    })
}

/// Challenges the probe; the machine's time and a document.
fn challenge(probe: &mut UnixStream, challenge: &[u8; 32]) -> (UnixMillis, Vec<u8>) {
    probe.write_all(challenge).expect("challenge");
    let (mut time, mut length) = ([0; 8], [0; 4]);
    probe.read_exact(&mut time).expect("time");
    probe.read_exact(&mut length).expect("length");
    let length = usize::try_from(u32::from_be_bytes(length)).expect("length");
    let mut document = vec![0; length];
    probe.read_exact(&mut document).expect("document");
    (UnixMillis(u64::from_be_bytes(time)), document)
}

fn host_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("time");
    u64::try_from(since.as_millis()).expect("time")
}

#[test]
fn the_image_boots_measures_as_computed_and_serves_nobody_without_its_sealing_key() {
    let path = image(ENCLAVE);
    let registers = computed(&path);
    let place = tempfile::tempdir().expect("folder");
    let network = place.path().join("network.toml");
    fs::write(&network, network_of(&registers)).expect("network file");
    let mut machine = Machine::boot(&path);
    let mut node = Node::of_enclave(&machine.link(), &network);
    let root = DevelopmentRoot::generate(UnixMillis(host_time()), &mut SystemEntropy);
    let service = StandIn::start(root.certificate());
    node.use_key_service(&service);

    let up = machine.heartbeat();
    node.start_unready();
    let ended = machine.wait_for_end();

    println!("heartbeat after {up:?}, end after {ended:?}");
    let ready = node.get("/readyz").expect("an answer").status;
    assert_eq!(ready, 503);
    let console = machine.console();
    for line in told(&registers) {
        assert!(console.contains(&line), "{line} is not in\n{console}");
    }
    // It believes Amazon's authorities alone, and has asked nobody else for anything.
    assert!(
        console.contains("key service did not prove that it is one"),
        "{console}"
    );
    assert_eq!(service.asked(), Vec::<String>::new());
    // Hardware shows no console: the operator reads it in the node's log.
    let log = node.end_of_log();
    assert!(log.contains("key service did not prove"), "{log}");
    assert!(
        console.contains("vettid-init: enclave ended with code 1"),
        "{console}"
    );
}

/// A network on the hardware's root that accepts this image and no other.
fn network_of(registers: &Registers) -> String {
    let governance = SigningKey::from_seed(&[7; 32]);
    let Registers { pcr0, pcr1, pcr2 } = *registers;
    let network = Network {
        trust_root: TrustRoot::Nitro,
        governance: vec![GovernanceKey(governance.verifying_key().0)],
        threshold: 1,
        reference_values: vec![network::ReferenceValue {
            release: RELEASE,
            pcr0,
            pcr1,
            pcr2,
            status: ReleaseStatus::Active,
        }],
        release_floor: RELEASE,
        epoch: 1,
        bootstrap: Vec::new(),
        relays: Vec::new(),
    };
    to_toml(&network, &governance)
}

#[test]
fn the_release_file_says_what_the_image_measures() {
    let path = image(ENCLAVE);
    let beside = path.with_file_name("release.toml");
    let release: toml::Table = fs::read_to_string(beside)
        .expect("release.toml")
        .parse()
        .expect("TOML");

    let registers = computed(&path);

    for (name, value) in [
        ("pcr0", registers.pcr0),
        ("pcr1", registers.pcr1),
        ("pcr2", registers.pcr2),
    ] {
        assert_eq!(
            release[name].as_str(),
            Some(HEXLOWER.encode(&value).as_str())
        );
    }
    let number = release["release"].as_integer();
    assert_eq!(number, Some(i64::from(RELEASE)));
}

#[test]
fn builds_in_different_folders_measure_the_same() {
    let path = image(ENCLAVE);
    let again = image("elsewhere.eif");

    assert_eq!(computed(&again), computed(&path));
    let same = fs::read(again).expect("image") == fs::read(path).expect("image");
    assert!(same, "the files differ where nothing is measured");
}

#[test]
fn an_image_weighs_at_most_12_megabytes() {
    let size = fs::metadata(image(ENCLAVE)).expect("image").len();

    println!("image: {size} bytes");
    assert!(size <= 12_000_000, "{size} bytes");
}

#[test]
fn an_image_whose_launcher_is_gone_does_not_start_its_enclave() {
    let mut machine = Machine::boot_without_launcher(&image(ENCLAVE));

    machine.wait_for_end();

    let console = machine.console();
    assert!(console.contains("vettid-init: heartbeat: "), "{console}");
    assert!(!console.contains("PCR0 "), "{console}");
}

#[test]
fn a_machine_that_signs_nothing_comes_up_and_is_refused_by_apps_and_peers() {
    let path = image(PROBE);
    let registers = computed(&path);
    let machine = Machine::boot(&path);
    machine.heartbeat();
    let mut probe = machine.dial(LINK);
    let mut flags = [0; 3];
    probe.read_exact(&mut flags).expect("flags");
    check_confinement(&mut probe);
    let up = machine.age();
    let mut frame = vec![0; FRAME];
    probe.read_exact(&mut frame).expect("a large frame");
    let moved = machine.age();

    let nonce = [7; 32];
    let (time, document) = challenge(&mut probe, &nonce);
    let (later, other) = challenge(&mut probe, &[8; 32]);

    println!(
        "serves after {up:?}, 1 MiB in {:?}, document of {} bytes",
        moved.saturating_sub(up),
        document.len()
    );
    assert!(frame.iter().all(|&byte| byte == 0xa5));
    // No socket before the commitment, registers locked after it, and readable.
    assert_eq!(flags, [1, 1, 1], "{}", machine.console());
    let claims = own_claims(&document).expect("claims");
    check_registers(&claims, &registers);
    assert_eq!(claims.nonce, Some(&nonce[..]));
    assert_eq!(claims.user_data, Some(&sha384(&nonce)[..]));
    assert_ne!(document, other);
    assert!(time.0.abs_diff(host_time()) < 120_000 && later >= time);
    for document in [&document, &other] {
        check_refused(document, &registers);
    }
}

/// Every attempt of a vault process to reach outside was its last, and it has no powers.
fn check_confinement(probe: &mut UnixStream) {
    let (mut ended, mut length) = ([0; ATTEMPTS], [0; 4]);
    probe.read_exact(&mut ended).expect("ends");
    probe.read_exact(&mut length).expect("length");
    let mut status = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("length")];
    probe.read_exact(&mut status).expect("status");
    let status = String::from_utf8(status).expect("text");

    assert_eq!(ended, [SIGSYS; ATTEMPTS]);
    let id = "200009";
    for (key, value) in [
        ("Uid", [id; 4].join("\t")),
        ("Gid", [id; 4].join("\t")),
        ("CapEff", "0".repeat(16)),
        ("CapPrm", "0".repeat(16)),
        ("NoNewPrivs", "1".to_owned()),
        ("Seccomp", "2".to_owned()),
    ] {
        let line = format!("{key}:\t{value}\n");
        assert!(status.contains(&line), "{line}\n{status}");
    }
}

/// What booted is what was computed, and the configuration is in the first register above it.
fn check_registers(claims: &Claims<'_>, computed: &Registers) {
    let Registers { pcr0, pcr1, pcr2 } = *computed;
    assert_eq!(
        [claims.pcrs[&0], claims.pcrs[&1], claims.pcrs[&2]],
        [pcr0, pcr1, pcr2]
    );
    let extended = sha384(&[[0; 48], CONFIGURATION].concat());
    assert_eq!(claims.pcrs[&16], extended);
    // The same system around another program.
    assert_eq!(computed_system(), pcr1);
}

fn computed_system() -> [u8; 48] {
    computed(&image(ENCLAVE)).pcr1
}

/// Even by a network whose one reference value this image is.
fn check_refused(document: &[u8], registers: &Registers) {
    let Registers { pcr0, pcr1, pcr2 } = *registers;
    let measurement = Measurement::new(pcr0, pcr1, pcr2).expect("not debug");
    let accepted = ReferenceValue {
        measurement,
        release: 1,
    };
    let policy = Policy::new(Trust::Nitro, vec![accepted], 0).expect("policy");
    let now = UnixMillis(host_time());
    let appraised = appraise(
        document,
        b"",
        &policy,
        NonceExpectation::Renewal,
        now,
        &mut Cache::default(),
    );

    let unsigned = AppraisalError::from(DocumentError::Algorithm);
    assert_eq!(appraised.err(), Some(unsigned));
    assert_eq!(Evidence::<Nitro>::parse(document).err(), Some(unsigned));
}
