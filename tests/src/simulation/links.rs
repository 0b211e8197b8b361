//! Links of one node's host: who is dialed, let in, admitted and kept out.

use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{Admitted, NotAdmitted, Side, ToEnclave};
use vettid_wire::time::{HOUR, SECOND};

use super::node::Node;
use super::sky::{End, Event, Sky};

impl Node {
    /// A stream to another host is up.
    pub fn opened(
        &mut self,
        (wire, end): (u64, End),
        (node, peer): (NodeId, Vec<u8>),
        sky: &mut Sky,
    ) {
        let link = self.newest_link;
        self.links.insert(link, (wire, end, node));
        let side = match end {
            End::Dialer => Side::Initiator,
            End::Dialed => Side::Responder,
        };
        let open = ToEnclave::Open {
            link,
            peer,
            node,
            side,
        };
        self.tell(open, sky);
        self.go_on(sky);
    }

    /// Number of the next link.
    pub const fn next_link(&mut self) -> u64 {
        self.newest_link += 1;
        self.newest_link
    }

    /// A frame came over a link.
    pub fn frame(&mut self, link: u64, bytes: Vec<u8>, sky: &mut Sky) {
        if self.links.contains_key(&link) {
            self.tell(ToEnclave::Frame { link, bytes }, sky);
            self.go_on(sky);
        }
    }

    /// A link is gone.
    pub fn gone(&mut self, link: u64, sky: &mut Sky) {
        if let Some((_, _, node)) = self.links.remove(&link) {
            self.forget_admission(node, link);
            self.tell(ToEnclave::Closed { link }, sky);
            self.go_on(sky);
        }
    }

    /// Whether it lets a node try.
    #[must_use]
    pub fn lets_in(&self, node: NodeId, sky: &Sky) -> bool {
        self.is_up()
            && self
                .kept_out
                .get(&node)
                .is_none_or(|(_, until)| *until <= sky.now)
    }

    /// A try to reach a node is over.
    pub fn dialed(&mut self, node: NodeId) {
        self.dialing.remove(&node);
    }

    /// Has a connection to a node, a new one if `anew`.
    pub fn dial(&mut self, node: NodeId, anew: bool, sky: &mut Sky) {
        let has_one = self.admitted.contains_key(&node) && !anew;
        if !has_one && self.lets_in(node, sky) && self.dialing.insert(node) {
            let there_and_back = sky.delay() + sky.delay();
            sky.after(there_and_back, Event::Dialed(self.index, self.boot, node));
        }
    }

    pub(super) fn admit(&mut self, link: u64, peer: &Admitted, sky: &mut Sky) {
        let Some((_, end, node)) = self.links.get(&link).copied() else {
            return;
        };
        self.kept_out.remove(&node);
        self.admitted.insert(node, link);
        self.spool.admitted(sky.now, node);
        // At 80 % of its time by whoever dialed; at 90 % by the other one, if that did not happen.
        let share = if end == End::Dialer { 8 } else { 9 };
        let pause = peer.expires.since(self.clock(sky)) / 10 * share;
        sky.after(pause, Event::Renew(self.index, self.boot, link));
    }

    /// The admission over a link grows old: dials anew, unless another has replaced it.
    pub fn renew(&mut self, link: u64, sky: &mut Sky) {
        if let Some((_, _, node)) = self.links.get(&link).copied()
            && self.admitted.get(&node) == Some(&link)
        {
            self.dial(node, true, sky);
        }
        self.go_on(sky);
    }

    pub(super) fn refuse(&mut self, link: u64, why: NotAdmitted, sky: &mut Sky) {
        let Some((wire, end, node)) = self.links.remove(&link) else {
            return;
        };
        self.forget_admission(node, link);
        sky.close(wire, end);
        if why != NotAdmitted::Replaced {
            self.refused.push((node, why));
            let times = self.kept_out.get(&node).map_or(0, |(times, _)| *times);
            let times = if why.is_blame() { times } else { 0 };
            let pause = (10 * SECOND).saturating_mul(1 << times.min(10)).min(HOUR);
            self.kept_out.insert(node, (times + 1, sky.now.plus(pause)));
        }
    }

    fn forget_admission(&mut self, node: NodeId, link: u64) {
        if self.admitted.get(&node) == Some(&link) {
            self.admitted.remove(&node);
        }
    }
}
