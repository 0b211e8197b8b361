use super::*;

fn homes(most: usize, rate: u32) -> Homes {
    Homes::new(PeerId::random(), most, rate)
}

fn keep(homes: &mut Homes, source: PeerId, record: Record) -> Result<(), NotKept> {
    homes.keep(source, Keeper::Peer(source), record)
}

fn record(location: u8, value: u8) -> Record {
    Record::new([location; LOCATION].to_vec(), vec![value; 10])
}

fn found(homes: &Homes, location: u8) -> Vec<Vec<u8>> {
    let key = RecordKey::from([location; LOCATION].to_vec());
    homes
        .get(&key)
        .map_or_else(Vec::new, |found| unbundle(&found.value))
}

#[test]
fn record_of_each_peer_is_kept_and_replaced_by_its_own_next_only() {
    let mut homes = homes(10, 10);
    let (honest, hostile) = (PeerId::random(), PeerId::random());
    assert_eq!(keep(&mut homes, honest, record(1, 1)), Ok(()));
    assert_eq!(keep(&mut homes, hostile, record(1, 2)), Ok(()));
    assert_eq!(keep(&mut homes, hostile, record(1, 3)), Ok(()));

    assert_eq!(found(&homes, 1), [vec![1; 10], vec![3; 10]]);
    assert_eq!(homes.len(), 2);
    assert!(found(&homes, 2).is_empty());
}

#[test]
fn flood_of_records_is_bounded_per_location_in_all_and_per_peer() {
    let mut crowded = homes(10, 10);
    let first = PeerId::random();
    assert_eq!(keep(&mut crowded, first, record(1, 1)), Ok(()));
    for _ in 1..limits::HOME_ANSWERS {
        assert_eq!(keep(&mut crowded, PeerId::random(), record(1, 2)), Ok(()));
    }
    assert_eq!(found(&crowded, 1).len(), limits::HOME_ANSWERS);

    let mut full = homes(2, 100);
    assert_eq!(keep(&mut full, first, record(1, 1)), Ok(()));
    assert_eq!(keep(&mut full, first, record(2, 1)), Ok(()));
    assert_eq!(keep(&mut full, first, record(3, 1)), Err(NotKept::Full));
    assert_eq!(keep(&mut full, first, record(2, 2)), Ok(()));

    let mut limited = homes(100, 2);
    assert_eq!(keep(&mut limited, first, record(1, 1)), Ok(()));
    assert_eq!(keep(&mut limited, first, record(2, 1)), Ok(()));
    assert_eq!(
        keep(&mut limited, first, record(3, 1)),
        Err(NotKept::TooMany)
    );
    assert_eq!(keep(&mut limited, PeerId::random(), record(3, 1)), Ok(()));
}

#[test]
fn whoever_has_nothing_is_let_in_now_and_then_where_all_have_the_same() {
    let now = Instant::now();
    let mut crowded = homes(100, 100);
    for _ in 0..limits::HOME_ANSWERS {
        assert_eq!(keep(&mut crowded, PeerId::random(), record(1, 1)), Ok(()));
    }
    let (late, keeper) = (PeerId::random(), Keeper::Peer(PeerId::random()));
    let mut put = |source, value, after| {
        let record = record(1, value);
        crowded.keep_at(source, keeper, record, now + Duration::from_secs(after))
    };
    assert_eq!(put(late, 2, 0), Ok(()));
    // It has its share now, whoever of it puts.
    assert_eq!(put(PeerId::random(), 3, 10_000), Err(NotKept::Full));
    let found = found(&crowded, 1);
    assert_eq!(found.len(), limits::HOME_ANSWERS);
    assert!(found.contains(&vec![2; 10]));

    let mut full = homes(2, 100);
    for location in 1..=2 {
        let first = PeerId::random();
        assert_eq!(keep(&mut full, first, record(location, 1)), Ok(()));
    }
    let mut put = |location, after| {
        let at = now + Duration::from_secs(after);
        let kept = full.keep_at(PeerId::random(), keeper, record(location, 2), at);
        (kept, full.len())
    };
    assert_eq!(put(3, 0), (Ok(()), 2));
    assert_eq!(put(4, 10_000), (Err(NotKept::Full), 2));
}

#[test]
fn few_who_are_let_in_again_and_again_do_not_drive_out_the_others() {
    let now = Instant::now();
    let mut homes = homes(1_000, 100);
    let (source, keeper) = (PeerId::random(), Keeper::Peer(PeerId::random()));
    for location in 1..=20 {
        for _ in 0..limits::HOME_ANSWERS {
            let kept = keep(&mut homes, PeerId::random(), record(location, 1));
            assert_eq!(kept, Ok(()));
        }
    }
    let mut put = |location, after| {
        let at = now + Duration::from_secs(after);
        let kept = homes.keep_at(source, keeper, record(location, 2), at);
        // Others take its place in turn.
        let key = RecordKey::from([location; LOCATION].to_vec());
        homes.remove_of(&key, source);
        let filled = keep(&mut homes, PeerId::random(), record(location, 1));
        assert_eq!(filled, Ok(()));
        kept
    };
    assert_eq!(put(1, 0), Ok(()));

    assert_eq!(put(1, 599), Err(NotKept::Full));
    assert_eq!(put(1, 600), Ok(()));
    // Elsewhere it has not been let in yet, and not everywhere at once.
    for location in 2..=16 {
        assert_eq!(put(location, 700), Ok(()), "{location}");
    }
    assert_eq!(put(17, 701), Err(NotKept::Full));
    assert_eq!(put(17, 1_300), Ok(()));
}

