//! Several messages in one frame.

use vettid_wire::batch::BadBatch;
use vettid_wire::fragment::{BadFragment, PIECE};
use vettid_wire::time::UnixMillis;
use vettid_wire::{limits, padding};

use super::fixture::*;
use crate::channel::BATCH;
use crate::{Error, Established, Misuse, PeerMisbehaved};

fn opened(to: &mut Established, frames: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Error> {
    let mut all = Vec::new();
    for frame in frames {
        let messages = to.open_all(NOW, frame)?;
        all.extend(messages.iter().map(|message| message.to_vec()));
    }
    Ok(all)
}

/// A frame with a plaintext that no honest peer seals here.
fn raw(from: &mut Established, header: [u8; 2], body: &[u8]) -> Vec<u8> {
    let mut plaintext = [&header, body].concat();
    padding::pad(&mut plaintext).expect("fits");
    from.channel.as_mut().expect("open").seal_raw(&plaintext)
}

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

#[test]
fn small_messages_share_a_frame_and_come_out_in_order() {
    let (mut app, mut vault) = Scene::new().open();

    let frames = app.seal_all(NOW, &[b"one", b"", b"three"]).expect("sealed");

    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].len(), 8 + 512 + 16);
    let messages = opened(&mut vault, &frames).expect("opened");
    assert_eq!(messages, [&b"one"[..], b"", b"three"]);
}

#[test]
fn one_message_and_none_are_what_they_were() {
    let (mut app, mut vault) = Scene::new().open();

    assert_eq!(app.seal_all(NOW, &[]), Ok(vec![]));
    let frames = app.seal_all(NOW, &[b"alone"]).expect("sealed");

    assert_eq!(frames.len(), 1);
    let message = vault.open(NOW, &frames[0]).expect("opened");
    assert_eq!(message.expect("whole").as_slice(), b"alone");
}

#[test]
fn messages_of_every_size_keep_their_order() {
    let (mut app, mut vault) = Scene::new().open();
    let sizes = [
        10,
        9_000,
        9_000,
        1,
        PIECE + 1,
        3,
        4,
        20_000,
        0,
        limits::REPLY,
    ];
    let messages: Vec<Vec<u8>> = (1_u8..)
        .zip(sizes)
        .map(|(byte, size)| vec![byte; size])
        .collect();
    let lent: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();

    let frames = vault.seal_all(NOW, &lent).expect("sealed");

    assert_eq!(opened(&mut app, &frames).expect("opened"), messages);
}

#[test]
fn a_message_over_the_limit_refuses_all_and_the_session_goes_on() {
    let (mut app, mut vault) = Scene::new().open();
    let large = vec![0; limits::REQUEST + 1];

    let outcome = app.seal_all(NOW, &[b"small", &large]);

    let (limit, size) = (limits::REQUEST, limits::REQUEST + 1);
    let error = Misuse::MessageTooLarge { limit, size };
    assert_eq!(refused(outcome), Some(error.into()));
    assert_eq!(carry(&mut app, &mut vault, NOW, b"next"), b"next");
}

#[test]
fn whoever_expects_single_messages_ends_a_session_that_brings_several() {
    let (mut app, mut vault) = Scene::new().open();
    let frames = app.seal_all(NOW, &[b"one", b"two"]).expect("sealed");

    let outcome = vault.open(NOW, &frames[0]);

    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::BatchUnexpected.into())
    );
    assert_eq!(
        refused(vault.seal(NOW, b"answer")),
        Some(Misuse::Ended.into())
    );
}

#[test]
fn malformed_batches_and_those_in_the_middle_of_a_message_end_the_session() {
    for (body, why) in [
        (&[][..], BadBatch::Few),
        (&[0, 1, 7], BadBatch::Few),
        (&[0, 0, 0, 9], BadBatch::Short),
    ] {
        let (mut app, mut vault) = Scene::new().open();
        let frame = raw(&mut app, BATCH, body);

        let outcome = vault.open_all(NOW, &frame);

        let error = PeerMisbehaved::Batch(why);
        assert_eq!(refused(outcome), Some(error.into()));
    }

    let (mut app, mut vault) = Scene::new().open();
    let first_of_two = raw(&mut app, [2, 0], &vec![1; PIECE]);
    assert_eq!(vault.open_all(NOW, &first_of_two), Ok(vec![]));
    let batch = app.seal_all(NOW, &[b"a", b"b"]).expect("sealed");
    assert_eq!(
        refused(vault.open_all(NOW, &batch[0])),
        Some(PeerMisbehaved::Fragment(BadFragment::Order).into())
    );
}

#[test]
fn key_that_is_due_changes_before_a_batch() {
    let (mut app, mut vault) = Scene::new().open();
    let later = UnixMillis(NOW.0 + limits::REKEY_TIME);

    let frames = app.seal_all(later, &[b"one", b"two"]).expect("sealed");

    assert_eq!(frames.len(), 2);
    let mut messages = Vec::new();
    for frame in &frames {
        messages.extend(vault.open_all(later, frame).expect("opened"));
    }
    assert_eq!(messages.len(), 2);
}
