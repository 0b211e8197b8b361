//! What one node's host does that its enclave asks for, honestly or not.

use std::collections::BTreeMap;

use vettid_wire::id::{DeliveryId, LaneId, SpaceId};
use vettid_wire::link::federation::{FromEnclave, Mail, MailOutcome, ToEnclave};

use super::mailbox::Post;
use super::node::Node;
use super::sky::{Event, Sky, Spooling, Task};

impl Node {
    /// The host has done something.
    pub fn done(&mut self, task: Task, sky: &mut Sky) {
        let now = self.clock(sky);
        let answer = match task {
            Task::Find(request, location) => {
                let records = sky.homes.get(&location).into_iter().flatten();
                let records = records.filter(|(_, _, expires)| *expires > sky.now);
                ToEnclave::Homes {
                    request,
                    records: records.map(|it| it.1.clone().into()).collect(),
                }
            }
            Task::Page(request, space, behind) => {
                let mut items = self.mailboxes.page(space, behind, now);
                if sky.happens(sky.conditions.lies) {
                    lie(&mut items, sky);
                }
                ToEnclave::MailPage { request, items }
            }
            Task::Put(request, mailbox, post) => {
                let outcome = if sky.happens(sky.conditions.lies) {
                    // It says so, and keeps nothing.
                    MailOutcome::Stored
                } else {
                    self.mailboxes.put(mailbox, post)
                };
                ToEnclave::MailStored { request, outcome }
            }
        };
        self.tell(answer, sky);
        self.go_on(sky);
    }

    /// What waited for records of a vault is done, now that they are durable.
    pub(super) fn follow_records(&mut self, sky: &Sky) {
        let newest: BTreeMap<SpaceId, u64> = self
            .spaces
            .iter()
            .map(|space| (space.id, space.disk.newest()))
            .collect();
        let is_durable = |space: &SpaceId, after: u64| newest.get(space) >= Some(&after);
        for _ in 0..self.spooling.len() {
            let Some(spooling) = self.spooling.pop_front() else {
                break;
            };
            if is_durable(&spooling.space, spooling.after) {
                let Spooling {
                    space,
                    place: (lane, delivery),
                    expires,
                    bytes,
                    ..
                } = spooling;
                let place = (space, lane, delivery);
                self.spool.keep(sky.now, place, expires, bytes);
            } else {
                self.spooling.push_back(spooling);
            }
        }
        for _ in 0..self.dropping.len() {
            let Some((space, after, behind, through)) = self.dropping.pop_front() else {
                break;
            };
            if is_durable(&space, after) {
                self.mailboxes.forget(space, behind, through);
            } else {
                self.dropping.push_back((space, after, behind, through));
            }
        }
    }

    pub(super) fn hear(&mut self, frame: FromEnclave, sky: &mut Sky) {
        match frame {
            FromEnclave::Frame { link, bytes } => {
                if let Some((wire, end, _)) = self.links.get(&link) {
                    sky.carry(*wire, end.other(), bytes);
                }
            }
            FromEnclave::Admitted { link, peer } => self.admit(link, &peer, sky),
            FromEnclave::Refused { link, why } => self.refuse(link, why, sky),
            FromEnclave::Dial(home) => self.dial(home.node, false, sky),
            FromEnclave::Spool {
                space,
                after,
                lane,
                delivery,
                expires,
                bytes,
            } => {
                let place = (lane, delivery);
                self.spooling.push_back(Spooling {
                    space,
                    after,
                    place,
                    expires,
                    bytes,
                });
                self.follow_records(sky);
            }
            FromEnclave::Settled { delivery, outcome } => {
                self.spool.settled(sky.now, delivery, outcome);
            }
            FromEnclave::PublishHome {
                location,
                expires,
                record,
                ..
            } => {
                let kept = sky.homes.entry(location).or_default();
                kept.retain(|(publisher, _, _)| *publisher != self.index);
                kept.push((self.index, record, expires));
            }
            FromEnclave::FindHome { request, location } => {
                self.do_later(Task::Find(request, location), sky);
            }
            mail => self.hear_of_mail(mail, sky),
        }
    }

    fn hear_of_mail(&mut self, frame: FromEnclave, sky: &mut Sky) {
        match frame {
            FromEnclave::Mailbox { space, mailbox } => self.mailboxes.bind(space, mailbox),
            FromEnclave::MailPut {
                request,
                mailbox,
                delivery,
                expires,
                bytes,
            } => {
                let post = Post {
                    delivery,
                    expires,
                    bytes,
                };
                self.do_later(Task::Put(request, mailbox, post), sky);
            }
            FromEnclave::MailRead {
                request,
                space,
                behind,
            } => self.do_later(Task::Page(request, space, behind), sky),
            FromEnclave::MailDrop {
                space,
                after,
                through,
                behind,
            } => {
                self.dropping.push_back((space, after, behind, through));
                self.follow_records(sky);
            }
            _ => {}
        }
    }

    /// A disk or the network takes a moment; what was asked first is answered first.
    fn do_later(&mut self, task: Task, sky: &mut Sky) {
        let least = sky.now.plus(1 + sky.roll(4));
        self.busy_until = self.busy_until.max(least);
        let pause = self.busy_until.since(sky.now);
        sky.after(pause, Event::Task(self.index, self.boot, task));
    }

    pub(super) fn offer(
        &mut self,
        (lane, delivery): (LaneId, DeliveryId),
        mut bytes: Vec<u8>,
        sky: &mut Sky,
    ) {
        if sky.happens(sky.conditions.lies) {
            let at = sky.roll(bytes.len() as u64);
            bytes[usize::try_from(at).expect("small")] ^= 1;
        }
        let due = ToEnclave::Due {
            lane,
            delivery,
            bytes,
        };
        self.tell(due, sky);
    }
}

/// A page as a lying host shows it: something missing, repeated or altered.
fn lie(items: &mut Vec<Mail>, sky: &mut Sky) {
    if items.is_empty() {
        return;
    }
    let at = usize::try_from(sky.roll(items.len() as u64)).expect("small");
    match sky.roll(3) {
        0 => {
            items.remove(at);
        }
        1 => items[at].bytes = items[0].bytes.clone(),
        _ => items[at].bytes[20] ^= 1,
    }
}
