use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::SessionId;
use vettid_wire::link::Closed;

use super::*;

const SPACE: SpaceId = SpaceId([1; 16]);
const OTHER: SpaceId = SpaceId([2; 16]);
const DEVICE: DeviceRoute = DeviceRoute([3; 16]);

fn envelope(body: &[u8]) -> Bytes {
    let session = SessionId([4; 16]);
    let kind = Kind::Transport;
    Bytes::from(
        Envelope {
            kind,
            device: DEVICE,
            session,
            body,
        }
        .to_bytes(),
    )
}

fn reset() -> Bytes {
    Bytes::from(Envelope::reset(DEVICE, SessionId([4; 16])).to_bytes())
}

fn closed(why: Closed) -> FromEnclave {
    FromEnclave::Closed { space: SPACE, why }
}

fn inbound(space: SpaceId, body: &[u8]) -> Inbound {
    Inbound {
        space,
        envelope: envelope(body),
    }
}

fn append(space: SpaceId, number: u64) -> FromEnclave {
    FromEnclave::Append {
        space,
        number,
        checkpoint: number == 1,
        record: vec![9],
    }
}

fn frame(space: SpaceId, after: u64, body: &[u8]) -> FromEnclave {
    FromEnclave::Frame {
        space,
        after,
        envelope: envelope(body).to_vec(),
    }
}

/// A router whose space is open with `newest` records.
fn open(newest: u64) -> Router {
    let mut router = Router::default();
    router.hear_app(inbound(SPACE, b"first"));
    assert_eq!(
        router.actions.lookups.drain(..).collect::<Vec<_>>(),
        [SPACE]
    );
    router.looked_up(SPACE, Some((Entry::Existing, newest)));
    router
        .hear_enclave(FromEnclave::Opened { space: SPACE })
        .expect("accepted");
    let opening = FromHost::Open {
        space: SPACE,
        entry: Entry::Existing,
    };
    let first = FromHost::Frame {
        space: SPACE,
        envelope: envelope(b"first").to_vec(),
    };
    assert_eq!(router.actions.to_enclave.take(), [opening, first]);
    router
}

fn published(router: &mut Router) -> Vec<Bytes> {
    router
        .actions
        .to_bus
        .drain(..)
        .map(|(_, _, envelope)| envelope)
        .collect()
}

#[test]
fn frame_waits_for_the_record_it_depends_on() {
    let mut router = open(5);
    router.hear_enclave(append(SPACE, 6)).expect("accepted");
    router
        .hear_enclave(frame(SPACE, 6, b"reply"))
        .expect("accepted");
    assert_eq!(published(&mut router), Vec::<Bytes>::new());

    router.settled(SPACE, 6, Ok(()));

    assert_eq!(published(&mut router), [envelope(b"reply")]);
}

#[test]
fn frames_of_one_space_keep_their_order() {
    let mut router = open(5);
    router.hear_enclave(append(SPACE, 6)).expect("accepted");
    router.hear_enclave(append(SPACE, 7)).expect("accepted");
    for (after, body) in [(7, b"a"), (5, b"b"), (6, b"c")] {
        router
            .hear_enclave(frame(SPACE, after, body))
            .expect("accepted");
    }
    router.settled(SPACE, 6, Ok(()));
    assert_eq!(published(&mut router), Vec::<Bytes>::new());

    router.settled(SPACE, 7, Ok(()));

    assert_eq!(
        published(&mut router),
        [envelope(b"a"), envelope(b"b"), envelope(b"c")]
    );
}

#[test]
fn frame_that_depends_on_nothing_new_leaves_at_once() {
    let mut router = open(5);
    router
        .hear_enclave(frame(SPACE, 5, b"read"))
        .expect("accepted");
    assert_eq!(published(&mut router), [envelope(b"read")]);
}

#[test]
fn enclave_is_told_once_per_batch_what_is_durable() {
    let mut router = open(0);
    for number in 1..=3 {
        router
            .hear_enclave(append(SPACE, number))
            .expect("accepted");
    }
    for number in 1..=3 {
        router.settled(SPACE, number, Ok(()));
    }

    router.finish_batch();

    let appended = FromHost::Appended {
        space: SPACE,
        through: 3,
    };
    assert_eq!(router.actions.to_enclave.take(), [appended]);
    assert_eq!(router.actions.begun, [SPACE]);
}

