//! Several real enclaves and their hosts, which carry, keep, find and dial as hosts do. Tests make
//! them lie.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor;
use vettid_wire::home::HomeNode;
use vettid_wire::id::{DeliveryId, LaneId, MailboxId, NodeId, SpaceId, VaultId};
use vettid_wire::limits;
use vettid_wire::link::FromHost;
use vettid_wire::link::federation::{
    FromEnclave, Mail, MailOutcome, NotAdmitted, Side, SpoolOutcome, ToEnclave,
};

use super::{DEADLINE, Device, Rig, echo_enclave, fresh, space};

/// What a host keeps until it is settled.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) lane: LaneId,
    pub(crate) delivery: DeliveryId,
    pub(crate) bytes: Vec<u8>,
    offered: bool,
}

/// One enclave and what its host keeps.
pub(crate) struct Node {
    pub(crate) rig: Rig,
    pub(crate) peer: Vec<u8>,
    /// Where each link ends: node and link there.
    pub(crate) links: BTreeMap<u64, (usize, u64)>,
    newest_link: u64,
    pub(crate) spool: Vec<Kept>,
    pub(crate) spaces: BTreeMap<SpaceId, MailboxId>,
    pub(crate) mailboxes: BTreeMap<MailboxId, Vec<Mail>>,
    mail: u64,
    pub(crate) admitted: Vec<(u64, NodeId)>,
    pub(crate) refused: Vec<(u64, NotAdmitted)>,
    pub(crate) published: usize,
}

/// Nodes of one network.
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    homes: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Net {
    /// Two nodes that know nothing of each other.
    pub(crate) fn two() -> Self {
        let program = echo_enclave();
        let mut create = Command::new(&program);
        create.arg("--create");
        let peer = |number| vec![number; 38];
        let first = Rig::of(create, Command::new(&program), |hello| {
            hello.peers = vec![peer(1).into()];
        });
        let second = first.neighbor(Command::new(&program), |hello| {
            hello.peers = vec![peer(2).into()];
        });
        let nodes = [(first, peer(1)), (second, peer(2))].map(|(mut rig, peer)| {
            rig.greet();
            Node::new(rig, peer)
        });
        Self {
            nodes: nodes.into(),
            homes: BTreeMap::new(),
        }
    }

    /// Two nodes with a session.
    pub(crate) fn connected() -> Self {
        let mut net = Self::two();
        net.connect(0, 1);
        net.until(|net| net.nodes.iter().all(|node| !node.admitted.is_empty()));
        net
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.nodes[node].rig.ready.as_ref().expect("ready").node
    }

    /// The home of every vault of a node, as an invitation tells it.
    pub(crate) fn home(&self, node: usize) -> HomeNode {
        HomeNode {
            node: self.id(node),
            peers: vec![self.nodes[node].peer.clone().into()],
            addresses: vec![],
        }
    }

    /// The host of `from` dials that of `to`.
    pub(crate) fn connect(&mut self, from: usize, to: usize) {
        let (link, other) = (self.nodes[from].number(), self.nodes[to].number());
        self.nodes[from].links.insert(link, (to, other));
        self.nodes[to].links.insert(other, (from, link));
        for (node, other, link, side) in [
            (to, from, other, Side::Responder),
            (from, to, link, Side::Initiator),
        ] {
            let (peer, id) = (self.nodes[other].peer.clone(), self.id(other));
            self.nodes[node].say(ToEnclave::Open {
                link,
                peer,
                node: id,
                side,
            });
        }
    }

    /// Lets every enclave speak once, and does what it asks for.
    pub(crate) fn turn(&mut self) {
        for node in 0..self.nodes.len() {
            self.nodes[node].rig.pump();
            for frame in self.nodes[node].rig.federation() {
                self.serve(node, frame);
            }
        }
    }

    /// Goes on until `is` holds.
    pub(crate) fn until(&mut self, mut is: impl FnMut(&mut Self) -> bool) {
        let since = Instant::now();
        while !is(self) {
            assert!(since.elapsed() < DEADLINE, "it does not happen");
            self.turn();
        }
    }

    /// Offers everything that is kept and not under way.
    pub(crate) fn offer(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        for kept in node.spool.iter_mut().filter(|kept| !kept.offered) {
            kept.offered = true;
            node.rig.send(&FromHost::Federation(ToEnclave::Due {
                lane: kept.lane,
                delivery: kept.delivery,
                bytes: kept.bytes.clone(),
            }));
        }
    }

    /// A vault of a node whose process is open, and a device of its owner.
    pub(crate) fn vault(&mut self, node: usize, number: u8) -> Device {
        let rig = &mut self.nodes[node].rig;
        rig.open(space(number), fresh());
        Device::open(rig, space(number), 1)
    }

    /// The same, unlocked: the identity is made from the same number.
    pub(crate) fn unlocked(&mut self, node: usize, number: u8) -> Device {
        let mut device = self.vault(node, number);
        self.unlock(node, &mut device, number);
        device
    }

    /// Waits until the node has published the vault's home.
    pub(crate) fn unlock(&mut self, node: usize, device: &mut Device, number: u8) {
        let before = self.nodes[node].published;
        let request = [b"home..", &[number][..]].concat();
        device.call(&mut self.nodes[node].rig, &request);
        self.until(|net| net.nodes[node].published > before);
    }

    /// Has a vault send something; it is kept by its host then.
    pub(crate) fn send(
        &mut self,
        node: usize,
        device: &mut Device,
        to: (usize, u8),
        number: u8,
    ) -> DeliveryId {
        let delivery = DeliveryId([number; 16]);
        let body = cbor::minicbor::bytes::ByteVec::from(vec![number; 2_000]);
        let sending = cbor::encode(&(delivery, vault_id(to.1), self.home(to.0), body));
        let request = [b"send..", &sending[..]].concat();
        device.call(&mut self.nodes[node].rig, &request);
        self.until(|net| {
            let mut spool = net.nodes[node].spool.iter();
            spool.any(|kept| kept.delivery == delivery)
        });
        delivery
    }

    /// The next message of a vault to its sessions that begins with `word`; others are passed over.
    pub(crate) fn news(&mut self, node: usize, device: &mut Device, word: &[u8]) -> Vec<u8> {
        let mut found = None;
        self.until(|net| {
            while let Some(message) = device.poll(&mut net.nodes[node].rig) {
                if message.starts_with(word) {
                    found = Some(message);
                    return true;
                }
            }
            false
        });
        found.expect("found")
    }

    fn serve(&mut self, at: usize, frame: FromEnclave) {
        match frame {
            FromEnclave::Frame { link, bytes } => {
                if let Some(&(node, link)) = self.nodes[at].links.get(&link) {
                    self.nodes[node].say(ToEnclave::Frame { link, bytes });
                }
            }
            FromEnclave::Dial(home) => {
                let to = (0..self.nodes.len()).find(|node| self.id(*node) == home.node);
                let is_up = |to| self.nodes[at].links.values().any(|(node, _)| *node == to);
                if let Some(to) = to.filter(|to| !is_up(*to)) {
                    self.connect(at, to);
                }
            }
            FromEnclave::PublishHome {
                location, record, ..
            } => {
                self.nodes[at].published += 1;
                self.homes.insert(location, record);
            }
            FromEnclave::FindHome { request, location } => {
                let found = self.homes.get(&location).cloned();
                let records = found.into_iter().map(Into::into).collect();
                self.nodes[at].say(ToEnclave::Homes { request, records });
            }
            FromEnclave::Refused { link, why } => {
                self.nodes[at].refused.push((link, why));
                if let Some((node, other)) = self.nodes[at].links.remove(&link) {
                    self.nodes[node].links.remove(&other);
                    self.nodes[node].say(ToEnclave::Closed { link: other });
                }
            }
            other => self.nodes[at].keep(other),
        }
    }
}

