//! A real enclave process with vault processes and hosts that lie, stall and die.
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test, outside of its test functions too"
)]

mod rig;

use std::io::Write;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::{Device, Rig, await_gone, fresh, lie, space};
use vettid_wire::link::{AppendRefusal, Closed, Entry, FromEnclave, FromHost};

/// An enclave with an honest vault 1 that one device uses.
fn with_bystander() -> (Rig, Device) {
    let mut rig = Rig::start();
    rig.open(space(1), fresh());
    let device = Device::open(&mut rig, space(1), 1);
    (rig, device)
}

fn logged(rig: &mut Rig) -> (String, Option<u64>) {
    rig.expect(|frame| match frame {
        FromEnclave::Log(line) => Some((line.event, line.count)),
        _ => None,
    })
}

fn kill_now(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill");
}

#[test]
fn a_vault_process_that_speaks_garbage_is_killed_and_others_do_not_notice() {
    let (mut rig, mut bystander) = with_bystander();
    for (number, kind) in [(2, b'g'), (3, b'o'), (4, b'a')] {
        rig.send(&FromHost::Open {
            space: space(number),
            entry: lie(kind),
        });

        assert_eq!(
            rig.closed(space(number)),
            Closed::Crashed,
            "{}",
            char::from(kind)
        );
        assert_eq!(logged(&mut rig).0, "vault process misbehaved");
        assert!(bystander.echoes(&mut rig));
    }
    assert_eq!(rig.vault_pids().len(), 1);
}

#[test]
fn a_vault_process_whose_frames_no_host_takes_is_killed_and_the_link_goes_on() {
    let (mut rig, mut bystander) = with_bystander();
    for word in [b"beyond", b"large."] {
        rig.open(space(2), fresh());
        let mut device = Device::open(&mut rig, space(2), 2);
        device.ask(&mut rig, word);

        assert_eq!(rig.closed(space(2)), Closed::Crashed);
        assert_eq!(logged(&mut rig).0, "vault process misbehaved");
        assert!(bystander.echoes(&mut rig));
    }
}

#[test]
fn a_failed_sandbox_step_is_reported_by_its_number() {
    let (mut rig, mut bystander) = with_bystander();

    rig.send(&FromHost::Open {
        space: space(2),
        entry: lie(b'd'),
    });

    assert_eq!(rig.closed(space(2)), Closed::Crashed);
    assert_eq!(
        logged(&mut rig),
        ("sandbox step failed".to_owned(), Some(66))
    );
    assert!(bystander.echoes(&mut rig));
}

#[test]
fn a_vault_process_that_neither_reads_nor_ends_stalls_nobody_and_is_killed_when_it_must_go() {
    let (mut rig, mut bystander) = with_bystander();
    rig.send(&FromHost::Open {
        space: space(2),
        entry: lie(b'n'),
    });
    for _ in 0..120 {
        rig.send(&FromHost::Frame {
            space: space(2),
            envelope: vec![0; 60_000],
        });
    }

    assert!(bystander.echoes(&mut rig));
    assert_eq!(logged(&mut rig).0, "frame dropped: vault is busy");
    rig.send(&FromHost::Close { space: space(2) });
    assert_eq!(rig.closed(space(2)), Closed::Asked);
    assert!(bystander.echoes(&mut rig));
}

#[test]
fn a_vault_process_that_dies_in_any_way_takes_only_its_own_space_with_it() {
    let (mut rig, mut bystander) = with_bystander();
    for word in [b"panic.", b"abort.", b"open.."] {
        rig.open(space(2), fresh());
        let mut device = Device::open(&mut rig, space(2), 2);
        device.ask(&mut rig, word);

        assert_eq!(rig.closed(space(2)), Closed::Crashed);
        assert!(bystander.echoes(&mut rig));
    }
}

