//! Groups as large as they may be: what is written for each thing that happens in them.

use vettid_crypto::SeededEntropy;
use vettid_crypto::sign::SigningKey;
use vettid_store::{Change, Database};
use vettid_wire::id::{GroupId, VaultId};
use vettid_wire::limits;

use super::{AtHand, Keys, Mls, Suite, Window};
use crate::stop::Stop;

const GROUP: [u8; 16] = [7; 16];

/// One vault of many.
struct Member {
    keys: Keys,
    database: Database,
    entropy: SeededEntropy,
    at_hand: AtHand,
}

impl Member {
    fn new(number: u16) -> Self {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        Self {
            keys: Keys {
                vault: VaultId(id),
                signer: SigningKey::from_seed(&id),
            },
            database: Database::template().expect("template"),
            entropy: SeededEntropy::dangerous_new(u64::from(number)),
            at_hand: AtHand::default(),
        }
    }

    /// Does something in a record of its own. Returns the bytes of that.
    fn act<T>(&mut self, step: impl FnOnce(&Mls<'_>, &Keys) -> T) -> (T, usize) {
        let Self {
            keys,
            database,
            entropy,
            at_hand,
        } = self;
        let done = database.transaction(|change: &Change<'_>| {
            let mls = Mls::new(change, GroupId(GROUP), entropy, Some(at_hand));
            Ok::<_, Stop>(step(&mls, keys))
        });
        let done = done.expect("fits a record");
        let bytes = done.changeset.map_or(0, |changes| changes.size());
        (done.value, bytes)
    }
}

/// The creator and one member of a group of so many, who were added some at a time; and the most that
/// was written at once.
fn gather(count: u16, at_once: usize) -> (Member, Member, usize) {
    let (mut creator, mut first) = (Member::new(0), Member::new(1));
    creator.act(|mls, keys| mls.found(keys, &GROUP, Suite::Classic).expect("founded"));
    let package = |mls: &Mls<'_>, keys: &Keys| mls.key_package(keys, Suite::Classic);
    let mut packages: Vec<_> = (2..count)
        .map(|number| Member::new(number).act(package).0.expect("package"))
        .collect();
    packages.insert(0, first.act(package).0.expect("package"));
    let (mut joined, mut most) = (false, 0);
    for some in packages.chunks(at_once) {
        let (found, bytes) = creator.act(|mls, keys| mls.add(keys, &GROUP, some).expect("added"));
        let heard = first.act(|mls, keys| match joined {
            true => drop(
                mls.hear_change(&GROUP, &found.commit, &VaultId([0; 32]))
                    .expect("heard"),
            ),
            false => drop((
                keys,
                mls.join(&found.welcome, Suite::Classic).expect("joined"),
            )),
        });
        joined = true;
        most = most
            .max(bytes + found.welcome.len() + found.commit.len())
            .max(heard.1);
        assert!(found.welcome.len() <= limits::DELIVERY);
    }
    (creator, first, most)
}

#[test]
fn message_in_a_large_group_is_a_small_record() {
    for (count, said_at_most, heard_at_most) in
        [(64, 64 * 1024, 64 * 1024), (256, 200 * 1024, 200 * 1024)]
    {
        let (mut creator, mut first, most) = gather(count, 16);
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let (message, said) =
                creator.act(|mls, keys| mls.say(keys, &GROUP, &GROUP, b"hello").expect("said"));
            let (heard, bytes) =
                first.act(|mls, _| mls.hear_words(&GROUP, &message, Window::Usual).is_ok());
            assert!(heard);
            sizes.push((said, bytes));
        }
        let (said, heard) = sizes[2];
        println!("group of {count}: said {said}, heard {heard}, added {most}");
        assert!(
            said < said_at_most && heard < heard_at_most,
            "{said} {heard}"
        );
        assert!(most < limits::RECORD, "{most}");
    }
}
