//! Files between an owner's disk and the node, and what goes wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};

use vettid_wire::attachment::Attachment;
use vettid_wire::home::HomeNode;

use super::bus::{Lab, node};
use crate::attachment::{AttachmentFault, Moved, Upload};
use crate::error::{Error, Unreachable};
use crate::owner::Owner;

const MIB: usize = 1024 * 1024;

/// An owner with a folder, at a node that others can reach.
struct Desk {
    lab: Lab,
    owner: Owner,
    folder: tempfile::TempDir,
}

async fn desk() -> Desk {
    let lab = Lab::new();
    let (owner, _) = lab.enrolled().await;
    lab.world().vault.home = Some(HomeNode {
        node: node(),
        peers: vec![vec![4; 38].into()],
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
    });
    Desk {
        lab,
        owner,
        folder: tempfile::tempdir().expect("a folder"),
    }
}

/// Bytes that are nowhere alike.
fn content(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| u8::try_from(at * 31 % 251).expect("a byte"))
        .collect()
}

impl Desk {
    fn upload(&self, bytes: &[u8]) -> Upload {
        let file = self.path("photo.jpg");
        fs::write(&file, bytes).expect("written");
        Upload {
            file,
            name: "photo.jpg".into(),
            media_type: "image/jpeg".into(),
            record: self.path("uploads/1"),
        }
    }

    async fn uploaded(&self, bytes: &[u8]) -> Attachment {
        let upload = self.upload(bytes);
        let sent = self.owner.upload(&upload, &mut |_| {}).await;
        sent.expect("uploaded")
    }