#[test]
fn a_spinning_vault_process_does_not_hold_up_the_others_and_can_be_closed() {
    let (mut rig, mut bystander) = with_bystander();
    rig.open(space(2), fresh());
    let mut device = Device::open(&mut rig, space(2), 2);
    device.ask(&mut rig, b"spin..");

    assert!(bystander.echoes(&mut rig));
    rig.send(&FromHost::Close { space: space(2) });
    assert_eq!(rig.closed(space(2)), Closed::Asked);
}

#[test]
fn a_vault_process_that_wants_too_much_memory_ends_alone() {
    let (mut rig, mut bystander) = with_bystander();
    rig.open(space(2), fresh());
    let mut device = Device::open(&mut rig, space(2), 2);

    for _ in 0..10 {
        device.ask(&mut rig, b"hoard.\xc8");
    }

    assert_eq!(rig.closed(space(2)), Closed::Crashed);
    assert!(bystander.echoes(&mut rig));
}

#[test]
fn a_vault_process_killed_at_any_moment_is_reported_and_its_space_opens_again() {
    let (mut rig, mut bystander) = with_bystander();
    let known = rig.vault_pids();
    for moment in 0..4 {
        rig.send(&FromHost::Open {
            space: space(2),
            entry: fresh(),
        });
        let pid = loop {
            let all = rig.vault_pids();
            if let Some(pid) = all.into_iter().find(|pid| !known.contains(pid)) {
                break pid;
            }
            std::thread::yield_now();
        };
        if moment > 0 {
            rig.expect(|frame| (frame == FromEnclave::Opened { space: space(2) }).then_some(()));
        }
        let mut device = (moment > 1).then(|| Device::open(&mut rig, space(2), 2));
        if moment > 2
            && let Some(device) = &mut device
        {
            rig.durable = false;
            device.ask(&mut rig, b"append x");
            device.ask(&mut rig, b"settle");
        }
        kill_now(pid);

        assert_eq!(rig.closed(space(2)), Closed::Crashed, "moment {moment}");
        rig.durable = true;
        assert!(bystander.echoes(&mut rig));
    }
}

#[test]
fn a_refused_record_ends_its_vault_at_once_and_its_devices_learn_that_the_session_is_gone() {
    for why in [
        AppendRefusal::Lost,
        AppendRefusal::Full,
        AppendRefusal::Failed,
    ] {
        let (mut rig, mut bystander) = with_bystander();
        rig.open(space(2), fresh());
        let mut device = Device::open(&mut rig, space(2), 2);
        let doomed: Vec<i32> = rig.vault_pids();
        rig.durable = false;
        device.ask(&mut rig, b"append x");
        assert_eq!(device.hear(&mut rig).0, 1);

        rig.send(&FromHost::AppendRefused {
            space: space(2),
            number: 1,
            why,
        });

        assert!(device.is_reset(&mut rig));
        assert_eq!(rig.closed(space(2)), Closed::AppendRefused);
        assert_eq!(rig.vault_pids().len(), 1);
        assert!(rig.vault_pids().iter().all(|pid| doomed.contains(pid)));
        assert!(bystander.echoes(&mut rig));
    }
}

#[test]
fn a_vault_waiting_for_a_refused_record_ends_instead_of_answering() {
    let (mut rig, _bystander) = with_bystander();
    rig.open(space(2), fresh());
    let mut device = Device::open(&mut rig, space(2), 2);
    rig.durable = false;
    device.call(&mut rig, b"append x");
    device.ask(&mut rig, b"settle");
    let why = AppendRefusal::Lost;

    rig.send(&FromHost::AppendRefused {
        space: space(2),
        number: 1,
        why,
    });

    assert!(device.is_reset(&mut rig));
    assert_eq!(rig.closed(space(2)), Closed::AppendRefused);
}