#[test]
fn failed_append_is_told_once_and_no_frame_behind_it_leaves() {
    let mut router = open(5);
    for number in [6, 7] {
        router
            .hear_enclave(append(SPACE, number))
            .expect("accepted");
        router
            .hear_enclave(frame(SPACE, number, b"reply"))
            .expect("accepted");
    }

    router.settled(SPACE, 6, Err(AppendError::Write(WriteError::Full)));
    router.settled(SPACE, 7, Err(AppendError::Lost));
    router
        .hear_enclave(frame(SPACE, 5, b"late"))
        .expect("dropped");
    router.hear_enclave(append(SPACE, 8)).expect("dropped");
    router.finish_batch();

    let refusal = FromHost::AppendRefused {
        space: SPACE,
        number: 6,
        why: AppendRefusal::Full,
    };
    assert_eq!(router.actions.to_enclave.take(), [refusal]);
    assert_eq!(published(&mut router), Vec::<Bytes>::new());
    assert_eq!(router.actions.appends.len(), 2);
}

#[test]
fn goodbye_of_a_vault_whose_append_was_refused_reaches_the_app() {
    let mut router = open(5);
    router.hear_enclave(append(SPACE, 6)).expect("accepted");
    router.settled(SPACE, 6, Err(AppendError::Lost));
    let goodbye = FromEnclave::Frame {
        space: SPACE,
        after: 0,
        envelope: reset().to_vec(),
    };

    router.hear_enclave(goodbye).expect("accepted");
    router
        .hear_enclave(closed(Closed::AppendRefused))
        .expect("accepted");

    assert_eq!(published(&mut router), [reset()], "once is enough");
}

#[test]
fn reply_whose_record_settles_after_the_vault_closed_still_leaves() {
    let mut router = open(5);
    router.hear_enclave(append(SPACE, 6)).expect("accepted");
    router
        .hear_enclave(frame(SPACE, 6, b"locked"))
        .expect("accepted");
    router
        .hear_enclave(closed(Closed::Locked))
        .expect("accepted");
    assert_eq!(published(&mut router), Vec::<Bytes>::new());

    router.settled(SPACE, 6, Ok(()));

    assert_eq!(published(&mut router), [envelope(b"locked"), reset()]);
    assert!(router.spaces.is_empty());
}

#[test]
fn app_learns_that_its_vault_died_whatever_it_was_waiting_for() {
    for why in [
        Closed::AppendRefused,
        Closed::Crashed,
        Closed::Damaged,
        Closed::EnrollmentExpired,
        Closed::Locked,
    ] {
        let mut router = open(5);

        router.hear_enclave(closed(why)).expect("accepted");

        assert_eq!(published(&mut router), [reset()], "{why:?}");
        assert!(router.spaces.is_empty());
    }
}

#[test]
fn vault_that_was_told_to_close_has_answered_and_its_apps_are_left_alone() {
    for why in [Closed::Asked, Closed::Idle, Closed::Pressure] {
        let mut router = open(5);

        router.hear_enclave(closed(why)).expect("accepted");

        assert_eq!(published(&mut router), Vec::<Bytes>::new(), "{why:?}");
    }
}

#[test]
fn reset_behind_a_reply_whose_record_is_refused_comes_without_the_reply() {
    let mut router = open(5);
    router.hear_enclave(append(SPACE, 6)).expect("accepted");
    router
        .hear_enclave(frame(SPACE, 6, b"reply"))
        .expect("accepted");
    router
        .hear_enclave(closed(Closed::Crashed))
        .expect("accepted");

    router.settled(SPACE, 6, Err(AppendError::Lost));

    assert_eq!(published(&mut router), [reset()]);
}

#[test]
fn every_app_learns_that_the_link_is_gone() {
    let mut router = open(5);
    router.hear_app(inbound(OTHER, b"not yet looked up"));

    router.link_lost();

    assert_eq!(published(&mut router), [reset(), reset()]);
    assert!(router.spaces.is_empty());
}

#[test]
fn space_is_opened_anew_only_after_its_earlier_appends_are_settled() {
    let mut router = open(5);
    router.hear_enclave(append(SPACE, 6)).expect("accepted");
    router
        .hear_enclave(closed(Closed::Crashed))
        .expect("accepted");
    router.hear_app(inbound(SPACE, b"again"));
    assert_eq!(router.actions.lookups, []);

    router.settled(SPACE, 6, Ok(()));

    assert_eq!(router.actions.lookups, [SPACE]);
}

#[test]
fn space_that_must_not_be_opened_gets_a_reset() {
    let mut router = Router::default();
    router.hear_app(inbound(SPACE, b"a"));
    router.hear_app(inbound(SPACE, b"b"));

    router.looked_up(SPACE, None);

    assert_eq!(published(&mut router), [reset(), reset()]);
    assert!(router.spaces.is_empty());
}

