//! What waits for other nodes and for closed vaults, with an enclave that the test plays.

use vettid_node::admin::{Reply, Request};
use vettid_wire::id::{DeliveryId, LaneId, MailboxId, NodeId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::federation::{
    FromEnclave as FromUs, Mail, MailOutcome, SpoolOutcome, ToEnclave,
};
use vettid_wire::link::{FromEnclave, FromHost};
use vettid_wire::network::SignedNetwork;
use vettid_wire::time::UnixMillis;

use crate::enclave::Enclave;
use crate::fixture::{Device, Running, network_file, soon};
use crate::http::get;
use crate::link::{append, opened};

const LANE: LaneId = LaneId([1; 16]);
const MAILBOX: MailboxId = MailboxId([2; 16]);

impl Enclave {
    pub(crate) async fn say(&mut self, frame: FromUs) {
        self.send(&FromEnclave::Federation(frame)).await;
    }

    /// The next frame about other nodes.
    pub(crate) async fn hear(&mut self) -> ToEnclave {
        loop {
            match soon(self.next()).await {
                Some(FromHost::Federation(frame)) => return frame,
                Some(_) => {}
                None => panic!("the link ended"),
            }
        }
    }

    /// Delivery that is offered next.
    async fn due(&mut self) -> DeliveryId {
        match self.hear().await {
            ToEnclave::Due { lane, delivery, .. } if lane == LANE => delivery,
            other => panic!("nothing due but {other:?}"),
        }
    }

    async fn settle(&mut self, delivery: DeliveryId, outcome: SpoolOutcome) {
        self.say(FromUs::Settled { delivery, outcome }).await;
    }

    async fn put(&mut self, request: u64, number: u16, bytes: Vec<u8>) {
        let put = FromUs::MailPut {
            request,
            mailbox: MAILBOX,
            delivery: delivery(number),
            expires: later(),
            bytes,
        };
        self.say(put).await;
    }

    async fn read_mail(&mut self, space: SpaceId, behind: u64) -> Vec<Mail> {
        let request = 999_999;
        self.say(FromUs::MailRead {
            request,
            space,
            behind,
        })
        .await;
        match self.hear().await {
            ToEnclave::MailPage { request: r, items } if r == request => items,
            other => panic!("no page but {other:?}"),
        }
    }
}

fn delivery(number: u16) -> DeliveryId {
    let mut id = [7; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    DeliveryId(id)
}

fn later() -> UnixMillis {
    UnixMillis(u64::MAX / 4)
}

fn spool(device: &Device, after: u64, number: u16) -> FromUs {
    FromUs::Spool {
        space: device.space,
        after,
        lane: LANE,
        delivery: delivery(number),
        expires: later(),
        bytes: vec![3; 100],
    }
}

/// The played enclave goes away and comes back.
async fn restart(running: &mut Running) {
    // Closing our end makes the node connect anew.
    running.enclave.hang_up().await;
    running.enclave = soon(running.listening.accept()).await;
}

#[tokio::test]
async fn delivery_is_offered_once_its_record_is_durable_and_gone_when_settled() {
    let mut running = Running::start().await;
    let (device, _client, _heard) = opened(&mut running).await;
    running.enclave.send(&append(&device, 1, b"one")).await;
    running.enclave.say(spool(&device, 1, 1)).await;
    // A repeat is the same delivery.
    running.enclave.say(spool(&device, 1, 1)).await;
    running.enclave.say(spool(&device, 1, 2)).await;

    assert_eq!(running.enclave.due().await, delivery(1));
    assert_eq!(running.enclave.due().await, delivery(2));
    for number in [1, 2] {
        running
            .enclave
            .settle(delivery(number), SpoolOutcome::Done)
            .await;
    }

    running.enclave.say(spool(&device, 1, 3)).await;
    assert_eq!(running.enclave.due().await, delivery(3));
    running.stop().await;
}

#[tokio::test]
async fn lane_is_offered_in_its_order_to_every_new_enclave_and_after_a_restart_of_the_node() {
    let mut running = Running::start().await;
    let (device, _client, _heard) = opened(&mut running).await;
    running.enclave.send(&append(&device, 1, b"one")).await;
    for number in 1..=4 {
        running.enclave.say(spool(&device, 1, number)).await;
    }
    for number in 1..=4 {
        assert_eq!(running.enclave.due().await, delivery(number));
    }
    running
        .enclave
        .settle(delivery(2), SpoolOutcome::Done)
        .await;

    restart(&mut running).await;
    for number in [1, 3, 4] {
        assert_eq!(running.enclave.due().await, delivery(number));
    }
    let Running {
        node,
        mut enclave,
        listening,
        place,
    } = running;
    let stopping = tokio::spawn(node.stop());
    soon(enclave.until_shutdown()).await;
    drop((enclave, listening));
    soon(stopping).await.expect("stopped");
    let mut running = Running::start_in(place).await;

    for number in [1, 3, 4] {
        assert_eq!(running.enclave.due().await, delivery(number));
    }
    running.stop().await;
}

#[tokio::test]
async fn delivery_without_its_record_is_never_offered() {
    let mut running = Running::start().await;
    let (device, _client, _heard) = opened(&mut running).await;
    running.enclave.send(&append(&device, 1, b"one")).await;
    // Number 5 is not the next one: the log does not take it, nor what depends on it.
    running.enclave.send(&append(&device, 5, b"five")).await;
    running.enclave.say(spool(&device, 5, 1)).await;
    // Of spaces that are not open, or not there, the table decides.
    let foreign = FromUs::Spool {
        space: SpaceId([9; 16]),
        after: 0,
        lane: LANE,
        delivery: delivery(3),
        expires: later(),
        bytes: vec![1],
    };
    running.enclave.say(foreign).await;

    restart(&mut running).await;

    let device = running.enroll().await;
    running.enclave.say(spool(&device, 0, 4)).await;
    assert_eq!(running.enclave.due().await, delivery(4));
    running.stop().await;
}

#[tokio::test]
async fn delivery_that_is_not_stored_is_asked_for_again_while_its_vault_is_open() {
    let mut running = Running::start().await;
    let (device, _client, _heard) = opened(&mut running).await;
    running.enclave.send(&append(&device, 1, b"one")).await;
    let space = SpaceId([9; 16]);
    let FromUs::Spool {
        after,
        lane,
        delivery,
        expires,
        bytes,
        ..
    } = spool(&device, 1, 1)
    else {
        panic!("no delivery");
    };
    running
        .enclave
        .say(FromUs::Spool {
            space,
            after,
            lane,
            delivery,
            expires,
            bytes,
        })
        .await;

    assert_eq!(running.enclave.hear().await, ToEnclave::Unkept { space });
    running.stop().await;
}

#[tokio::test]
async fn mail_is_stored_for_a_closed_vault_read_in_order_and_forgotten_behind_a_record() {
    let mut running = Running::start().await;
    let (device, _client, _heard) = opened(&mut running).await;
    let space = device.space;
    running.enclave.send(&append(&device, 1, b"one")).await;
    running.enclave.put(1, 1, vec![1]).await;
    let unknown = ToEnclave::MailStored {
        request: 1,
        outcome: MailOutcome::Unknown,
    };
    assert_eq!(running.enclave.hear().await, unknown);
    let mailbox = MAILBOX;
    running
        .enclave
        .say(FromUs::Mailbox { space, mailbox })
        .await;
    for number in [1, 2, 2, 3] {
        let bytes = vec![u8::try_from(number).expect("small")];
        running.enclave.put(u64::from(number), number, bytes).await;
        let stored = ToEnclave::MailStored {
            request: u64::from(number),
            outcome: MailOutcome::Stored,
        };
        assert_eq!(running.enclave.hear().await, stored);
    }

    let page = running.enclave.read_mail(space, 0).await;
    let bodies: Vec<u8> = page.iter().map(|mail| mail.bytes[0]).collect();
    assert_eq!(bodies, [1, 2, 3]);
    let through = page[1].number;
    running.enclave.send(&append(&device, 2, b"two")).await;
    running
        .enclave
        .say(FromUs::MailDrop {
            space,
            after: 2,
            through,
            behind: 0,
        })
        .await;

    let left = running.enclave.read_mail(space, 0).await;
    assert_eq!(
        left.iter().map(|mail| mail.bytes[0]).collect::<Vec<_>>(),
        [3]
    );
    running.stop().await;
}

#[tokio::test]
async fn mailbox_takes_ten_thousand_and_not_one_more() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    let (space, mailbox) = (device.space, MAILBOX);
    running
        .enclave
        .say(FromUs::Mailbox { space, mailbox })
        .await;
    let count = u16::try_from(limits::MAILBOX_MESSAGES).expect("small");
    let mut answered = 0;
    for number in 0..=count {
        running
            .enclave
            .put(u64::from(number), number, vec![0; 64])
            .await;
        if number - answered == 200 {
            running.enclave.hear().await;
            answered += 1;
        }
    }
    let mut last = None;
    while answered <= count {
        last = Some(running.enclave.hear().await);
        answered += 1;
    }

    let full = ToEnclave::MailStored {
        request: u64::from(count),
        outcome: MailOutcome::Full,
    };
    assert_eq!(last, Some(full));
    let first = running.enclave.read_mail(space, 0).await;
    assert_eq!(first.len(), limits::MAIL_PAGE);
    running.stop().await;
}

#[tokio::test]
async fn enclave_that_asks_without_end_is_restarted_and_what_was_stored_stays() {
    let mut running = Running::start().await;
    let device = running.enroll().await;
    let (space, mailbox) = (device.space, MAILBOX);
    running
        .enclave
        .say(FromUs::Mailbox { space, mailbox })
        .await;
    running.enclave.put(1, 1, vec![1]).await;
    running.enclave.hear().await;
    for request in 0..20_000 {
        let behind = u64::MAX;
        let question = FromUs::MailRead {
            request,
            space,
            behind,
        };
        running.enclave.say(question).await;
    }
    soon(running.enclave.until_closed()).await;
    assert!(running.node.metrics.enclave_links_lost.get() > 0);

    running.enclave = soon(running.listening.accept()).await;

    assert_eq!(running.enclave.read_mail(space, 0).await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn frames_that_are_too_large_end_the_link() {
    let mut running = Running::start().await;
    let sealed = vec![0; limits::DELIVERY * 2];
    running.enclave.put(1, 1, sealed).await;

    soon(running.enclave.until_closed()).await;
    running.enclave = soon(running.listening.accept()).await;
    soon(running.node.until_ready()).await;
    running.stop().await;
}

#[tokio::test]
async fn newer_network_file_is_told_to_the_enclave_to_apps_and_to_the_next_enclave() {
    let mut running = Running::start().await;
    let file = network_file(1, 7);
    let joined = running
        .node
        .operator
        .answer(Request::NetworkJoin { file })
        .await;
    assert_eq!(joined, Reply::Done);

    let ToEnclave::Network(signed) = running.enclave.hear().await else {
        panic!("not told");
    };
    let network = SignedNetwork::verify(&signed).expect("signed");
    assert_eq!(network.epoch, 7);
    let (status, _, shown) = get(running.node.http, "/v1/network").await;
    assert_eq!((status, &shown), (200, &signed));
    running.enclave.hang_up().await;
    let (enclave, hello) = soon(running.listening.accept_as(NodeId([5; 32]))).await;
    running.enclave = enclave;
    assert_eq!(hello.network, signed);
    soon(running.node.until_ready()).await;
    running.stop().await;
}

#[tokio::test]
async fn network_file_that_comes_while_an_enclave_is_greeted_is_told_to_it() {
    let mut running = Running::start().await;
    running.enclave.hang_up().await;
    let (mut enclave, hello) = soon(running.listening.accept_greeted()).await;
    let network = SignedNetwork::verify(&hello.network).expect("signed");
    assert_eq!(network.epoch, 1);
    let file = network_file(1, 7);
    let joined = running
        .node
        .operator
        .answer(Request::NetworkJoin { file })
        .await;
    assert_eq!(joined, Reply::Done);

    enclave.ready(NodeId([5; 32])).await;

    let ToEnclave::Network(signed) = enclave.hear().await else {
        panic!("not told");
    };
    let network = SignedNetwork::verify(&signed).expect("signed");
    assert_eq!(network.epoch, 7);
    running.enclave = enclave;
    running.stop().await;
}

#[tokio::test]
async fn without_a_network_nobody_is_found_and_nobody_is_listed() {
    let mut running = Running::start().await;
    let find = FromUs::FindHome {
        request: 5,
        location: [1; 32],
    };
    running.enclave.say(find).await;

    let nothing = ToEnclave::Homes {
        request: 5,
        records: vec![],
    };
    assert_eq!(running.enclave.hear().await, nothing);
    let listed = running.node.operator.answer(Request::PeerList).await;
    assert_eq!(
        listed,
        Reply::Peers {
            running: true,
            peers: vec![]
        }
    );
    running.stop().await;
}
