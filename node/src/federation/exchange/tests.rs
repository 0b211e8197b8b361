use vettid_federation::event::{Path, Standing};
use vettid_wire::id::{DeliveryId, LaneId};
use vettid_wire::link::federation::{Side, SpoolOutcome};

use super::*;
use crate::spool::{Spooled, Step};

const NODE: NodeId = NodeId([1; 32]);
const PEER: &[u8] = &[2; 38];

struct Fixture {
    exchange: Exchange,
    now: Instant,
}

fn fixture() -> Fixture {
    let mut exchange = Exchange::new(true, Lanes::new(1));
    exchange.enclave_up();
    let now = Instant::now();
    Fixture { exchange, now }
}

impl Fixture {
    fn hear(&mut self, frame: FromEnclave) {
        let heard = self.exchange.hear_enclave(self.now, frame);
        assert_eq!(heard, Ok(()));
    }

    fn event(&mut self, event: Event) {
        assert!(self.exchange.hear_network(event).is_none());
    }

    fn open(&mut self, link: u64) {
        self.event(Event::LinkOpen {
            link,
            peer: PEER.to_vec(),
            node: NODE,
            side: Side::Initiator,
        });
    }

    fn for_enclave(&mut self) -> Vec<ToEnclave> {
        self.exchange.outputs.to_enclave.drain(..).collect()
    }

    fn for_network(&mut self) -> Vec<ToNetwork> {
        self.exchange.outputs.to_network.drain(..).collect()
    }
}

fn opened(link: u64) -> ToEnclave {
    ToEnclave::Open {
        link,
        peer: PEER.to_vec(),
        node: NODE,
        side: Side::Initiator,
    }
}

fn admitted() -> Admitted {
    Admitted {
        node: NODE,
        release: 3,
        measurement: [4; 144],
        expires: UnixMillis(5_000),
    }
}

#[test]
fn messages_of_a_link_go_both_ways_until_it_is_closed() {
    let mut fixture = fixture();
    fixture.open(1);
    fixture.event(Event::Frame {
        link: 1,
        bytes: vec![1],
    });
    fixture.hear(FromEnclave::Frame {
        link: 1,
        bytes: vec![2],
    });
    fixture.event(Event::Closed { link: 1 });
    fixture.hear(FromEnclave::Frame {
        link: 1,
        bytes: vec![3],
    });

    let bytes = vec![1];
    let heard = [
        opened(1),
        ToEnclave::Frame { link: 1, bytes },
        ToEnclave::Closed { link: 1 },
    ];
    assert_eq!(fixture.for_enclave(), heard);
    let bytes = vec![2];
    assert_eq!(fixture.for_network(), [ToNetwork::Frame { link: 1, bytes }]);
}

#[test]
fn messages_for_links_that_were_never_open_go_nowhere() {
    let mut fixture = fixture();
    fixture.hear(FromEnclave::Frame {
        link: 9,
        bytes: vec![1],
    });
    fixture.hear(FromEnclave::Admitted {
        link: 9,
        peer: admitted(),
    });
    fixture.hear(FromEnclave::Refused {
        link: 9,
        why: NotAdmitted::Slow,
    });
    fixture.event(Event::Frame {
        link: 9,
        bytes: vec![1],
    });

    assert!(fixture.for_network().is_empty());
    assert!(fixture.for_enclave().is_empty());
    assert!(fixture.exchange.outputs.writes.is_empty());
}

