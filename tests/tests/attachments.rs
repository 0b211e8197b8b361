//! Files from an owner on one node to an owner on another, over real processes: whole, interrupted,
//! altered and gone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use vettid_sdk::Error;
use vettid_sdk::attachment::{AttachmentFault, Moved, Upload};
use vettid_tests::command_line::CommandLine;
use vettid_tests::host_disk::{alter, collect};
use vettid_tests::node::Node;
use vettid_tests::owner::{PASSWORD, PIN};
use vettid_tests::phone::Phone;
use vettid_tests::plaintext;
use vettid_tests::wait;
use vettid_wire::attachment::Attachment;
use vettid_wire::connect::Class;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::{self, Connection, State};
use vettid_wire::operation::invitation::{self, Card};
use vettid_wire::operation::message::{self, Conversation};

const MIB: u64 = 1024 * 1024;

/// What a host must not see, in every chunk.
const PLANTED: &str = "planted-words-of-an-amber-otter";

/// An owner with a folder, and how it knows the other one.
struct Side {
    node: Node,
    phone: Phone,
    connection: ConnectionId,
    place: TempDir,
}

fn the_only(phone: &mut Phone) -> Option<Connection> {
    let list = connection::List {
        state: None,
        archived: false,
        tag: None,
        after: None,
        limit: None,
    };
    let listed = phone.with(async |owner| owner.call(&list).await);
    listed.expect("listed").connections.pop()
}

fn until(phone: &mut Phone, what: &str, state: State) -> ConnectionId {
    let so_far = |found: &Connection| found.state == state;
    wait::until(what, || the_only(phone).filter(so_far)).id
}

/// Two owners on two nodes who can talk.
fn connected() -> (Side, Side) {
    let mut here = Node::federated();
    let mut there = Node::beside(&here);
    here.start();
    there.start();
    let places = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut phones = places
        .each_ref()
        .map(|place| Phone::at(&place.path().join("home")));
    phones[0].enroll(&here.invitation()).expect("enrolled");
    phones[1].enroll(&there.invitation()).expect("enrolled");
    let create = invitation::Create {
        class: Class::Remote,
        life: None,
        card: Card::default(),
        label: None,
    };
    let created = phones[0].with(async |owner| owner.call(&create).await);
    let accept = invitation::Accept {
        link: created.expect("created").link,
        card: Card::default(),
        alias: None,
    };
    let accepted = phones[1].with(async |owner| owner.call(&accept).await);
    accepted.expect("accepted");
    for phone in &mut phones {
        let id = until(phone, "the vaults have met", State::Pending);
        let approved = phone.with(async |owner| owner.call(&connection::Approve { id }).await);
        approved.expect("approved");
    }
    let mut sides = [here, there].into_iter().zip(phones).zip(places);
    let mut side = || {
        let ((node, mut phone), place) = sides.next().expect("two");
        let connection = until(&mut phone, "both have approved", State::Active);
        Side {
            node,
            phone,
            connection,
            place,
        }
    };
    (side(), side())
}

/// A file of so many bytes, with planted words in it.
fn file(folder: &Path, size: u64) -> (PathBuf, Vec<u8>) {
    let size = usize::try_from(size).expect("small");
    let bytes: Vec<u8> = PLANTED.bytes().cycle().take(size).collect();
    let path = folder.join("photo.jpg");
    fs::write(&path, &bytes).expect("written");
    (path, bytes)
}

impl Side {
    fn upload(
        &mut self,
        upload: &Upload,
        look: impl FnMut(Moved) + Send,
    ) -> Result<Attachment, Error> {
        let mut look = look;
        self.phone
            .with(async |owner| owner.upload(upload, &mut look).await)
    }

    fn say(&mut self, attachment: &Attachment) {
        let send = message::Send {
            conversation: Conversation::Connection(self.connection),
            text: "look".into(),
            reply_to: None,
            attachments: vec![attachment.clone()],
            disappear_after: None,
        };
        let sent = self.phone.with(async |owner| owner.call(&send).await);
        sent.expect("sent");
    }

    /// Waits for the other owner's file.
    fn hears(&mut self) -> Attachment {
        let list = message::List {
            conversation: Conversation::Connection(self.connection),
            from: message::From::Newest,
            limit: None,
        };
        wait::until("the message arrives", || {
            let listed = self.phone.with(async |owner| owner.call(&list).await);
            let messages = listed.expect("listed").messages;
            messages
                .into_iter()
                .find_map(|mut one| one.attachments.pop())
        })
    }

