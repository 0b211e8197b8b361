//! Which frame about other nodes goes where. No I/O: inputs come as calls, outputs lie in
//! [`Outputs`].

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use vettid_federation::Event;
use vettid_wire::home::HomeNode;
use vettid_wire::id::{MailboxId, NodeId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::federation::{Admitted, FromEnclave, MailOutcome, NotAdmitted, ToEnclave};
use vettid_wire::time::UnixMillis;

use super::links::Links;
use super::peers::Note;
use crate::mailbox::Post;
use crate::spool::Lanes;

/// Things for mailboxes that may be on their way to the database; what is more is put off.
const PUTS: usize = 512;

/// Pages of mailboxes that are read at once; more wait for their turn.
const PAGES: usize = 64;

/// Pages that may wait: one of every vault that is open, and far more than there are.
const WAITING_PAGES: usize = 16_384;

/// Searches for homes that may be open.
const SEARCHES: usize = 256;

/// Refusals noted a second; more are only counted.
const REFUSALS: u32 = 16;

/// Everything the driver must do next.
#[derive(Default)]
pub(super) struct Outputs {
    /// Frames for the enclave.
    pub(super) to_enclave: VecDeque<ToEnclave>,
    /// Commands for the network.
    pub(super) to_network: VecDeque<ToNetwork>,
    /// What must be written or read.
    pub(super) writes: Vec<Write>,
    /// Peers that the enclave has admitted.
    pub(super) admitted: u64,
    /// Peers that it has refused.
    pub(super) refused: u64,
}

/// A command for the network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ToNetwork {
    /// The enclaves have accepted each other.
    Admitted {
        link: u64,
        node: NodeId,
        expires: UnixMillis,
    },
    /// Close a link without blame: our enclave has ended.
    Close { link: u64 },
    /// Have a connection to this node.
    Dial(HomeNode),
    /// Look a home record up.
    Find { search: u64, location: [u8; 32] },
    /// Carry a message.
    Frame { link: u64, bytes: Vec<u8> },
    /// Put a home record into the network, again and again until it expires.
    Publish {
        location: [u8; 32],
        expires: UnixMillis,
        record: Vec<u8>,
    },
    /// The peer is not, or no longer, admitted.
    Refuse { link: u64, why: NotAdmitted },
}

/// Something for the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Write {
    /// Note whose mailbox this is.
    Bind { space: SpaceId, mailbox: MailboxId },
    /// Store something in a mailbox.
    Post { request: u64, post: Post },
    /// Read a page of a mailbox.
    Page {
        request: u64,
        space: SpaceId,
        behind: u64,
    },
    /// Keep a home record.
    Home {
        space: SpaceId,
        location: [u8; 32],
        expires: UnixMillis,
        record: Vec<u8>,
    },
    /// Note how a peer stands.
    Peer(Note),
}

/// The enclave asks more at once than it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flood;

/// Links, searches and questions that are open.
pub(super) struct Exchange {
    /// Whether there is a network.
    has_network: bool,
    /// Whether there is an enclave.
    has_enclave: bool,
    link: u64,
    links: Links,
    /// Number of the enclave's question for each search.
    searches: HashMap<u64, u64>,
    searched: u64,
    puts: usize,
    pages: usize,
    waiting_pages: VecDeque<Write>,
    reachable: Vec<String>,
    refusals: (Option<Instant>, u32),
    pub(super) lanes: Lanes,
    pub(super) outputs: Outputs,
}

impl Exchange {
    pub(super) fn new(has_network: bool, lanes: Lanes) -> Self {
        Self {
            has_network,
            has_enclave: false,
            link: 0,
            links: Links::default(),
            searches: HashMap::new(),
            searched: 0,
            puts: 0,
            pages: 0,
            waiting_pages: VecDeque::new(),
            reachable: Vec::new(),
            refusals: (None, 0),
            lanes,
            outputs: Outputs::default(),
        }
    }

    /// A link to the enclave begins.
    pub(super) fn enclave_up(&mut self) {
        self.enclave_down();
        self.has_enclave = true;
        self.link = self.link.wrapping_add(1);
        self.lanes.link_up();
        let addresses = self.reachable.clone();
        if !addresses.is_empty() {
            self.outputs
                .to_enclave
                .push_back(ToEnclave::Reachable { addresses });
        }
        let waiting = self.links.waiting();
        waiting.into_iter().for_each(|link| self.open(link));
    }

