//! The open session under a hostile carrier and a hostile peer, and at the end of its life.

use vettid_wire::fragment::BadFragment;
use vettid_wire::limits;
use vettid_wire::time::{HOUR, UnixMillis};

use super::fixture::*;
use crate::{Error, Established, Misuse, PeerMisbehaved};

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

fn frames(from: &mut Established, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|_| from.seal(NOW, b"question").expect("sealed").remove(0))
        .collect()
}

// The app's evidence was its frame 0, the vault's its own frame 0.

#[test]
fn repeated_frame_ends_the_session_and_is_named() {
    let (mut app, mut vault) = Scene::new().open();
    let sent = frames(&mut app, 1);
    assert_eq!(refused(vault.open(NOW, &sent[0])), None);

    let outcome = vault.open(NOW, &sent[0]);

    let error = PeerMisbehaved::FrameRepeated {
        expected: 2,
        received: 1,
    };
    assert_eq!(refused(outcome), Some(error.into()));
    assert_eq!(
        refused(vault.open(NOW, &sent[0])),
        Some(Misuse::Ended.into())
    );
    assert_eq!(
        refused(vault.seal(NOW, b"answer")),
        Some(Misuse::Ended.into())
    );
}

#[test]
fn lost_frame_ends_the_session_and_is_named() {
    let (mut app, mut vault) = Scene::new().open();
    let sent = frames(&mut app, 2);

    let outcome = vault.open(NOW, &sent[1]);

    let error = PeerMisbehaved::FrameLost {
        expected: 1,
        received: 2,
    };
    assert_eq!(refused(outcome), Some(error.into()));
    assert_eq!(
        refused(vault.open(NOW, &sent[0])),
        Some(Misuse::Ended.into())
    );
}

#[test]
fn frame_under_another_number_opens_nothing() {
    let (mut app, mut vault) = Scene::new().open();
    let mut sent = frames(&mut app, 2);
    let number: [u8; 8] = sent[0][..8].try_into().expect("a number");
    sent[1][..8].copy_from_slice(&number);

    let outcome = vault.open(NOW, &sent[1]);

    assert_eq!(refused(outcome), Some(PeerMisbehaved::FrameAltered.into()));
}

#[test]
fn every_cut_frame_ends_the_session() {
    for length in [0, 7, 8, 23, 24, 100, 535] {
        let (mut app, mut vault) = Scene::new().open();
        let sent = frames(&mut app, 1);

        let error = refused(vault.open(NOW, &sent[0][..length])).expect("refused");

        let expected = match length {
            ..24 => PeerMisbehaved::FrameSize(length),
            _ => PeerMisbehaved::FrameAltered,
        };
        assert_eq!(error, expected.into(), "{length}");
    }
}

#[test]
fn frame_over_the_limit_is_refused_unread() {
    let (_, mut vault) = Scene::new().open();
    let huge = vec![0; 8 + limits::FRAME + 16 + 1];

    let outcome = vault.open(NOW, &huge);

    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::FrameSize(huge.len()).into())
    );
}

#[test]
fn padding_of_another_size_ends_the_session() {
    let mut over = b"\x01\x00question".to_vec();
    over.push(0x80);
    over.resize(1024, 0);
    let mut under = over.clone();
    under.truncate(511);
    for plaintext in [over, under, vec![0; 512], b"\x01\x00question".to_vec()] {
        let (mut app, mut vault) = Scene::new().open();
        let frame = app.channel.as_mut().expect("open").seal_raw(&plaintext);

        let outcome = vault.open(NOW, &frame);

        assert_eq!(refused(outcome), Some(PeerMisbehaved::Padding.into()));
    }
}

#[test]
fn pieces_that_do_not_fit_together_end_the_session() {
    let (mut app, mut vault) = Scene::new().open();
    let channel = app.channel.as_mut().expect("open");
    let frame = channel.seal([2, 1], b"second", NOW).expect("sealed");

    let outcome = vault.open(NOW, &frame);

    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Fragment(BadFragment::Order).into())
    );
}

#[test]
fn vault_takes_no_message_over_the_limit_of_a_request() {
    let (mut app, mut vault) = Scene::new().open();
    app.largest_sent = limits::REPLY;

    let sent = app
        .seal(NOW, &vec![0; limits::REQUEST + 1])
        .expect("sealed");

    assert_eq!(refused(vault.open(NOW, &sent[0])), None);
    let error = PeerMisbehaved::Fragment(BadFragment::Large(limits::REQUEST));
    assert_eq!(refused(vault.open(NOW, &sent[1])), Some(error.into()));
}

