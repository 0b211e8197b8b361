//! Files of a device: what comes back, and what is said about those that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use vettid_wire::request::Head;

use super::bus::Lab;
use crate::keystore::{FileKeystore, Keystore, KeystoreError, State};

fn open(folder: &Path) -> FileKeystore {
    FileKeystore::open(folder, Duration::ZERO).expect("opened")
}

async fn state() -> State {
    Lab::new().enrolled().await.1.state()
}

const HEAD: Head = Head {
    number: 7,
    hash: [1; 32],
};

#[tokio::test(start_paused = true)]
async fn what_is_kept_comes_back() {
    let (folder, state) = (tempfile::tempdir().unwrap(), state().await);
    let home = folder.path().join("home");
    let mut keystore = open(&home);
    assert_eq!(keystore.load(), Ok(None));
    keystore.save(&state).unwrap();
    keystore.save_head(HEAD).unwrap();
    drop(keystore);

    let kept = open(&home).load().unwrap().expect("kept");

    assert_eq!(kept.state, state);
    assert_eq!(kept.head, Some(HEAD));
}

#[tokio::test(start_paused = true)]
async fn files_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let mut keystore = open(&home);
    keystore.save(&state().await).unwrap();
    keystore.save_head(HEAD).unwrap();

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode(&home), 0o700);
    for name in ["state", "head", "lock"] {
        assert_eq!(mode(&home.join(name)), 0o600, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut keystore = open(folder.path());
    keystore.save(&state().await).unwrap();
    let path = folder.path().join("state");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

    assert_eq!(keystore.load(), Err(KeystoreError::Open(path)));
}

#[tokio::test(start_paused = true)]
async fn damaged_foreign_and_newer_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut keystore = open(folder.path());
    keystore.save(&state().await).unwrap();
    let path = folder.path().join("state");
    let good = fs::read(&path).unwrap();
    let mut outcome = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        keystore.load().map(drop)
    };
    let altered = |index: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[index] = to;
        bytes
    };

    let last = good.len() - 1;
    for damaged in [
        altered(last, good[last] ^ 1),
        good[..last].to_vec(),
        good[..9].to_vec(),
    ] {
        assert_eq!(outcome(&damaged), Err(KeystoreError::Damaged(path.clone())));
    }
    for foreign in [b"{}".to_vec(), Vec::new(), altered(0, b'V')] {
        assert_eq!(outcome(&foreign), Err(KeystoreError::Foreign(path.clone())));
    }
    assert_eq!(
        outcome(&altered(9, 9)),
        Err(KeystoreError::Newer(path.clone()))
    );
    assert_eq!(outcome(&good), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn interrupted_write_leaves_what_was_there() {
    let (folder, state) = (tempfile::tempdir().unwrap(), state().await);
    let mut keystore = open(folder.path());
    keystore.save(&state).unwrap();
    fs::write(folder.path().join("state.next"), b"half").unwrap();

    assert_eq!(keystore.load().unwrap().expect("kept").state, state);
    keystore.save(&state).unwrap();
    assert!(!folder.path().join("state.next").exists());
}

#[test]
fn folder_belongs_to_one_program_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());

    let second = FileKeystore::open(folder.path(), Duration::ZERO);
    drop(first);

    assert_eq!(
        second.err(),
        Some(KeystoreError::Busy(folder.path().to_path_buf()))
    );
    assert!(FileKeystore::open(folder.path(), Duration::ZERO).is_ok());
}

#[tokio::test(start_paused = true)]
async fn nothing_kept_is_printed() {
    let state = state().await;

    assert_eq!(format!("{state:?}"), "State(..)");
    assert_eq!(format!("{:?}", state.keys), "DeviceKeys(..)");
    assert_eq!(format!("{:?}", state.bus), "Some(BusAccess(..))");
}

#[tokio::test(start_paused = true)]
async fn pin_and_password_are_never_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut keystore = open(folder.path());
    keystore.save(&state().await).unwrap();

    let bytes = fs::read(folder.path().join("state")).unwrap();

    for secret in ["123456", "seven brass otters"] {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}