    /// The link to the enclave is gone: so are its sessions and its questions.
    pub(super) fn enclave_down(&mut self) {
        self.has_enclave = false;
        self.lanes.link_down();
        self.outputs.to_enclave.clear();
        self.searches.clear();
        (self.puts, self.pages) = (0, 0);
        self.waiting_pages.clear();
        let closed = self.links.forget_known().into_iter();
        let closed = closed.map(|link| ToNetwork::Close { link });
        self.outputs.to_network.extend(closed);
    }

    /// The network is gone: so are its links, what is searched in it, and where it reaches this node.
    pub(super) fn network_down(&mut self) {
        self.has_network = false;
        self.outputs.to_network.clear();
        let closed = self.links.clear().into_iter();
        let closed = closed.map(|link| ToEnclave::Closed { link });
        self.outputs.to_enclave.extend(closed);
        for (_, request) in self.searches.drain() {
            let records = Vec::new();
            self.outputs
                .to_enclave
                .push_back(ToEnclave::Homes { request, records });
        }
        if !self.reachable.is_empty() {
            self.reachable(Vec::new());
        }
    }

    /// There is a network again.
    pub(super) const fn network_up(&mut self) {
        self.has_network = true;
    }

    /// Takes what the enclave says.
    pub(super) fn hear_enclave(&mut self, now: Instant, frame: FromEnclave) -> Result<(), Flood> {
        match frame {
            FromEnclave::Frame { link, bytes } => {
                if let Some((link, _)) = self.links.find(link) {
                    self.outputs
                        .to_network
                        .push_back(ToNetwork::Frame { link, bytes });
                }
            }
            FromEnclave::Admitted { link, peer } => self.admitted(now, link, peer),
            FromEnclave::Refused { link, why } => self.refused(now, link, why),
            FromEnclave::Dial(node) => self.outputs.to_network.push_back(ToNetwork::Dial(node)),
            FromEnclave::Settled { delivery, outcome } => {
                self.lanes.settled(now, delivery, outcome);
            }
            FromEnclave::Mailbox { space, mailbox } => {
                self.outputs.writes.push(Write::Bind { space, mailbox });
            }
            FromEnclave::MailPut {
                request,
                mailbox,
                delivery,
                expires,
                bytes,
            } => {
                let post = Post {
                    mailbox,
                    delivery,
                    expires,
                    bytes,
                };
                self.put(request, post);
            }
            FromEnclave::MailRead {
                request,
                space,
                behind,
            } => self.read(Write::Page {
                request,
                space,
                behind,
            })?,
            FromEnclave::PublishHome {
                space,
                location,
                expires,
                record,
            } => self.publish(space, location, expires, record),
            FromEnclave::FindHome { request, location } => self.find(request, location)?,
            // The link writes these behind their records.
            FromEnclave::Spool { .. } | FromEnclave::MailDrop { .. } => {}
        }
        Ok(())
    }