impl Node {
    const fn new(rig: Rig, peer: Vec<u8>) -> Self {
        Self {
            rig,
            peer,
            links: BTreeMap::new(),
            newest_link: 0,
            spool: Vec::new(),
            spaces: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            mail: 0,
            admitted: Vec::new(),
            refused: Vec::new(),
            published: 0,
        }
    }

    pub(crate) fn say(&mut self, frame: ToEnclave) {
        self.rig.send(&FromHost::Federation(frame));
    }

    /// Number of a new link.
    pub(crate) fn number(&mut self) -> u64 {
        self.newest_link += 1;
        self.newest_link
    }

    /// All that waits in mailboxes.
    pub(crate) fn waiting(&self) -> usize {
        self.mailboxes.values().map(Vec::len).sum()
    }

    fn keep(&mut self, frame: FromEnclave) {
        match frame {
            FromEnclave::Admitted { link, peer } => self.admitted.push((link, peer.node)),
            FromEnclave::Spool {
                lane,
                delivery,
                bytes,
                ..
            } => self.spool.push(Kept {
                lane,
                delivery,
                bytes,
                offered: false,
            }),
            FromEnclave::Settled { delivery, outcome } => match outcome {
                SpoolOutcome::Done => self.spool.retain(|kept| kept.delivery != delivery),
                SpoolOutcome::Later { .. } | SpoolOutcome::Crowded => {
                    for kept in &mut self.spool {
                        kept.offered &= kept.delivery != delivery;
                    }
                }
            },
            FromEnclave::Mailbox { space, mailbox } => {
                self.spaces.insert(space, mailbox);
                self.mailboxes.entry(mailbox).or_default();
            }
            FromEnclave::MailPut {
                request,
                mailbox,
                bytes,
                ..
            } => {
                self.mail += 1;
                let number = self.mail;
                let outcome = match self.mailboxes.get_mut(&mailbox) {
                    Some(items) => {
                        items.push(Mail { number, bytes });
                        MailOutcome::Stored
                    }
                    None => MailOutcome::Unknown,
                };
                self.say(ToEnclave::MailStored { request, outcome });
            }
            FromEnclave::MailRead {
                request,
                space,
                behind,
            } => {
                let mailbox = self.spaces.get(&space);
                let items = mailbox.and_then(|mailbox| self.mailboxes.get(mailbox));
                let items = items
                    .into_iter()
                    .flatten()
                    .filter(|mail| mail.number > behind);
                let items = items.take(limits::MAIL_PAGE).cloned().collect();
                self.say(ToEnclave::MailPage { request, items });
            }
            FromEnclave::MailDrop {
                space,
                through,
                behind,
                ..
            } => {
                if let Some(mailbox) = self.spaces.get(&space) {
                    let items = self.mailboxes.get_mut(mailbox).expect("known");
                    items.retain(|mail| mail.number <= behind || mail.number > through);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The vault whose identity the scripted process makes from this number.
pub(crate) fn vault_id(number: u8) -> VaultId {
    VaultId::of(&SigningKey::from_seed(&[number; 32]).verifying_key())
}