#[test]
fn message_over_the_limit_is_not_sent_and_the_session_goes_on() {
    let (mut app, mut vault) = Scene::new().open();
    let (limit, size) = (limits::REQUEST, limits::REQUEST + 1);

    let outcome = app.seal(NOW, &vec![0; size]);

    assert_eq!(
        refused(outcome),
        Some(Misuse::MessageTooLarge { limit, size }.into())
    );
    assert_eq!(carry(&mut app, &mut vault, NOW, b"question"), b"question");
}

#[test]
fn session_serves_until_its_last_moment_and_not_beyond() {
    let (mut app, mut vault) = Scene::new().open();
    let end = NOW.plus(limits::DEVICE_SESSION);

    assert_eq!(carry(&mut app, &mut vault, end, b"question"), b"question");

    assert_eq!(
        refused(app.seal(end.plus(1), b"x")),
        Some(Misuse::Expired.into())
    );
    assert_eq!(
        refused(vault.open(end.plus(1), b"x")),
        Some(Misuse::Expired.into())
    );
}

#[test]
fn clock_set_back_does_not_bring_an_expired_session_back() {
    let (mut app, _) = Scene::new().open();
    let end = NOW.plus(limits::DEVICE_SESSION);
    assert_eq!(
        refused(app.seal(end.plus(1), b"x")),
        Some(Misuse::Expired.into())
    );

    assert_eq!(refused(app.seal(NOW, b"x")), Some(Misuse::Expired.into()));
    assert_eq!(
        refused(app.seal(UnixMillis(0), b"x")),
        Some(Misuse::Expired.into())
    );
}

#[test]
fn keys_change_after_their_count_in_each_direction_alone() {
    let (mut app, mut vault) = Scene::new().with_schedule(5, HOUR).open();

    for round in 0..17_u8 {
        assert_eq!(carry(&mut app, &mut vault, NOW, &[round]), [round]);
        if round % 3 == 0 {
            assert_eq!(carry(&mut vault, &mut app, NOW, &[round]), [round]);
        }
    }
}

#[test]
fn side_that_does_not_change_its_key_is_not_understood() {
    let (mut app, mut vault) = Scene::new().with_schedule(3, HOUR).open();
    app.channel.as_mut().expect("open").forget_schedule();
    // Frames 1 and 2 complete the count of 3; the next key is used from frame 3 on.
    for _ in 0..2 {
        assert_eq!(carry(&mut app, &mut vault, NOW, b"x"), b"x");
    }

    let sent = frames(&mut app, 1);

    assert_eq!(
        refused(vault.open(NOW, &sent[0])),
        Some(PeerMisbehaved::FrameAltered.into())
    );
}

#[test]
fn keys_change_after_an_hour_by_an_announced_last_frame() {
    let (mut app, mut vault) = Scene::new().open();
    let later = NOW.plus(HOUR);

    let before = app.seal(NOW.plus(HOUR - 1), b"question").expect("sealed");
    let after = app.seal(later, b"question").expect("sealed");
    let settled = app.seal(later, b"question").expect("sealed");

    assert_eq!([before.len(), after.len(), settled.len()], [1, 2, 1]);
    for frame in before.iter().chain(&after).chain(&settled) {
        assert_eq!(refused(vault.open(later, frame)), None);
    }
    // The other direction has its own clock and key.
    assert_eq!(vault.seal(later, b"answer").expect("sealed").len(), 2);
}

#[test]
fn lost_announcement_of_a_key_is_noticed() {
    let (mut app, mut vault) = Scene::new().open();
    let later = NOW.plus(HOUR);
    let sent = app.seal(later, b"question").expect("sealed");

    let outcome = vault.open(later, &sent[1]);

    let error = PeerMisbehaved::FrameLost {
        expected: 1,
        received: 2,
    };
    assert_eq!(refused(outcome), Some(error.into()));
}

#[test]
fn keys_of_the_real_schedule_change_after_65536_frames() {
    let (mut app, mut vault) = Scene::new().open();
    // Both sides' count moved on, as by as many frames; one frame was evidence.
    app.channel
        .as_mut()
        .expect("open")
        .skip(limits::REKEY_FRAMES - 3);
    vault
        .channel
        .as_mut()
        .expect("open")
        .skip(limits::REKEY_FRAMES - 3);
    let mut stubborn = Scene::new().open().0;
    stubborn.channel.as_mut().expect("open").forget_schedule();

    for round in 0..4 {
        let frame = app.seal(NOW, b"x").expect("sealed").remove(0);
        let same_keys = stubborn.seal(NOW, b"x").expect("sealed").remove(0) == frame;
        assert_eq!(same_keys, round < 2, "{round}");
        assert_eq!(refused(vault.open(NOW, &frame)), None, "{round}");
    }
}