#[test]
fn admission_is_told_to_the_network_written_down_and_wakes_lanes() {
    let mut fixture = fixture();
    let (lane, delivery) = (LaneId([1; 16]), DeliveryId([2; 16]));
    let spooled = Spooled {
        number: 1,
        delivery,
        bytes: bytes::Bytes::new(),
    };
    let lanes = &mut fixture.exchange.lanes;
    lanes.stored(fixture.now, SpaceId([3; 16]), lane, spooled.clone());
    assert_eq!(lanes.step(), Some(Step::Offer(lane, spooled)));
    fixture.hear(FromEnclave::Settled {
        delivery,
        outcome: SpoolOutcome::Later { node: Some(NODE) },
    });
    assert_eq!(fixture.exchange.lanes.step(), None);
    fixture.open(1);

    fixture.hear(FromEnclave::Admitted {
        link: 1,
        peer: admitted(),
    });

    let told = ToNetwork::Admitted {
        link: 1,
        node: admitted().node,
        expires: admitted().expires,
    };
    assert_eq!(fixture.for_network(), [told]);
    let note = Note::admitted(PEER.to_vec(), admitted());
    assert_eq!(fixture.exchange.outputs.writes, [Write::Peer(note)]);
    assert!(matches!(fixture.exchange.lanes.step(), Some(Step::Load(_))));
}

#[test]
fn refused_link_is_closed_and_its_reason_written_down_unless_it_was_replaced() {
    let mut fixture = fixture();
    fixture.open(1);
    fixture.open(2);
    let refuse = |link, why| FromEnclave::Refused { link, why };
    fixture.hear(refuse(1, NotAdmitted::Measurement));
    fixture.hear(refuse(2, NotAdmitted::Replaced));
    // Twice is once.
    fixture.hear(refuse(1, NotAdmitted::Measurement));

    let refused = |link, why| ToNetwork::Refuse { link, why };
    assert_eq!(
        fixture.for_network(),
        [
            refused(1, NotAdmitted::Measurement),
            refused(2, NotAdmitted::Replaced)
        ]
    );
    let note = Note::refused(PEER.to_vec(), NODE, NotAdmitted::Measurement);
    assert_eq!(fixture.exchange.outputs.writes, [Write::Peer(note)]);
}

#[test]
fn peer_that_is_admitted_on_another_link_is_not_written_down_as_refused() {
    let mut fixture = fixture();
    fixture.open(1);
    fixture.open(2);
    fixture.hear(FromEnclave::Admitted {
        link: 1,
        peer: admitted(),
    });
    let why = NotAdmitted::Evidence;

    fixture.hear(FromEnclave::Refused { link: 2, why });

    let let_in = Write::Peer(Note::admitted(PEER.to_vec(), admitted()));
    assert_eq!(
        fixture.exchange.outputs.writes,
        std::slice::from_ref(&let_in)
    );
    fixture.hear(FromEnclave::Refused { link: 1, why });
    let refused = Write::Peer(Note::refused(PEER.to_vec(), NODE, why));
    assert_eq!(fixture.exchange.outputs.writes, [let_in, refused]);
}

#[test]
fn flood_of_refused_peers_is_counted_and_not_written() {
    let mut fixture = fixture();
    for link in 1..=1_000 {
        fixture.open(link);
        fixture.hear(FromEnclave::Refused {
            link,
            why: NotAdmitted::Evidence,
        });
    }

    assert_eq!(fixture.exchange.outputs.writes.len(), 16);
    assert_eq!(fixture.exchange.outputs.refused, 1_000);
}

#[test]
fn new_enclave_hears_of_links_that_wait_and_of_its_addresses_and_old_links_are_closed() {
    let mut fixture = fixture();
    fixture.open(1);
    let addresses = vec!["/ip4/192.0.2.1/tcp/1".to_owned()];
    fixture.event(Event::Reachable {
        addresses: addresses.clone(),
    });
    fixture.exchange.enclave_down();
    fixture.open(2);
    assert!(fixture.for_enclave().is_empty());
    assert_eq!(fixture.for_network(), [ToNetwork::Close { link: 1 }]);

    fixture.exchange.enclave_up();

    assert_eq!(
        fixture.for_enclave(),
        [ToEnclave::Reachable { addresses }, opened(2)]
    );
}

