//! A disk without room: nothing is acknowledged, nothing is lost, and it goes on once there is room.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vettid_tests::items::{done, put_request};
use vettid_tests::node::{Node, set};
use vettid_tests::owner::Owner;
use vettid_tests::wait;
use vettid_wire::operation::item;
use vettid_wire::request::Outcome;

/// A small disk of its own, unmounted when it is gone.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).ok()?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs"])
            .arg(path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path.to_owned()))
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("a filler");
        let chunk = vec![1_u8; 1 << 16];
        while std::io::Write::write_all(&mut filler, &chunk).is_ok() {}
        for _ in 0..1 << 16 {
            if std::io::Write::write_all(&mut filler, &chunk[..512]).is_err() {
                break;
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("a filler");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node that still runs in it ends a moment later.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Keeps a few things until the disk takes no more; how many were acknowledged.
fn put_until_refused(owner: &mut Owner, kept: &mut Vec<item::Written>) -> usize {
    let value = "x".repeat(40_000);
    for index in 0..2_000 {
        let request = put_request(&format!("item {index}"), &value);
        match owner.try_once(&request) {
            Ok(reply) if matches!(reply.outcome, Outcome::Done(_)) => kept.push(done(&reply)),
            _ => return index,
        }
    }
    panic!("the disk never filled up");
}

#[test]
fn full_disk_acknowledges_nothing_loses_nothing_and_heals_when_there_is_room() {
    let place = tempfile::tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mounted(&place.path().join("disk")) else {
        eprintln!("passed over: mounting a small disk needs root");
        return;
    };
    let mut node = Node::made_in(&disk.0.join("node"));
    node.start();
    let mut owner = Owner::enrolled(&node);
    let mut kept = vec![
        owner
            .put("first", "before the disk was full")
            .expect("kept"),
    ];

    disk.fill();
    put_until_refused(&mut owner, &mut kept);
    wait::until("the node says that it cannot store", || {
        (node.get("/readyz")?.status == 503).then_some(())
    });
    assert_eq!(node.get("/healthz").expect("alive").status, 200);
    disk.make_room();

    node.wait_until_healthy();
    owner.come_back();
    for written in &kept {
        owner.value(written.id).expect("acknowledged");
    }
    assert_eq!(
        owner
            .put("last", "there is room again")
            .expect("kept")
            .version,
        1
    );
    owner.verified_audit().expect("verified");
    drop(node);
}

#[test]
fn ceiling_of_the_database_is_a_full_disk_that_the_operator_can_raise() {
    let mut node = Node::made();
    node.configure(|config| set(config, "database", "max_mib", 3.into()));
    node.start();
    let mut owner = Owner::enrolled(&node);
    let mut kept = vec![];

    let count = put_until_refused(&mut owner, &mut kept);
    assert!(count > 20, "{count}");
    node.stop();
    node.configure(|config| set(config, "database", "max_mib", 64.into()));
    node.start();

    owner.come_back();
    for written in &kept {
        owner.value(written.id).expect("acknowledged");
    }
    owner.put("last", "there is room again").expect("kept");
    owner.verified_audit().expect("verified");
}