#[test]
fn space_that_the_enclave_cannot_open_gets_a_reset() {
    let mut router = Router::default();
    router.hear_app(inbound(SPACE, b"a"));
    router.looked_up(SPACE, Some((Entry::Existing, 1)));

    router
        .hear_enclave(closed(Closed::TooMany))
        .expect("accepted");

    assert_eq!(published(&mut router), [reset()]);
}

#[test]
fn operators_close_wins_over_a_lookup_under_way() {
    let mut router = Router::default();
    router.hear_app(inbound(SPACE, b"a"));

    router.close(SPACE);
    router.looked_up(SPACE, Some((Entry::Existing, 1)));

    assert_eq!(published(&mut router), [reset()]);
    assert_eq!(router.actions.to_enclave.take(), []);
}

#[test]
fn operators_close_is_passed_on_and_frames_are_reset_meanwhile() {
    let mut router = open(5);
    router.close(SPACE);
    assert_eq!(
        router.actions.to_enclave.take(),
        [FromHost::Close { space: SPACE }]
    );

    router.hear_app(inbound(SPACE, b"more"));

    assert_eq!(published(&mut router), [reset()]);
}

#[test]
fn frames_kept_while_opening_are_bounded() {
    let mut router = Router::default();
    for _ in 0..OPENING_FRAMES + 6 {
        router.hear_app(inbound(SPACE, b"a"));
    }
    assert_eq!(router.actions.dropped, 6);
    assert_eq!(published(&mut router).len(), 6, "who is too much is told");
}

#[test]
fn enclave_that_invents_records_or_states_misbehaves() {
    let mut router = open(5);
    let future = router.hear_enclave(frame(SPACE, 6, b"x"));
    assert_eq!(future, Err(EnclaveMisbehaved::Future));
    let twice = router.hear_enclave(FromEnclave::Opened { space: SPACE });
    assert_eq!(twice, Err(EnclaveMisbehaved::Turn));
    assert_eq!(
        router.hear_enclave(append(OTHER, 1)),
        Err(EnclaveMisbehaved::Turn)
    );
    let envelope = vec![0; 10];
    let noise = router.hear_enclave(FromEnclave::Frame {
        space: SPACE,
        after: 0,
        envelope,
    });
    assert_eq!(noise, Err(EnclaveMisbehaved::Envelope));
    let record = vec![0; limits::RECORD + 1];
    let large = FromEnclave::Append {
        space: SPACE,
        number: 6,
        checkpoint: false,
        record,
    };
    assert_eq!(router.hear_enclave(large), Err(EnclaveMisbehaved::Record));
}

#[test]
fn frame_for_a_space_that_is_not_open_is_dropped() {
    let mut router = Router::default();
    assert_eq!(router.hear_enclave(frame(OTHER, 0, b"x")), Ok(()));
    assert_eq!(published(&mut router), Vec::<Bytes>::new());
    assert_eq!(router.actions.dropped, 1);
}

#[test]
fn reset_for_a_frame_that_crossed_the_end_of_its_vault_reaches_the_app() {
    let mut router = open(5);
    router.hear_enclave(closed(Closed::Idle)).expect("accepted");
    let turned_away = FromEnclave::Frame {
        space: SPACE,
        after: 0,
        envelope: reset().to_vec(),
    };

    router.hear_enclave(turned_away).expect("accepted");

    assert_eq!(published(&mut router), [reset()]);
}

proptest::proptest! {
    /// Whatever the order of inputs, no frame leaves before its record is durable.
    #[test]
    fn no_frame_ever_leaves_before_its_record(steps in proptest::collection::vec((0..4_u8, 0..6_u64), 0..200)) {
        let mut router = open(0);
        let (mut queued, mut durable) = (0, 0);
        for (step, pick) in steps {
            match step {
                0 => {
                    queued += 1;
                    router.hear_enclave(append(SPACE, queued)).expect("accepted");
                }
                1 => {
                    let after = pick.min(queued);
                    router.hear_enclave(frame(SPACE, after, &after.to_be_bytes())).expect("accepted");
                }
                2 if durable < queued => {
                    durable += 1;
                    router.settled(SPACE, durable, Ok(()));
                }
                _ => router.finish_batch(),
            }
            for left in published(&mut router) {
                let after = u64::from_be_bytes(*left.last_chunk().expect("a number"));
                proptest::prop_assert!(after <= durable);
            }
        }
    }
}
