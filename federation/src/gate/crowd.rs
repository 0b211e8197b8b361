//! Connections from others: how many one network and one neighborhood have, and who of those that
//! are not admitted makes room for the next.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::Gates;
use super::guard::Denied;
use crate::address;

/// How many are let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admits {
    /// Whether peers are admitted here.
    pub(crate) at_all: bool,
    /// Connections from others that are not admitted.
    pub(crate) strangers: usize,
    /// Connections from one network.
    pub(crate) of_one_network: usize,
    /// Connections from one neighborhood.
    pub(crate) of_one_neighborhood: usize,
}

/// Connections from others that are up or being made.
#[derive(Debug)]
pub(super) struct Crowd {
    gates: Gates,
    admits: Admits,
    guests: HashMap<ConnectionId, Guest>,
    networks: Counts,
    neighborhoods: Counts,
}

type Counts = HashMap<IpAddr, usize>;

#[derive(Debug)]
struct Guest {
    from: Origin,
    /// Who it is, once that is proven, and since when.
    peer: Option<(PeerId, Instant)>,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Origin {
    Machine,
    Network(IpAddr),
    Relay,
}

impl Crowd {
    pub(super) fn new(gates: Gates, admits: Admits) -> Self {
        Self {
            gates,
            admits,
            guests: HashMap::new(),
            networks: Counts::new(),
            neighborhoods: Counts::new(),
        }
    }

    /// Counts a connection that is being made, if there is room for more from where it comes.
    pub(super) fn begin(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), Denied> {
        let from = Origin::of(local, remote);
        if let Origin::Network(ip) = from {
            let (network, around) = (address::network(ip), address::neighborhood(ip));
            let count = |counts: &Counts, of| counts.get(&of).copied().unwrap_or_default();
            if count(&self.networks, network) >= self.admits.of_one_network
                || count(&self.neighborhoods, around) >= self.admits.of_one_neighborhood
            {
                return Err(Denied::NetworkFull);
            }
            for (counts, of) in self.counts(ip) {
                let count = counts.entry(of).or_default();
                *count = count.saturating_add(1);
            }
        }
        self.guests.insert(id, Guest { from, peer: None });
        Ok(())
    }

    /// A connection is gone.
    pub(super) fn release(&mut self, id: ConnectionId) {
        self.gates.remove(id);
        let Some(Origin::Network(ip)) = self.guests.remove(&id).map(|guest| guest.from) else {
            return;
        };
        for (counts, of) in self.counts(ip) {
            if let Some(count) = counts.get_mut(&of) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    counts.remove(&of);
                }
            }
        }
    }

    /// Takes in a stranger that has proven who it is; another that leaves for it.
    ///
    /// # Errors
    /// When there is no room, and nobody who has waited in vain or has more.
    pub(super) fn enter(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        now: Instant,
    ) -> Result<Option<(PeerId, ConnectionId)>, Denied> {
        let Some(from) = self.guests.get(&id).map(|guest| guest.from) else {
            return Ok(None);
        };
        let full = self.admits.at_all.then(|| self.is_full(from)).flatten();
        let leaves = full.map(|among| self.leaving(from, among).ok_or(Denied::TooManyStrangers));
        let leaves = leaves.transpose()?;
        if let Some((_, leaves)) = leaves {
            self.gates.make_room(leaves);
        }
        if let Some(guest) = self.guests.get_mut(&id) {
            guest.peer = Some((peer, now));
        }
        Ok(leaves)
    }

    /// Whether there is no room for a stranger, and whether only those that come through relays can
    /// make it.
    fn is_full(&self, from: Origin) -> Option<Among> {
        let all = self.strangers(Among::All).count();
        let relayed = self.strangers(Among::Relayed).count();
        if from == Origin::Relay && relayed >= (self.admits.strangers / RELAYED).max(1) {
            return Some(Among::Relayed);
        }
        (all >= self.admits.strangers).then_some(Among::All)
    }

    /// Who makes room: whoever does nothing to be admitted, of those that are most around one place,
    /// and of these the one that has waited longest. Of those that do something, one of a place that
    /// has more than that of the newcomer.
    fn leaving(&self, newcomer: Origin, among: Among) -> Option<(PeerId, ConnectionId)> {
        let mut places: HashMap<Origin, usize> = HashMap::new();
        for (_, guest, _) in self.strangers(Among::All) {
            let count = places.entry(guest.from.place()).or_default();
            *count = count.saturating_add(1);
        }
        let at = |from: Origin| places.get(&from.place()).copied().unwrap_or_default();
        let own = at(newcomer).saturating_add(1);
        self.strangers(among)
            .filter(|(_, guest, attests)| !attests || at(guest.from) > own)
            .filter_map(|(id, guest, attests)| Some((id, guest.from, guest.peer?, attests)))
            .max_by_key(|(_, from, (_, since), attests)| (!attests, at(*from), Reverse(*since)))
            .map(|(id, _, (peer, _), _)| (peer, id))
    }

    /// Connections that are up and not admitted, and whether each does something to be.
    fn strangers(&self, among: Among) -> impl Iterator<Item = (ConnectionId, &Guest, bool)> {
        let counts = move |guest: &Guest| among == Among::All || guest.from == Origin::Relay;
        self.guests
            .iter()
            .filter(move |(_, guest)| guest.peer.is_some() && counts(guest))
            .filter_map(|(id, guest)| Some((*id, guest, self.gates.stranger(*id)?)))
    }

    fn counts(&mut self, ip: IpAddr) -> [(&mut Counts, IpAddr); 2] {
        [
            (&mut self.networks, address::network(ip)),
            (&mut self.neighborhoods, address::neighborhood(ip)),
        ]
    }
}