#[test]
fn no_more_are_let_in_than_are_remembered() {
    let now = Instant::now();
    let mut homes = homes(10, 10);
    let place = RecordKey::from([1; LOCATION].to_vec());
    let lets_in =
        |homes: &mut Homes, at| homes.lets_in(Keeper::Peer(PeerId::random()), Some(&place), at);
    for _ in 0..LET_IN_KEEPERS {
        assert!(lets_in(&mut homes, now));
    }

    assert!(!lets_in(&mut homes, now));
    assert_eq!(homes.let_in.len(), LET_IN_KEEPERS);
}

#[test]
fn whoever_has_most_gives_way_to_whoever_has_less() {
    let mut homes = homes(4, 100);
    let (greedy, modest) = (PeerId::random(), PeerId::random());
    for location in 1..=4 {
        assert_eq!(keep(&mut homes, greedy, record(location, 1)), Ok(()));
    }

    assert_eq!(keep(&mut homes, modest, record(5, 2)), Ok(()));
    assert_eq!(keep(&mut homes, modest, record(6, 2)), Ok(()));

    assert_eq!(homes.len(), 4);
    assert_eq!(found(&homes, 5), [vec![2; 10]]);
    // With a fair share each, nobody gives way.
    assert_eq!(keep(&mut homes, modest, record(7, 2)), Err(NotKept::Full));
    assert_eq!(keep(&mut homes, greedy, record(8, 1)), Err(NotKept::Full));
    // What this node puts out itself is not others' room.
    assert!(homes.put(record(9, 3)).is_ok());
    assert_eq!((homes.len(), found(&homes, 9).len()), (4, 1));
}

#[test]
fn strangers_of_one_neighborhood_are_one_at_a_location_and_in_all() {
    let mut homes = homes(100, 100);
    let around = |third: u8| Keeper::Neighborhood([8, 8, third, 0].into());
    for number in 0..20_u8 {
        let location = 1 + number / 10;
        let kept = homes.keep(PeerId::random(), around(1), record(location, number));
        assert_eq!(kept.is_ok(), number % 10 < 8, "{number}");
    }

    let honest = homes.keep(PeerId::random(), around(2), record(1, 99));
    assert_eq!(honest, Ok(()));
    assert!(found(&homes, 1).contains(&vec![99; 10]));
    let again = homes.keep(PeerId::random(), around(1), record(1, 100));
    assert_eq!(again, Err(NotKept::Full));
}

#[test]
fn giant_empty_misplaced_and_expired_records_are_refused() {
    let mut homes = homes(10, 10);
    let peer = PeerId::random();
    let giant = Record::new([1; LOCATION].to_vec(), vec![0; limits::HOME_RECORD + 1]);
    let empty = Record::new([1; LOCATION].to_vec(), vec![]);
    let misplaced = Record::new(vec![1; 31], vec![1]);
    let mut expired = record(1, 1);
    expired.expires = Some(std::time::Instant::now());

    for bad in [giant, empty, misplaced, expired] {
        assert_eq!(keep(&mut homes, peer, bad), Err(NotKept::Malformed));
    }
}

#[test]
fn expired_records_are_neither_handed_out_nor_kept() {
    let mut homes = homes(10, 10);
    let mut brief = record(1, 1);
    let end = std::time::Instant::now() + MINUTE;
    brief.expires = Some(end);
    assert_eq!(keep(&mut homes, PeerId::random(), brief), Ok(()));
    assert_eq!(found(&homes, 1), [vec![1; 10]]);

    for held in homes.held.values_mut().flatten() {
        assert_eq!(held.expires, end);
        held.expires = std::time::Instant::now();
    }

    assert!(found(&homes, 1).is_empty());
    homes.sweep();
    assert_eq!(homes.len(), 0);
}

#[test]
fn no_answer_fills_all_the_room_of_a_search() {
    let honest = vec![vec![0; 5]];
    let hostile: Vec<_> = (1..=8).map(|value| vec![value; 5]).collect();

    let merged = merge(&[hostile.clone(), hostile, honest.clone()]);

    assert_eq!(merged.len(), limits::HOME_ANSWERS);
    assert!(merged.contains(&honest[0]));
}

#[test]
fn malformed_bundle_ends_where_it_breaks() {
    let good = bundle([&[1; 5][..], &[2; 6]].into_iter());
    assert_eq!(unbundle(&good), [vec![1; 5], vec![2; 6]]);
    assert_eq!(unbundle(&good[..good.len() - 1]), [vec![1; 5]]);
    assert!(unbundle(&[255; 8]).is_empty());
    let many = bundle([&[1; 5][..]; 20].into_iter());
    assert_eq!(unbundle(&many).len(), limits::HOME_ANSWERS);
}
