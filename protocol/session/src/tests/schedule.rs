//! Random schedules of two honest sides and what a carrier does to them, against a simple model.

use proptest::collection::vec;
use proptest::prelude::*;
use vettid_wire::time::{HOUR, MINUTE};

use super::fixture::*;
use crate::{Error, Established, Misuse, PeerMisbehaved};

#[derive(Clone, Debug)]
enum Step {
    /// A side says something of this size; `true` is the app.
    Say(bool, usize),
    /// Time passes, minutes.
    Wait(u64),
}

#[derive(Clone, Debug)]
enum Fault {
    Cut(usize),
    Drop,
    Flip(usize),
    Repeat,
    Swap,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let say = (
        any::<bool>(),
        prop_oneof![4 => 0..2_000_usize, 1 => 60_000..70_000_usize],
    )
        .prop_map(|(app, size)| Step::Say(app, size));
    let wait = (1..50_u64).prop_map(Step::Wait);
    vec(prop_oneof![4 => say, 1 => wait], 1..20)
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        any::<usize>().prop_map(Fault::Cut),
        Just(Fault::Drop),
        any::<usize>().prop_map(Fault::Flip),
        Just(Fault::Repeat),
        Just(Fault::Swap),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn honest_sides_understand_each_other_on_every_schedule(
        steps in steps(),
        frames in 2..9_u64,
        seed: u64,
    ) {
        let mut scene = Scene::seeded(seed / 2).with_schedule(frames, HOUR);
        let (mut app, mut vault) = scene.open();
        let mut now = NOW;
        for step in steps {
            match step {
                Step::Wait(minutes) => now = now.plus(minutes * MINUTE),
                Step::Say(by_app, size) => {
                    let (from, to) = pair(by_app, &mut app, &mut vault);
                    let message = vec![0x3c; size];
                    prop_assert_eq!(carry(from, to, now, &message), message);
                }
            }
        }
    }

    #[test]
    fn no_fault_of_a_carrier_goes_unnoticed(
        before in 0..5_usize,
        fault in fault(),
        by_app: bool,
    ) {
        let (mut app, mut vault) = Scene::new().with_schedule(4, HOUR).open();
        let (from, to) = pair(by_app, &mut app, &mut vault);
        for _ in 0..before {
            carry(from, to, NOW, b"good");
        }
        let mut frames: Vec<Vec<u8>> = (0..3)
            .flat_map(|_| from.seal(NOW, b"bad").expect("sealed"))
            .collect();
        apply(&fault, &mut frames);

        let outcome: Result<Vec<_>, Error> =
            frames.iter().map(|frame| to.open(NOW, frame).map(|_| ())).collect();

        let error = outcome.expect_err("a fault");
        prop_assert!(matches!(error, Error::PeerMisbehaved(
            PeerMisbehaved::FrameAltered
                | PeerMisbehaved::FrameLost { .. }
                | PeerMisbehaved::FrameRepeated { .. }
                | PeerMisbehaved::FrameSize(_)
        )), "{}", error);
        prop_assert_eq!(to.seal(NOW, b"x").map(|_| ()), Err(Misuse::Ended.into()));
    }

    #[test]
    fn noise_is_refused_at_every_stage(noise in vec(any::<u8>(), 0..2_000)) {
        let mut scene = Scene::new();
        prop_assert!(scene.accept(&noise).is_err());
        let (initiator, first) = scene.start();
        prop_assert!(scene.finish(initiator, &noise).is_err());
        let (responder, _) = scene.accept(&first).expect("accepted");
        prop_assert!(responder.handle(NOW, &noise, None).is_err());
        let (_, _, responder) = scene.shake_hands();
        prop_assert!(responder.handle(NOW, &noise, None).is_err());
        let (initiator, _, _) = scene.prove_app();
        prop_assert!(scene.judge(initiator, &noise).is_err());
    }
}

fn pair<'a>(
    by_app: bool,
    app: &'a mut Established,
    vault: &'a mut Established,
) -> (&'a mut Established, &'a mut Established) {
    if by_app { (app, vault) } else { (vault, app) }
}

fn apply(fault: &Fault, frames: &mut Vec<Vec<u8>>) {
    match fault {
        Fault::Cut(at) => {
            let length = at % frames[0].len();
            frames[0].truncate(length);
        }
        Fault::Drop => drop(frames.remove(0)),
        Fault::Flip(at) => {
            let index = at % frames[0].len();
            frames[0][index] ^= 1;
        }
        Fault::Repeat => frames.insert(0, frames[0].clone()),
        Fault::Swap => frames.swap(0, 1),
    }
}
