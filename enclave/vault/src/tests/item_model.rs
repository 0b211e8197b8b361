//! Items against the simplest model of them: a map from id to versions.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vettid_wire::id::ItemId;
use vettid_wire::limits;
use vettid_wire::operation::item::{History, Put};
use vettid_wire::refusal::{Code, Refusal};

use crate::fixture::{self, Owner, draft, list_all};

/// One thing that an owner does, to the item at a place in the model.
#[derive(Clone, Copy, Debug)]
enum Act {
    Create,
    Destroy(usize),
    Remove(usize),
    Reopen,
    Replace(usize),
    ReplaceStale(usize),
    Restore(usize),
    Return(usize, u64),
    Snapshot,
}

#[derive(Clone, Debug, Default)]
struct Modeled {
    /// Version to name.
    names: BTreeMap<u64, String>,
    removed: bool,
}

#[derive(Default)]
struct Model {
    items: BTreeMap<ItemId, Modeled>,
    named: u32,
}

impl Model {
    fn nth(&self, place: usize) -> Option<(ItemId, u64, bool)> {
        let (id, item) = self.items.iter().nth(place % self.items.len().max(1))?;
        Some((*id, *item.names.keys().next_back()?, item.removed))
    }

    fn name(&mut self) -> String {
        self.named += 1;
        format!("name {}", self.named)
    }

    fn write(&mut self, id: ItemId, version: u64, name: String) {
        let item = self.items.entry(id).or_default();
        item.names.insert(version, name);
        item.removed = false;
        let kept = version.saturating_sub(limits::ITEM_VERSIONS as u64);
        item.names.retain(|version, _| *version >= kept);
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Create),
        1 => any::<usize>().prop_map(Act::Destroy),
        3 => any::<usize>().prop_map(Act::Remove),
        1 => Just(Act::Reopen),
        6 => any::<usize>().prop_map(Act::Replace),
        2 => any::<usize>().prop_map(Act::ReplaceStale),
        2 => any::<usize>().prop_map(Act::Restore),
        3 => (any::<usize>(), 0..14_u64).prop_map(|(place, version)| Act::Return(place, version)),
        1 => Just(Act::Snapshot),
    ]
}

fn follow(owner: &mut Owner, model: &mut Model, act: Act) {
    match act {
        Act::Create => {
            let name = model.name();
            let id = owner.put_note(&name);
            model.write(id, 1, name);
        }
        Act::Destroy(place) => {
            let Some((id, version, _)) = model.nth(place) else {
                return;
            };
            owner.remove(id, version, true).expect("destroyed");
            model.items.remove(&id);
        }
        Act::Remove(place) => {
            let Some((id, version, removed)) = model.nth(place) else {
                return;
            };
            assert_eq!(owner.remove(id, version, false).is_ok(), !removed);
            model.items.entry(id).or_default().removed = true;
        }
        Act::Reopen => {
            owner.reopen();
            owner.unlock().expect("unlocked");
        }
        Act::Replace(place) => {
            let Some((id, version, removed)) = model.nth(place) else {
                return;
            };
            let name = model.name();
            let put = Put {
                id: Some(id),
                base: Some(version),
                draft: draft(&name),
            };
            match owner.call(&put) {
                Ok(written) => model.write(id, written.version, name),
                Err(refusal) => assert_eq!((removed, refusal.code), (true, Code::NotFound)),
            }
        }
        Act::ReplaceStale(place) => {
            let Some((id, version, _)) = model.nth(place) else {
                return;
            };
            let put = Put {
                id: Some(id),
                base: Some(version + 1),
                draft: draft("stale"),
            };
            assert_eq!(owner.call(&put), Err(Refusal::conflict(version)));
        }
        Act::Restore(place) => {
            let Some((id, version, removed)) = model.nth(place) else {
                return;
            };
            assert_eq!(owner.restore(id, version, None).is_ok(), removed);
            model.items.entry(id).or_default().removed = false;
        }
        Act::Return(place, to) => {
            let Some((id, version, _)) = model.nth(place) else {
                return;
            };
            let name = model
                .items
                .get(&id)
                .and_then(|item| item.names.get(&to).cloned());
            match (owner.restore(id, version, Some(to)), name) {
                (Ok(written), Some(name)) => model.write(id, written.version, name),
                (Err(refusal), None) => assert_eq!(refusal.code, Code::NotFound),
                (outcome, name) => panic!("{outcome:?} for {name:?}"),
            }
        }
        Act::Snapshot => {
            owner.snapshot();
        }
    }
}

fn compare(owner: &mut Owner, model: &Model) {
    let mut listed: Vec<_> = Vec::new();
    for removed in [false, true] {
        let list = vettid_wire::operation::item::List {
            removed,
            ..list_all()
        };
        let items = owner.call(&list).expect("page").items;
        listed.extend(
            items
                .into_iter()
                .map(|item| (item.id, item.version, item.name, removed)),
        );
    }
    listed.sort();
    let expected: Vec<_> = model
        .items
        .iter()
        .filter_map(|(id, item)| {
            let (version, name) = item.names.last_key_value()?;
            Some((*id, *version, name.clone(), item.removed))
        })
        .collect();
    assert_eq!(listed, expected);
    for (id, item) in &model.items {
        let versions = owner.call(&History { id: *id }).expect("history").versions;
        let versions: BTreeMap<_, _> = versions
            .into_iter()
            .map(|version| (version.version, version.name))
            .collect();
        assert_eq!(versions, item.names);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn items_behave_as_a_map_of_versions(acts in prop::collection::vec(act(), 1..60)) {
        let (mut owner, mut model) = (fixture::owner(), Model::default());
        for act in acts {
            follow(&mut owner, &mut model, act);
            compare(&mut owner, &model);
        }
        owner.reopen();
        owner.unlock().expect("unlocked");
        compare(&mut owner, &model);
    }
}
