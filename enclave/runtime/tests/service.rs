//! A real enclave process with an honest host and honest vaults.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

mod rig;

use rig::{Device, Rig, await_gone, fresh, space};
use vettid_wire::link::{Closed, Entry, FromEnclave, FromHost};

#[test]
fn a_device_reaches_its_vault_through_host_and_supervisor() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    assert_eq!(
        device.call(&mut rig, b"echo.. hello"),
        (0, b"echo.. hello".to_vec())
    );

    let ready = rig.ready.as_ref().expect("ready");
    assert_eq!(ready.release, 1);
    assert_ne!(ready.measurement, [0; 144]);
}

#[test]
fn a_second_session_with_known_evidence_needs_no_document() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let first = Device::open(&mut rig, space(1), 1);
    let known = first.session.known_enclave();
    assert!(known.is_some());

    let mut second = Device::knowing(&mut rig, space(1), 2, known);

    assert!(second.echoes(&mut rig));
}

#[test]
fn a_reply_names_the_record_it_depends_on_and_records_come_before_it() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    assert_eq!(device.call(&mut rig, b"append one").0, 1);
    assert_eq!(device.call(&mut rig, b"append two").0, 2);
    assert_eq!(device.call(&mut rig, b"settle").0, 2);

    assert_eq!(rig.logs[&space(1)], [b" one".to_vec(), b" two".to_vec()]);
}

#[test]
fn requests_that_come_in_one_frame_are_answered_in_one_frame() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    device.ask_together(&mut rig, &[b"echo.. one", b"append two", b"echo.. three"]);

    // All of them wait for the record of the second.
    assert_eq!(device.hear(&mut rig), (1, b"echo.. one".to_vec()));
    assert_eq!(device.waiting(), 2);
    assert_eq!(device.hear(&mut rig), (1, b"append two".to_vec()));
    assert_eq!(device.hear(&mut rig), (1, b"echo.. three".to_vec()));
}

#[test]
fn a_reply_that_is_ready_does_not_wait_for_a_request_that_waits() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    device.ask_together(&mut rig, &[b"echo.. one", b"hash.. two"]);

    assert_eq!(device.hear(&mut rig), (0, b"echo.. one".to_vec()));
    assert_eq!(device.waiting(), 0);
    assert_eq!(device.hear(&mut rig), (0, b"hash.. two".to_vec()));
}

#[test]
fn many_requests_in_flight_are_answered_in_order() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);
    let requests: Vec<Vec<u8>> = (0..200_u16)
        .map(|n| [b"echo..", n.to_be_bytes().as_slice()].concat())
        .collect();

    for request in &requests {
        device.ask(&mut rig, request);
    }

    for request in &requests {
        assert_eq!(&device.hear(&mut rig).1, request);
    }
}

#[test]
fn a_large_message_passes_in_pieces() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);
    let request = [b"echo..".as_slice(), &[7; 75_000]].concat();

    assert_eq!(device.call(&mut rig, &request).1, request);
}

#[test]
fn two_vaults_have_two_processes_and_their_own_logs_and_chunks() {
    let mut rig = Rig::start();
    for number in [1, 2] {
        rig.open(space(number), fresh());
    }
    let mut one = Device::open(&mut rig, space(1), 1);
    let mut two = Device::open(&mut rig, space(2), 1);
    one.call(&mut rig, b"append one");
    one.call(&mut rig, b"chunk.one");
    two.call(&mut rig, b"append two");
    two.call(&mut rig, b"chunk.two");

    assert_eq!(rig.vault_pids().len(), 2);
    assert_eq!(rig.logs[&space(1)], [b" one"]);
    assert_eq!(rig.logs[&space(2)], [b" two"]);
    assert_eq!(one.call(&mut rig, b"fetch.").1, b"one");
    assert_eq!(two.call(&mut rig, b"fetch.").1, b"two");
}

#[test]
fn every_session_of_a_vault_hears_its_events() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut one = Device::open(&mut rig, space(1), 1);
    let mut two = Device::open(&mut rig, space(1), 2);

    one.ask(&mut rig, b"event.news");

    assert_eq!(two.hear(&mut rig).1, b"news");
    assert_eq!(one.hear(&mut rig).1, b"event.news");
    assert_eq!(one.hear(&mut rig).1, b"news");
}