#[test]
fn a_host_that_breaks_the_link_loses_every_vault() {
    let noise: Vec<u8> = (0..1_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut second_hello = Vec::new();
    let frame = FromHost::Appended {
        space: space(1),
        through: 5,
    };
    assert!(vettid_wire::link::write(&frame, &mut second_hello));
    let mut unasked = Vec::new();
    let frame = FromHost::Stored {
        request: 77,
        durable: true,
    };
    assert!(vettid_wire::link::write(&frame, &mut unasked));
    for (what, bytes) in [
        ("noise", noise),
        ("oversize", vec![0xff; 8]),
        ("garbage in a frame", b"\0\0\0\x05hello".to_vec()),
        ("empty frame", vec![0; 4]),
        ("record that was never sent", second_hello),
        ("answer that was never asked", unasked),
    ] {
        let (mut rig, _bystander) = with_bystander();
        let mut pids = rig.vault_pids();
        pids.push(rig.zygote_pid());

        // The enclave may hang up while noise is still on its way.
        let _ = rig.link.write_all(&bytes);

        assert_eq!(rig.exit_code(), Some(3), "{what}");
        await_gone(&pids);
    }
}

#[test]
fn a_host_that_goes_away_in_the_middle_of_a_frame_leaves_nothing_behind() {
    let (mut rig, _bystander) = with_bystander();
    let mut pids = rig.vault_pids();
    pids.push(rig.zygote_pid());
    rig.link.write_all(&[0, 0, 1, 0, 7]).expect("half a frame");

    rig.link
        .shutdown(std::net::Shutdown::Both)
        .expect("shutdown");

    assert_eq!(rig.exit_code(), Some(3));
    await_gone(&pids);
}

#[test]
fn a_host_that_greets_wrongly_is_not_served() {
    for (what, change) in [
        (
            "version",
            (|hello| hello.version = 99) as fn(&mut vettid_wire::link::Hello),
        ),
        ("no network", |hello| hello.network.clear()),
        ("altered network", |hello| hello.network[60] ^= 1),
    ] {
        let mut rig = Rig::unconnected(change);
        let frame = rig_hello(&rig);

        rig.link.write_all(&frame).expect("send");

        assert_eq!(rig.exit_code(), Some(1), "{what}");
    }
    let mut rig = Rig::unconnected(|_| {});
    rig.send(&FromHost::Ping(1));
    assert_eq!(rig.exit_code(), Some(1));
    assert!(rig.last_words().contains("host did not greet"));
}

fn rig_hello(rig: &Rig) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(vettid_wire::link::write(
        &FromHost::Hello(rig.hello.clone()),
        &mut bytes
    ));
    bytes
}

#[test]
fn frames_for_spaces_that_are_not_open_disturb_nobody() {
    let (mut rig, mut bystander) = with_bystander();

    rig.send(&FromHost::Frame {
        space: space(9),
        envelope: vec![1; 100],
    });
    rig.send(&FromHost::Close { space: space(9) });
    rig.send(&FromHost::Appended {
        space: space(9),
        through: 3,
    });

    assert!(bystander.echoes(&mut rig));
}

#[test]
fn noise_in_envelopes_reaches_nobody() {
    let (mut rig, mut bystander) = with_bystander();

    for length in [0, 1, 33, 34, 1000, 70_001] {
        rig.send(&FromHost::Frame {
            space: space(1),
            envelope: vec![0xa5; length],
        });
    }

    assert!(bystander.echoes(&mut rig));
}

#[test]
fn every_process_dies_with_the_supervisor() {
    let (mut rig, _bystander) = with_bystander();
    rig.open(space(2), fresh());
    let mut pids = rig.vault_pids();
    pids.push(rig.zygote_pid());
    assert_eq!(pids.len(), 3);

    rig.enclave.kill().expect("kill");

    await_gone(&pids);
}

#[test]
fn without_its_zygote_the_enclave_ends() {
    let (mut rig, _bystander) = with_bystander();
    let pids = rig.vault_pids();

    kill_now(rig.zygote_pid());

    assert_eq!(rig.exit_code(), Some(4));
    await_gone(&pids);
}

#[test]
fn a_space_opened_twice_has_one_process() {
    let (mut rig, mut bystander) = with_bystander();

    rig.open(space(1), Entry::Existing);

    assert_eq!(rig.vault_pids().len(), 1);
    assert!(bystander.echoes(&mut rig));
}