    fn download(
        &mut self,
        attachment: &Attachment,
        to: &Path,
        look: impl FnMut(Moved) + Send,
    ) -> Result<(), Error> {
        let mut look = look;
        self.phone
            .with(async |owner| owner.download(attachment, to, &mut look).await)
    }

    /// Sends a file of so many bytes.
    fn sends(&mut self, size: u64) -> Vec<u8> {
        let (path, bytes) = file(self.place.path(), size);
        let upload = self.prepared(&path);
        let attachment = self.upload(&upload, |_| {}).expect("uploaded");
        self.say(&attachment);
        bytes
    }

    fn prepared(&self, path: &Path) -> Upload {
        let records = self.place.path().join("uploads");
        Upload::of(path, "image/jpeg", &records).expect("a file")
    }

    /// The node is started again, and its owner's vault opened.
    fn comes_back(&mut self) {
        self.node.start();
        let opened = self
            .phone
            .with(async |owner| owner.unlock(&PIN.into()).await);
        opened.expect("opened");
    }

    /// Every stored chunk of every attachment.
    fn chunks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.node.folder().join("objects/attachments"), &mut found);
        found
    }
}

/// Fetches until the nodes have found each other again.
fn fetched(ben: &mut Side, attachment: &Attachment, to: &Path) {
    wait::until("the file comes", || {
        ben.download(attachment, to, |_| {}).ok()
    });
}

#[test]
fn file_arrives_whole_and_no_host_can_read_it() {
    let (mut ada, mut ben) = connected();
    let bytes = ada.sends(3 * MIB);
    let attachment = ben.hears();
    let to = ben.place.path().join("saved.jpg");

    let mut seen = Vec::new();
    ben.download(&attachment, &to, |moved| seen.push(moved.done))
        .expect("downloaded");

    assert!(fs::read(&to).expect("read") == bytes);
    assert_eq!(seen, [MIB, 2 * MIB, 3 * MIB]);
    assert_eq!(ada.chunks().len(), 3);
    for node in [&ada.node, &ben.node] {
        let (files, hits) = plaintext::find_in_files(&[PLANTED], node.folder());
        assert!(files > 3, "{files}");
        assert_eq!(hits, [""; 0]);
    }
}

#[test]
fn both_directions_go_on_after_the_senders_node_was_killed_in_the_middle() {
    let (mut ada, mut ben) = connected();
    let (path, bytes) = file(ada.place.path(), 3 * MIB);
    let upload = ada.prepared(&path);
    let Side { node, phone, .. } = &mut ada;
    let mut kill = |moved: Moved| {
        if moved.done == MIB {
            node.kill_all();
        }
    };
    let broken = phone.with(async |owner| owner.upload(&upload, &mut kill).await);
    assert!(matches!(broken, Err(Error::Unreachable(_))), "{broken:?}");
    ada.comes_back();

    let mut steps = 0;
    let attachment = ada.upload(&upload, |_| steps += 1).expect("uploaded");
    assert_eq!((steps, ada.chunks().len()), (3, 3));
    ada.say(&attachment);
    let attachment = ben.hears();
    let to = ben.place.path().join("saved.jpg");
    let kill = |moved: Moved| {
        if moved.done == MIB {
            ada.node.kill_all();
        }
    };
    let broken = ben.download(&attachment, &to, kill);
    assert!(broken.is_err() && !to.exists(), "{broken:?}");
    ada.node.start();

    fetched(&mut ben, &attachment, &to);

    assert!(fs::read(&to).expect("read") == bytes);
}