#[test]
fn a_closed_vault_is_opened_again_from_its_log() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);
    device.call(&mut rig, b"append one");
    let pids = rig.vault_pids();

    rig.send(&FromHost::Close { space: space(1) });
    assert_eq!(rig.closed(space(1)), Closed::Asked);
    await_gone(&pids);

    rig.open(space(1), Entry::Existing);
    let mut device = Device::open(&mut rig, space(1), 1);
    assert_eq!(device.call(&mut rig, b"append two").0, 2);
}

#[test]
fn a_log_older_than_what_was_durable_in_this_boot_is_not_served() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);
    for record in [b"append one", b"append two"] {
        device.call(&mut rig, record);
    }
    device.call(&mut rig, b"settle");
    rig.send(&FromHost::Close { space: space(1) });
    rig.closed(space(1));

    rig.logs.get_mut(&space(1)).expect("log").truncate(1);
    rig.send(&FromHost::Open {
        space: space(1),
        entry: Entry::Existing,
    });

    assert_eq!(rig.closed(space(1)), Closed::Damaged);
}

#[test]
fn a_device_whose_frame_crossed_the_end_of_its_vault_is_told_to_begin_anew() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    // The frame is behind the order to close, and before the host hears that it was followed.
    rig.send(&FromHost::Close { space: space(1) });
    device.ask(&mut rig, b"echo.. too late");

    assert!(device.is_reset(&mut rig));
    assert_eq!(rig.closed(space(1)), Closed::Asked);
    device.ask(&mut rig, b"echo.. nobody is there");
    assert!(device.is_reset(&mut rig));
}

#[test]
fn an_idle_vault_is_closed_and_says_why() {
    let mut rig = Rig::with(|hello| hello.idle = 1000);
    rig.open(space(1), fresh());

    assert_eq!(rig.closed(space(1)), Closed::Idle);
    await_gone(&rig.vault_pids());
}

#[test]
fn a_locked_vault_says_so_after_its_last_reply() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    assert_eq!(device.call(&mut rig, b"lock..").1, b"lock..");
    assert_eq!(rig.closed(space(1)), Closed::Locked);
}

#[test]
fn no_more_vaults_are_open_than_the_host_allows() {
    let mut rig = Rig::with(|hello| hello.max_open = 1);
    rig.open(space(1), fresh());

    rig.send(&FromHost::Open {
        space: space(2),
        entry: fresh(),
    });

    assert_eq!(rig.closed(space(2)), Closed::TooMany);
    let mut device = Device::open(&mut rig, space(1), 1);
    assert!(device.echoes(&mut rig));
}

#[test]
fn only_as_many_hash_at_once_as_there_are_cores_and_all_get_their_turn() {
    let mut rig = Rig::start();
    let mut devices: Vec<Device> = (1..=8)
        .map(|number| {
            rig.open(space(number), fresh());
            Device::open(&mut rig, space(number), 1)
        })
        .collect();

    for device in &mut devices {
        device.ask(&mut rig, b"hash..");
    }

    for device in &mut devices {
        assert_eq!(device.hear(&mut rig).1, b"hash..");
    }
}

#[test]
fn enrollment_and_signs_of_life_are_told() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut device = Device::open(&mut rig, space(1), 1);

    device.call(&mut rig, b"enroll");
    rig.expect(|frame| (frame == FromEnclave::Enrolled { space: space(1) }).then_some(()));
    rig.send(&FromHost::Ping(9));
    let pong = rig.expect(|frame| match frame {
        FromEnclave::Pong(pong) => Some(pong),
        _ => None,
    });

    assert_eq!((pong.ping, pong.open, pong.sessions), (9, 1, 1));
    let supervisor = pong.supervisor.expect("its memory");
    assert!(
        supervisor > 0 && supervisor.is_multiple_of(1024),
        "{supervisor}"
    );
}

#[test]
fn a_host_that_asks_to_end_gets_an_orderly_end() {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let mut pids = rig.vault_pids();
    pids.push(rig.zygote_pid());

    rig.send(&FromHost::Shutdown);

    assert_eq!(rig.closed(space(1)), Closed::Asked);
    assert_eq!(rig.exit_code(), Some(0));
    await_gone(&pids);
}