    async fn download(&self, attachment: &Attachment, to: &Path) -> Result<(), Error> {
        self.owner.download(attachment, to, &mut |_| {}).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Names of all files in the folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("a file").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

#[tokio::test(start_paused = true)]
async fn file_comes_back_as_it_went_and_the_node_sees_nothing_of_it() {
    let desk = desk().await;
    for size in [0, 1, MIB, 3 * MIB + 7] {
        let bytes = content(size);
        let upload = desk.upload(&bytes);
        let mut seen = Vec::new();
        let mut look = |moved| seen.push(moved);
        let sent = desk.owner.upload(&upload, &mut look).await;
        let attachment = sent.expect("uploaded");
        upload.forget().expect("forgotten");

        let to = desk.path(&format!("saved-{size}"));
        desk.download(&attachment, &to).await.expect("downloaded");

        assert!(fs::read(&to).expect("read") == bytes);
        let whole = size as u64;
        assert_eq!(seen.last(), Some(&Moved { done: whole, whole }));
        assert_eq!(seen.len(), size.div_ceil(MIB).max(1));
    }
    for sealed in desk.lab.world().chunks.values() {
        assert!(!sealed.windows(16).any(|part| part == &content(16)[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn upload_goes_on_behind_the_last_chunk_that_was_stored() {
    let desk = desk().await;
    let bytes = content(3 * MIB);
    let upload = desk.upload(&bytes);
    let lab = desk.lab.clone();
    let mut stop = |moved: Moved| {
        if moved.done == 2 * MIB as u64 {
            lab.world().http_down = true;
        }
    };
    let broken = desk.owner.upload(&upload, &mut stop).await;
    assert!(matches!(
        broken,
        Err(Error::Unreachable(Unreachable::Http(_)))
    ));

    desk.lab.world().http_down = false;
    let before = desk.lab.world().chunk_requests;
    let attachment = desk.uploaded(&bytes).await;

    assert_eq!(desk.lab.world().chunk_requests, before + 1);
    assert_eq!(desk.lab.world().chunks.len(), 3);
    let to = desk.path("saved");
    desk.download(&attachment, &to).await.expect("downloaded");
    assert!(fs::read(to).expect("read") == bytes);
}

#[tokio::test(start_paused = true)]
async fn file_that_changed_while_its_upload_was_interrupted_is_sealed_anew() {
    let desk = desk().await;
    let first = desk.uploaded(&content(2 * MIB)).await;
    let mut changed = content(2 * MIB);
    changed[MIB + 1] ^= 1;

    let second = desk.uploaded(&changed).await;

    assert_ne!((first.id, first.key), (second.id, second.key.clone()));
    let to = desk.path("saved");
    desk.download(&second, &to).await.expect("downloaded");
    assert!(fs::read(to).expect("read") == changed);
}

#[tokio::test(start_paused = true)]
async fn line_that_breaks_is_taken_up_at_the_byte_where_it_broke() {
    let desk = desk().await;
    let attachment = desk.uploaded(&content(2 * MIB)).await;
    let before = desk.lab.world().chunk_requests;
    // As often as it takes: each time something came.
    desk.lab.world().line_breaks.extend([100_000; 9]);

    let to = desk.path("saved");
    desk.download(&attachment, &to).await.expect("downloaded");

    assert_eq!(desk.lab.world().chunk_requests, before + 2 + 9);
    assert!(fs::read(to).expect("read") == content(2 * MIB));
}

#[tokio::test(start_paused = true)]
async fn interrupted_download_goes_on_with_what_came() {
    let desk = desk().await;
    let attachment = desk.uploaded(&content(3 * MIB)).await;
    let (lab, to) = (desk.lab.clone(), desk.path("saved"));
    let mut stop = |moved: Moved| {
        if moved.done == 2 * MIB as u64 {
            lab.world().http_down = true;
        }
    };
    let broken = desk.owner.download(&attachment, &to, &mut stop).await;
    assert!(matches!(broken, Err(Error::Unreachable(_))));
    assert!(!to.exists());

    desk.lab.world().http_down = false;
    let before = desk.lab.world().chunk_requests;
    desk.download(&attachment, &to).await.expect("downloaded");

    assert_eq!(desk.lab.world().chunk_requests, before + 1);
    assert!(fs::read(&to).expect("read") == content(3 * MIB));
    assert_eq!(desk.files(), ["photo.jpg", "saved", "uploads"]);
}

#[tokio::test(start_paused = true)]
async fn altered_swapped_and_shortened_chunks_are_refused_and_nothing_is_kept_under_the_name() {
    let desk = desk().await;
    let attachment = desk.uploaded(&content(2 * MIB)).await;
    let stored = desk.lab.world().chunks.clone();
    let (first, second) = ((attachment.id, 0), (attachment.id, 1));
    let to = desk.path("saved");
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 2] = [|chunk| chunk[500_000] ^= 1, |chunk| chunk.truncate(9)];
    for change in changes {
        let mut chunks = stored.clone();
        change(chunks.get_mut(&second).expect("there"));
        desk.lab.world().chunks = chunks;
        let refused = desk.download(&attachment, &to).await;
        assert_eq!(refused, Err(AttachmentFault::Altered(1).into()));
    }
    let mut swapped = stored.clone();
    swapped.insert(second, stored[&first].clone());
    desk.lab.world().chunks = swapped;

    let refused = desk.download(&attachment, &to).await;

    assert_eq!(refused, Err(AttachmentFault::Altered(1).into()));
    assert!(!to.exists());
}

#[tokio::test(start_paused = true)]
async fn chunk_that_is_gone_is_named() {
    let desk = desk().await;
    let attachment = desk.uploaded(&content(2 * MIB)).await;
    desk.lab.world().chunks.remove(&(attachment.id, 1));

    let missing = desk.download(&attachment, &desk.path("saved")).await;

    assert_eq!(missing, Err(AttachmentFault::Missing(1).into()));
}

#[tokio::test(start_paused = true)]
async fn file_of_that_name_is_left_alone_and_nothing_is_fetched() {
    let desk = desk().await;
    let attachment = desk.uploaded(b"text").await;
    let to = desk.path("saved");
    fs::write(&to, "mine").expect("written");
    let before = desk.lab.world().chunk_requests;

    let refused = desk.download(&attachment, &to).await;

    assert_eq!(refused, Err(AttachmentFault::Exists(to.clone()).into()));
    assert_eq!(desk.lab.world().chunk_requests, before);
    assert_eq!(fs::read(to).expect("read"), b"mine");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_file_and_a_node_without_a_network_are_told_before_anything_is_sealed() {
    let desk = desk().await;
    let folder = Upload {
        file: desk.folder.path().to_path_buf(),
        ..desk.upload(b"text")
    };
    let refused = desk.owner.upload(&folder, &mut |_| {}).await;
    assert_eq!(refused, Err(AttachmentFault::NotAFile(folder.file).into()));

    desk.lab.world().vault.home = None;
    let alone = desk.owner.upload(&desk.upload(b"text"), &mut |_| {}).await;

    assert_eq!(alone, Err(AttachmentFault::NoNetwork.into()));
    assert_eq!(desk.lab.world().chunk_requests, 0);
}
