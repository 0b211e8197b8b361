//! The platform on recorded answers.

use super::recorded::{self, Recorded};
use super::*;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use vettid_attestation::nitro::Document;
use vettid_wire::limits;
use vettid_wire::link::sealing::ToEnclave;
use vettid_wire::link::{self, FromHost};

use crate::flow::Inflow;

const PCRS: [[u8; 48]; 3] = [[1; 48], [2; 48], [3; 48]];

fn boot_answers(pcrs: [[u8; 48]; 3]) -> Vec<Vec<u8>> {
    let mut answers = vec![recorded::description("SHA384")];
    answers.extend(pcrs.iter().map(|value| recorded::pcr(value, true)));
    answers
}

fn nitro(more: impl IntoIterator<Item = Vec<u8>>, source: &Path, pool: &Path) -> Nitro<Recorded> {
    let answers = boot_answers(PCRS).into_iter().chain(more);
    Nitro::over(RELEASE, Module::new(Recorded::new(answers)), source, pool).expect("boots")
}

fn elsewhere(more: impl IntoIterator<Item = Vec<u8>>) -> Nitro<Recorded> {
    nitro(more, Path::new("/nonexistent"), Path::new("/nonexistent"))
}

/// A real document, where the vectors are at hand.
fn real_document() -> Option<(Vec<u8>, u64)> {
    let folder = std::env::var_os("VETTID_NITRO_VECTORS").map_or_else(
        || PathBuf::from("/work/shared/vectors/nitro"),
        PathBuf::from,
    );
    let document = fs::read(folder.join("2026-01-03-release-indefinite.cose"));
    if document.is_err() {
        eprintln!("skipped: no Nitro documents in {}", folder.display());
    }
    let document = document.ok()?;
    let time = Document::parse(&document)
        .expect("a document")
        .unverified_claims()
        .timestamp
        .0;
    Some((document, time))
}

#[test]
fn what_booted_is_read_from_the_first_three_registers() {
    let expected = Measurement::new(PCRS[0], PCRS[1], PCRS[2]).expect("not debug");

    assert_eq!(elsewhere([]).measurement(), expected);
}

#[test]
fn an_enclave_in_debug_mode_does_not_boot() {
    let answers = boot_answers([[0; 48], [0; 48], [0; 48]]);
    let module = Module::new(Recorded::new(answers));

    let refused = Nitro::over(RELEASE, module, Path::new("/x"), Path::new("/x")).err();

    assert_eq!(refused, Some(PlatformError::DebugMode));
}

#[test]
fn configuration_is_extended_and_all_registers_locked_before_a_socket_may_open() {
    let Some((document, time)) = real_document() else {
        return;
    };
    let answers = [
        recorded::extended(&[9; 48]),
        recorded::locked(),
        recorded::attestation(&document),
    ];
    let mut nitro = elsewhere(answers);

    assert_eq!(nitro.listen(), Err(PlatformError::NotCommitted));
    nitro.commit(&[7; 48]).expect("commits");

    assert!(nitro.now().0 >= time && nitro.now().0 < time + 60_000);
    assert!(nitro.committed);
}

#[test]
fn a_module_that_does_not_lock_stops_the_boot() {
    let mut nitro = elsewhere([
        recorded::extended(&[9; 48]),
        recorded::error("InvalidIndex"),
    ]);

    let refused = nitro.commit(&[7; 48]);

    assert!(
        matches!(refused, Err(PlatformError::Module(_))),
        "{refused:?}"
    );
    assert!(!nitro.committed);
    assert_eq!(nitro.listen(), Err(PlatformError::NotCommitted));
}

#[test]
fn a_real_document_is_handed_on_byte_for_byte_and_sets_the_clock() {
    let Some((document, time)) = real_document() else {
        return;
    };
    let mut nitro = elsewhere([recorded::attestation(&document)]);

    assert_eq!(nitro.document(&[1; 48], Some(&[2; 32])), Ok(document));
    assert!(nitro.now().0 >= time);
}

#[test]
fn an_answer_that_is_no_document_is_refused() {
    let mut nitro = elsewhere([recorded::attestation(b"not a document")]);

    assert_eq!(nitro.document(&[1; 48], None), Err(PlatformError::NoTime));
}

#[test]
fn the_kernel_must_draw_from_the_module_and_nothing_else() {
    let folder = tempfile::tempdir().expect("folder");
    let (source, pool) = (
        folder.path().join("rng_current"),
        folder.path().join("pool"),
    );
    fs::write(&pool, b"").expect("write");

    fs::write(&source, "virtio_rng.0\n").expect("write");
    let other = nitro([], &source, &pool).check_entropy();
    fs::write(&source, "nsm-hwrng\n").expect("write");
    let right = nitro([recorded::random(&[5; 256])], &source, &pool).check_entropy();
    let silent = nitro([recorded::error("InternalError")], &source, &pool).check_entropy();
    let missing = elsewhere([]).check_entropy();

    assert_eq!(other, Err(PlatformError::EntropySource));
    assert_eq!(right, Ok(()));
    assert_eq!(fs::read(&pool).expect("read"), vec![5; 256]);
    assert!(
        matches!(silent, Err(PlatformError::Module(_))),
        "{silent:?}"
    );
    assert_eq!(missing, Err(PlatformError::EntropySource));
}

#[test]
fn there_is_no_sealing_root_where_the_host_knows_no_key_service() {
    let (ours, mut theirs) = UnixStream::pair().expect("pair");
    let ours = OwnedFd::from(ours);
    let mut answer = Vec::new();
    assert!(link::write(
        &FromHost::Sealing(ToEnclave::Access(None)),
        &mut answer
    ));
    theirs.write_all(&answer).expect("said");
    let mut inflow = Inflow::new(limits::LINK_FRAME);

    let refused = elsewhere([]).sealing_root(&mut HostLine::new(&ours, &mut inflow));

    assert_eq!(refused.err(), Some(PlatformError::NoKeyService));
}

#[test]
fn document_for_the_key_service_names_a_key_and_nothing_else() {
    let mut nitro = elsewhere([recorded::attestation(b"a document")]);

    let document = nitro.document_for(b"public key");

    assert_eq!(document, Ok(b"a document".to_vec()));
    let long = nitro.document_for(&[0; 513]);
    let refused = PlatformError::Module(module::ModuleError::TooLong(513));
    assert_eq!(long, Err(refused));
}