#[test]
fn altered_chunk_is_refused_and_one_that_is_gone_is_told() {
    let (mut ada, mut ben) = connected();
    ada.sends(2 * MIB);
    let attachment = ben.hears();
    let to = ben.place.path().join("saved.jpg");
    ada.node.stop();
    for chunk in ada.chunks() {
        let mut bytes = fs::read(&chunk).expect("a chunk");
        alter(&mut bytes);
        fs::write(&chunk, bytes).expect("altered");
    }
    ada.node.start();

    let altered = wait::until("the node is reached again", || {
        match ben.download(&attachment, &to, |_| {}) {
            Err(Error::Attachment(fault)) => Some(fault),
            Err(_) => None,
            Ok(()) => panic!("an altered file was taken"),
        }
    });

    assert_eq!(altered, AttachmentFault::Altered(0));
    assert!(!to.exists());

    // The first chunk has been copied, the second one was never asked for.
    ben.node.stop();
    for copy in ben.chunks() {
        fs::remove_file(copy).expect("removed");
    }
    ben.comes_back();
    for chunk in ada.chunks() {
        fs::remove_file(chunk).expect("removed");
    }
    let missing = wait::until("the node is reached again", || {
        match ben.download(&attachment, &to, |_| {}) {
            Err(Error::Attachment(fault)) => Some(fault),
            Err(_) => None,
            Ok(()) => panic!("a file came from nowhere"),
        }
    });
    assert_eq!(missing, AttachmentFault::Missing(0));
}

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}

/// Waits until the one connection of an owner is so far; its id.
fn so_far(owner: &CommandLine, state: &str) -> String {
    wait::until("the connection comes along", || {
        let listed = owner.expect(&["connection", "list", "--state", state], &[]);
        let found = listed["connections"].get(0)?;
        Some(text(found, "id"))
    })
}

#[test]
fn people_meet_talk_and_send_a_file_at_the_command_line() {
    let mut here = Node::federated();
    let mut there = Node::beside(&here);
    here.start();
    there.start();
    let place = tempfile::tempdir().expect("a folder");
    let (ada, ben) = (
        CommandLine::at(&place.path().join("ada")),
        CommandLine::at(&place.path().join("ben")),
    );
    ada.expect(&["enroll", &here.invitation()], &[PIN, PASSWORD]);
    ben.expect(&["enroll", &there.invitation()], &[PIN, PASSWORD]);
    let made = ada.expect(&["invitation", "create", "--field", "name=Ada"], &[]);
    let link = text(&made, "link");
    let inspected = ben.expect(&["invitation", "inspect"], &[&link]);
    assert_eq!(
        (&inspected["own"], &inspected["foreign"]),
        (&false.into(), &false.into())
    );
    ben.expect(&["invitation", "accept", "--field", "name=Ben"], &[&link]);
    let ids = [&ada, &ben].map(|owner| so_far(owner, "pending"));
    let code = text(
        &ada.expect(&["connection", "get", &ids[0]], &[]),
        "safety_code",
    );
    for (owner, id) in [&ada, &ben].into_iter().zip(&ids) {
        let (first, second) = code.split_at(3);
        let verified = owner.expect(&["connection", "verify", id, first, second], &[]);
        assert!(verified["verified"].is_u64(), "{verified}");
        owner.expect(&["connection", "approve", id], &[]);
    }
    let ids = [&ada, &ben].map(|owner| so_far(owner, "active"));

    let (path, bytes) = file(place.path(), MIB + 5);
    let path = path.to_str().expect("text");
    ada.expect(&["message", "send", &ids[0], "--attach", path], &["look"]);
    let message = wait::until("the message arrives", || {
        let listed = ben.expect(&["message", "list", &ids[1]], &[]);
        listed["messages"].get(0).cloned()
    });
    assert_eq!(text(&message, "text"), "look");
    assert_eq!(text(&message["attachments"][0], "name"), "photo.jpg");
    let id = text(&message, "id");
    let to = place.path().join("saved.jpg");
    let save = [
        "message",
        "attachment",
        "save",
        &id,
        "1",
        "--to",
        to.to_str().expect("text"),
    ];
    ben.expect(&save, &[]);

    assert!(fs::read(&to).expect("read") == bytes);
    let mode = fs::metadata(&to).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = ben.run(&save, &[]);
    assert_eq!(
        (again.code, again.error()),
        (6, "file-exists"),
        "{}",
        again.text
    );
    let none = ben.run(&["message", "attachment", "save", &id, "2"], &[]);
    assert_eq!(
        (none.code, none.error()),
        (2, "no-such-attachment"),
        "{}",
        none.text
    );
    let found = ben.expect(&["message", "search", "loo"], &[]);
    assert_eq!(text(&found["messages"][0], "id"), id);
    ben.expect(&["message", "read", &ids[1]], &[]);
    wait::until("the receipt arrives", || {
        let own = ada.expect(&["message", "list", &ids[0]], &[]);
        (own["messages"][0]["receipt"] == "read").then_some(())
    });
}