    /// Takes what happened in the network; gives back what is not about links, searches or peers.
    pub(super) fn hear_network(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::LinkOpen {
                link,
                peer,
                node,
                side,
            } => {
                self.links.arrive(link, peer, node, side);
                self.open(link);
            }
            Event::Frame { link, bytes } => {
                if let Some(link) = self.links.number(link) {
                    self.outputs
                        .to_enclave
                        .push_back(ToEnclave::Frame { link, bytes });
                }
            }
            Event::Closed { link } => {
                if let Some(link) = self.links.remove(link) {
                    self.outputs
                        .to_enclave
                        .push_back(ToEnclave::Closed { link });
                }
            }
            Event::Homes { request, records } => {
                if let Some(request) = self.searches.remove(&request) {
                    let found = records
                        .into_iter()
                        .filter(|r| r.len() <= limits::HOME_RECORD);
                    let records = found.take(limits::HOME_ANSWERS).map(Into::into).collect();
                    self.outputs
                        .to_enclave
                        .push_back(ToEnclave::Homes { request, records });
                }
            }
            Event::Reachable { addresses } => self.reachable(addresses),
            Event::PeerChange { peer, standing } => {
                self.outputs
                    .writes
                    .push(Write::Peer(Note::changed(peer, standing)));
            }
            other => return Some(other),
        }
        None
    }

    /// Number of the link to the enclave; what is asked over one is not answered over another.
    pub(super) const fn link(&self) -> u64 {
        self.link
    }

    /// Answers a question that the enclave asked over `link`.
    pub(super) fn answer(&mut self, link: u64, answer: ToEnclave) {
        if self.has_enclave && self.link == link {
            match &answer {
                ToEnclave::MailStored { .. } => self.puts = self.puts.saturating_sub(1),
                ToEnclave::MailPage { .. } => self.page_read(),
                _ => {}
            }
            self.outputs.to_enclave.push_back(answer);
        }
    }

    /// Tells the enclave of a newer network file.
    pub(super) fn network_changed(&mut self, signed: Vec<u8>) {
        if self.has_enclave {
            self.outputs
                .to_enclave
                .push_back(ToEnclave::Network(signed));
        }
    }

    fn open(&mut self, link: u64) {
        if self.has_enclave {
            let opened = self.links.open(link);
            self.outputs.to_enclave.extend(opened);
        }
    }

    fn admitted(&mut self, now: Instant, number: u64, peer: Admitted) {
        let Some((link, known)) = self.links.admit(number) else {
            return;
        };
        self.outputs.admitted = self.outputs.admitted.saturating_add(1);
        let (node, expires) = (peer.node, peer.expires);
        self.lanes.admitted(now, node);
        let note = Note::admitted(known.peer.clone(), peer);
        self.outputs.writes.push(Write::Peer(note));
        self.outputs.to_network.push_back(ToNetwork::Admitted {
            link,
            node,
            expires,
        });
    }

    fn refused(&mut self, now: Instant, number: u64, why: NotAdmitted) {
        let Some((link, known)) = self.links.take(number) else {
            return;
        };
        self.outputs
            .to_network
            .push_back(ToNetwork::Refuse { link, why });
        if why == NotAdmitted::Replaced {
            return;
        }
        self.outputs.refused = self.outputs.refused.saturating_add(1);
        let (since, count) = &mut self.refusals;
        if since.is_none_or(|since| now.saturating_duration_since(since) >= SECOND) {
            (*since, *count) = (Some(now), 0);
        }
        *count = count.saturating_add(1);
        // Who is let in on another link is not shown as refused.
        if *count <= REFUSALS && !self.links.is_admitted(&known.peer) {
            let note = Note::refused(known.peer, known.node, why);
            self.outputs.writes.push(Write::Peer(note));
        }
    }

    fn publish(
        &mut self,
        space: SpaceId,
        location: [u8; 32],
        expires: UnixMillis,
        record: Vec<u8>,
    ) {
        if self.has_network {
            self.outputs.to_network.push_back(ToNetwork::Publish {
                location,
                expires,
                record: record.clone(),
            });
        }
        self.outputs.writes.push(Write::Home {
            space,
            location,
            expires,
            record,
        });
    }

    fn find(&mut self, request: u64, location: [u8; 32]) -> Result<(), Flood> {
        if !self.has_network {
            let records = Vec::new();
            self.outputs
                .to_enclave
                .push_back(ToEnclave::Homes { request, records });
            return Ok(());
        }
        if self.searches.len() >= SEARCHES {
            return Err(Flood);
        }
        self.searched = self.searched.wrapping_add(1);
        self.searches.insert(self.searched, request);
        let search = self.searched;
        self.outputs
            .to_network
            .push_back(ToNetwork::Find { search, location });
        Ok(())
    }

    /// Has something stored. Others decide how much comes, so that too much is no fault of the
    /// enclave: it is told to have it tried again.
    fn put(&mut self, request: u64, post: Post) {
        if self.puts >= PUTS {
            let outcome = MailOutcome::Failed;
            let answer = ToEnclave::MailStored { request, outcome };
            self.outputs.to_enclave.push_back(answer);
            return;
        }
        self.puts = self.puts.saturating_add(1);
        self.outputs.writes.push(Write::Post { request, post });
    }

    /// Has a page read. An empty answer would say that there are no more, so each gets its turn.
    fn read(&mut self, page: Write) -> Result<(), Flood> {
        if self.waiting_pages.len() >= WAITING_PAGES {
            return Err(Flood);
        }
        self.waiting_pages.push_back(page);
        self.read_next();
        Ok(())
    }

    fn page_read(&mut self) {
        self.pages = self.pages.saturating_sub(1);
        self.read_next();
    }

    fn read_next(&mut self) {
        if self.pages < PAGES
            && let Some(page) = self.waiting_pages.pop_front()
        {
            self.pages = self.pages.saturating_add(1);
            self.outputs.writes.push(page);
        }
    }

    fn reachable(&mut self, mut addresses: Vec<String>) {
        addresses.retain(|address| address.len() <= limits::ADDRESS);
        addresses.truncate(limits::HOME_ADDRESSES);
        if self.has_enclave {
            let addresses = addresses.clone();
            self.outputs
                .to_enclave
                .push_back(ToEnclave::Reachable { addresses });
        }
        self.reachable = addresses;
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