#[test]
fn searches_are_answered_by_their_own_numbers_and_never_twice() {
    let mut fixture = fixture();
    let find = |request| FromEnclave::FindHome {
        request,
        location: [1; 32],
    };
    fixture.hear(find(70));
    fixture.hear(find(70));
    let searches: Vec<u64> = fixture
        .for_network()
        .iter()
        .map(|command| match command {
            ToNetwork::Find { search, .. } => *search,
            other => panic!("{other:?}"),
        })
        .collect();
    let found = |request| Event::Homes {
        request,
        records: vec![vec![1], vec![0; limits::HOME_RECORD + 1]],
    };
    fixture.event(found(searches[1]));
    fixture.event(found(searches[1]));

    let records = vec![vec![1].into()];
    let homes = ToEnclave::Homes {
        request: 70,
        records,
    };
    assert_eq!(fixture.for_enclave(), [homes]);
}

#[test]
fn without_a_network_a_search_finds_nothing_at_once() {
    let mut exchange = Exchange::new(false, Lanes::new(1));
    exchange.enclave_up();
    let find = FromEnclave::FindHome {
        request: 3,
        location: [1; 32],
    };
    assert_eq!(exchange.hear_enclave(Instant::now(), find), Ok(()));

    let homes = ToEnclave::Homes {
        request: 3,
        records: vec![],
    };
    assert_eq!(exchange.outputs.to_enclave, [homes]);
}

/// Streams greet in another order than the one in which they were opened: a stranger can have them.
#[test]
fn links_that_come_in_any_order_count_up_for_the_enclave() {
    let mut fixture = fixture();
    fixture.open(7);
    fixture.open(5);
    assert_eq!(fixture.for_enclave(), [opened(1), opened(2)]);

    let bytes = vec![1];
    fixture.event(Event::Frame { link: 5, bytes });
    let bytes = vec![2];
    fixture.hear(FromEnclave::Frame { link: 1, bytes });
    fixture.hear(FromEnclave::Refused {
        link: 2,
        why: NotAdmitted::Evidence,
    });
    fixture.event(Event::Closed { link: 5 });
    fixture.event(Event::Closed { link: 7 });

    let bytes = vec![1];
    assert_eq!(
        fixture.for_enclave(),
        [
            ToEnclave::Frame { link: 2, bytes },
            ToEnclave::Closed { link: 1 }
        ]
    );
    let (bytes, why) = (vec![2], NotAdmitted::Evidence);
    assert_eq!(
        fixture.for_network(),
        [
            ToNetwork::Frame { link: 7, bytes },
            ToNetwork::Refuse { link: 5, why }
        ]
    );
}

/// Others decide how much comes for mailboxes: the enclave is not to blame for it.
#[test]
fn flood_for_mailboxes_is_put_off_and_the_enclave_stays() {
    let mut fixture = fixture();
    let put = |request| FromEnclave::MailPut {
        request,
        mailbox: MailboxId([1; 16]),
        delivery: DeliveryId([1; 16]),
        expires: UnixMillis(1),
        bytes: vec![1],
    };
    for request in 0..PUTS as u64 + 2 {
        fixture.hear(put(request));
    }

    let stored = |request, outcome| ToEnclave::MailStored { request, outcome };
    let put_off = |request| stored(PUTS as u64 + request, MailOutcome::Failed);
    assert_eq!(fixture.for_enclave(), [put_off(0), put_off(1)]);
    assert_eq!(fixture.exchange.outputs.writes.len(), PUTS);
    let link = fixture.exchange.link();
    let answer = stored(0, MailOutcome::Stored);
    fixture.exchange.answer(link, answer.clone());
    fixture.hear(put(9_000));
    assert_eq!(fixture.for_enclave(), [answer]);
    assert_eq!(fixture.exchange.outputs.writes.len(), PUTS + 1);
}