/// Which strangers are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Among {
    All,
    Relayed,
}

impl Origin {
    /// A relay's address is not that of who comes through it.
    fn of(local: &Multiaddr, remote: &Multiaddr) -> Self {
        if address::is_relayed(local) || address::is_relayed(remote) {
            return Self::Relay;
        }
        match address::ip(remote).filter(|ip| !ip.is_loopback()) {
            Some(ip) => Self::Network(ip),
            None => Self::Machine,
        }
    }

    fn place(self) -> Self {
        match self {
            Self::Network(ip) => Self::Network(address::neighborhood(ip)),
            Self::Machine | Self::Relay => self,
        }
    }
}

/// One in so many strangers may come through relays: where those come from is not known.
const RELAYED: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::Access;
    use super::*;

    const DIRECT: &str = "/ip4/8.8.8.8/tcp/1";
    const RELAY: &str = "/ip4/8.8.8.8/tcp/1/p2p-circuit";

    fn crowd(strangers: usize) -> Crowd {
        let admits = Admits {
            at_all: true,
            strangers,
            of_one_network: 3,
            of_one_neighborhood: 5,
        };
        Crowd::new(Gates::default(), admits)
    }

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    /// A stranger arrives; who leaves for it, or why it is not let in.
    fn arrives(crowd: &mut Crowd, number: usize, remote: &str) -> Result<Option<usize>, Denied> {
        let local = if remote.starts_with("/p2p") {
            RELAY
        } else {
            DIRECT
        };
        let [local, remote] = [local, remote].map(|text| text.parse().expect("address"));
        crowd.begin(id(number), &local, &remote)?;
        let entered = crowd.enter(id(number), PeerId::random(), Instant::now());
        if entered.is_err() {
            crowd.release(id(number));
        }
        let leaves = entered?.map(|(_, left)| left);
        crowd.gates.of(id(number)).set(Access::ATTEST);
        Ok(leaves.map(|left| {
            (0..1_000)
                .find(|number| id(*number) == left)
                .expect("known")
        }))
    }

    fn relayed() -> String {
        format!("/p2p/{}", PeerId::random())
    }

    #[test]
    fn one_network_has_few_connections_and_others_are_let_in() {
        let mut crowd = crowd(100);
        for number in 0..3 {
            let remote = format!("/ip6/2a00::{number}/tcp/1");
            assert_eq!(arrives(&mut crowd, number, &remote), Ok(None));
        }
        let full = "/ip6/2a00::9/tcp/1";
        assert_eq!(arrives(&mut crowd, 3, full), Err(Denied::NetworkFull));
        let other = "/ip6/2a00:0:0:1::9/tcp/1";
        assert_eq!(arrives(&mut crowd, 4, other), Ok(None));
        for number in 10..20 {
            assert_eq!(
                arrives(&mut crowd, number, "/ip4/127.0.0.1/tcp/1"),
                Ok(None)
            );
        }

        crowd.release(id(1));
        assert_eq!(arrives(&mut crowd, 5, full), Ok(None));
        assert_eq!(arrives(&mut crowd, 6, full), Err(Denied::NetworkFull));
    }

    #[test]
    fn one_neighborhood_has_few_connections_however_many_networks_it_has() {
        let mut crowd = crowd(100);
        for number in 0..5 {
            let remote = format!("/ip6/2a00:0:0:{number}::1/tcp/1");
            assert_eq!(arrives(&mut crowd, number, &remote), Ok(None));
        }

        let near = "/ip6/2a00:0:0:9::1/tcp/1";
        assert_eq!(arrives(&mut crowd, 5, near), Err(Denied::NetworkFull));
        assert_eq!(arrives(&mut crowd, 6, "/ip6/2a00:0:1::1/tcp/1"), Ok(None));
        crowd.release(id(0));
        assert_eq!(arrives(&mut crowd, 7, near), Ok(None));
    }

    #[test]
    fn whoever_has_waited_longest_in_vain_makes_room_for_the_next_stranger() {
        let mut crowd = crowd(3);
        for number in 1..=3 {
            let remote = format!("/ip4/8.8.{number}.1/tcp/1");
            assert_eq!(arrives(&mut crowd, number, &remote), Ok(None));
        }
        crowd.gates.attests(id(1));

        assert_eq!(arrives(&mut crowd, 4, "/ip4/8.8.4.1/tcp/1"), Ok(Some(2)));
        assert_eq!(arrives(&mut crowd, 5, "/ip4/8.8.5.1/tcp/1"), Ok(Some(3)));
        // Those two are not blamed for what breaks on their connections now.
        let left = (1..=5).map(|number| crowd.gates.has_made_room(id(number)));
        assert_eq!(left.collect::<Vec<_>>(), [false, true, true, false, false]);
        // Who is admitted is no stranger.
        crowd.gates.set(id(4), Access::PEER);
        assert_eq!(arrives(&mut crowd, 6, "/ip4/8.8.6.1/tcp/1"), Ok(None));
    }

    #[test]
    fn place_with_most_strangers_makes_room_first_and_alone_when_all_are_about_to_be_admitted() {
        let mut crowd = crowd(3);
        assert_eq!(arrives(&mut crowd, 1, "/ip4/8.8.1.1/tcp/1"), Ok(None));
        assert_eq!(arrives(&mut crowd, 2, "/ip4/8.8.2.1/tcp/1"), Ok(None));
        assert_eq!(arrives(&mut crowd, 3, "/ip4/8.8.2.2/tcp/1"), Ok(None));
        assert_eq!(arrives(&mut crowd, 4, "/ip4/8.8.2.3/tcp/1"), Ok(Some(2)));

        for number in [1, 3, 4] {
            crowd.gates.attests(id(number));
        }
        let full = Err(Denied::TooManyStrangers);
        assert_eq!(arrives(&mut crowd, 5, "/ip4/8.8.2.4/tcp/1"), full);
        assert_eq!(arrives(&mut crowd, 6, "/ip4/8.8.3.1/tcp/1"), Ok(Some(3)));
        crowd.gates.attests(id(6));
        assert_eq!(arrives(&mut crowd, 7, "/ip4/8.8.4.1/tcp/1"), full);
    }

    #[test]
    fn strangers_through_relays_have_a_quarter_of_the_room() {
        let mut crowd = crowd(8);
        assert_eq!(arrives(&mut crowd, 1, &relayed()), Ok(None));
        assert_eq!(arrives(&mut crowd, 2, "/ip4/8.8.2.1/tcp/1"), Ok(None));
        assert_eq!(arrives(&mut crowd, 3, &relayed()), Ok(None));

        assert_eq!(arrives(&mut crowd, 4, &relayed()), Ok(Some(1)));
        for number in [3, 4] {
            crowd.gates.attests(id(number));
        }
        let full = Err(Denied::TooManyStrangers);
        assert_eq!(arrives(&mut crowd, 5, &relayed()), full);
        assert_eq!(arrives(&mut crowd, 6, "/ip4/8.8.3.1/tcp/1"), Ok(None));
    }
}