#[test]
fn pages_are_read_a_few_at_a_time_and_each_gets_its_turn() {
    let mut fixture = fixture();
    let read = |request| FromEnclave::MailRead {
        request,
        space: SpaceId([1; 16]),
        behind: 0,
    };
    for request in 0..1_000 {
        fixture.hear(read(request));
    }
    let mut asked = Vec::new();
    let link = fixture.exchange.link();
    loop {
        let writes = std::mem::take(&mut fixture.exchange.outputs.writes);
        if writes.is_empty() {
            break;
        }
        assert!(writes.len() <= PAGES);
        for write in writes {
            let Write::Page { request, .. } = write else {
                panic!("{write:?}");
            };
            let items = vec![];
            asked.push(request);
            fixture
                .exchange
                .answer(link, ToEnclave::MailPage { request, items });
        }
    }

    assert_eq!(asked, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn enclave_that_asks_without_end_is_a_flood() {
    let mut fixture = fixture();
    let read = FromEnclave::MailRead {
        request: 1,
        space: SpaceId([1; 16]),
        behind: 0,
    };
    for _ in 0..WAITING_PAGES + PAGES {
        fixture.hear(read.clone());
    }
    let exchange = &mut fixture.exchange;
    assert_eq!(exchange.hear_enclave(fixture.now, read), Err(Flood));

    let find = |request| FromEnclave::FindHome {
        request,
        location: [0; 32],
    };
    for request in 0..SEARCHES as u64 {
        assert_eq!(exchange.hear_enclave(fixture.now, find(request)), Ok(()));
    }
    assert_eq!(exchange.hear_enclave(fixture.now, find(0)), Err(Flood));
}

#[test]
fn answer_to_an_ended_enclave_is_not_given_to_the_next() {
    let mut fixture = fixture();
    let link = fixture.exchange.link();
    fixture.exchange.enclave_up();

    let items = vec![];
    fixture
        .exchange
        .answer(link, ToEnclave::MailPage { request: 1, items });

    assert!(fixture.for_enclave().is_empty());
}

#[test]
fn addresses_are_bounded_before_the_enclave_hears_them() {
    let mut fixture = fixture();
    let mut addresses = vec!["/a".repeat(limits::ADDRESS)];
    addresses.extend((0..20).map(|number| format!("/dns/h/tcp/{number}")));
    fixture.event(Event::Reachable { addresses });

    let heard = fixture.for_enclave();
    let [ToEnclave::Reachable { addresses }] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!(addresses.len(), limits::HOME_ADDRESSES);
    assert_eq!(addresses[0], "/dns/h/tcp/0");
}

#[test]
fn home_is_published_and_kept_and_only_kept_without_a_network() {
    for has_network in [true, false] {
        let mut exchange = Exchange::new(has_network, Lanes::new(1));
        exchange.enclave_up();
        let publish = FromEnclave::PublishHome {
            space: SpaceId([1; 16]),
            location: [2; 32],
            expires: UnixMillis(3),
            record: vec![4],
        };
        assert_eq!(exchange.hear_enclave(Instant::now(), publish), Ok(()));

        assert_eq!(exchange.outputs.to_network.len(), usize::from(has_network));
        assert!(matches!(exchange.outputs.writes[..], [Write::Home { .. }]));
    }
}

#[test]
fn changes_of_peers_are_written_down() {
    let mut fixture = fixture();
    let standing = Standing::Connected {
        path: Path::Relayed,
    };
    fixture.event(Event::PeerChange {
        peer: PEER.to_vec(),
        standing,
    });

    let note = Note::changed(PEER.to_vec(), standing);
    assert_eq!(fixture.exchange.outputs.writes, [Write::Peer(note)]);
}

#[test]
fn enclave_hears_that_links_searches_and_addresses_are_gone_with_the_network() {
    let mut fixture = fixture();
    fixture.open(1);
    fixture.open(2);
    let location = [3; 32];
    fixture.hear(FromEnclave::FindHome {
        request: 9,
        location,
    });
    let addresses = vec!["/ip4/192.0.2.1/tcp/1".to_owned()];
    fixture.event(Event::Reachable { addresses });
    fixture.for_enclave();

    fixture.exchange.network_down();

    let (records, addresses) = (Vec::new(), Vec::new());
    let heard = [
        ToEnclave::Closed { link: 1 },
        ToEnclave::Closed { link: 2 },
        ToEnclave::Homes {
            request: 9,
            records,
        },
        ToEnclave::Reachable { addresses },
    ];
    assert_eq!(fixture.for_enclave(), heard);
    assert!(fixture.for_network().is_empty());
    fixture.exchange.network_up();
    fixture.open(1);
    assert_eq!(fixture.for_enclave(), [opened(3)]);
}
