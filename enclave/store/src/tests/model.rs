//! Random histories against a simple model, with snapshots and restarts in between.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use vettid_wire::operation::item::List;
use vettid_wire::{Secret, limits};

use crate::fixture::{self, DEVICE, NOW, Vault, header_key, item_id, next, put};
use crate::rows::audit::NewEvent;
use crate::{Header, Kind, Searchable, StoreError};

#[derive(Clone, Debug)]
enum Step {
    Checkpoint,
    Erase(u8),
    Fail(u8),
    Header,
    Index,
    Joint(u8),
    MergeTag(u8, u8),
    Put(u8, u8, BTreeSet<u8>, usize),
    RemoveTag(u8),
    RenameTag(u8, u8),
    Restart,
    Restore(u8),
    Trash(u8),
}

#[derive(Clone, Debug, Default)]
struct Item {
    version: u64,
    names: Vec<(u64, String, usize)>,
    tags: BTreeSet<String>,
    removed: bool,
}

#[derive(Debug, Default)]
struct Model {
    items: BTreeMap<u8, Item>,
    tags: BTreeSet<String>,
    events: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let (item, tag) = (0..6_u8, 0..5_u8);
    prop_oneof![
        8 => (item.clone(), 0..4_u8, prop::collection::btree_set(tag.clone(), 0..4), 0..3000_usize)
            .prop_map(|(id, name, tags, size)| Step::Put(id, name, tags, size)),
        2 => item.clone().prop_map(Step::Trash),
        2 => item.clone().prop_map(Step::Restore),
        1 => item.clone().prop_map(Step::Erase),
        1 => item.prop_map(Step::Fail),
        1 => (tag.clone(), tag.clone()).prop_map(|(from, to)| Step::RenameTag(from, to)),
        1 => (tag.clone(), tag.clone()).prop_map(|(from, to)| Step::MergeTag(from, to)),
        1 => tag.prop_map(Step::RemoveTag),
        1 => Just(Step::Header),
        2 => any::<u8>().prop_map(Step::Joint),
        1 => Just(Step::Index),
        2 => Just(Step::Checkpoint),
        3 => Just(Step::Restart),
    ]
}

fn tag(number: u8) -> String {
    format!("tag {number}")
}

fn take(vault: &mut Vault, model: &mut Model, step: &Step) {
    match step {
        Step::Checkpoint => vault.checkpoint(),
        Step::Header => drop(vault.charge()),
        Step::Restart => vault.restart(),
        Step::Joint(failed) => {
            model.events += 1;
            vault.commit_with_header(&failed_header(*failed), |change| {
                change.append_audit(&NewEvent {
                    at: NOW,
                    operation: "vault.unlock",
                    device: Some(&DEVICE),
                    subject: None,
                    done: true,
                })
            });
        }
        Step::Index => index(vault),
        Step::Put(id, name, tags, size) => {
            let name = format!("Name {name}");
            let tags: Vec<_> = tags.iter().copied().map(tag).collect();
            let item = model.items.entry(*id).or_default();
            item.version += 1;
            model.events += 1;
            let body = Secret::new(vec![*id; *size]);
            let version = item.version;
            vault.commit(|change| {
                put(change, &next(*id, version, &name, &tags, &body))?;
                change.index_item(
                    &item_id(*id),
                    &Searchable {
                        name: &name,
                        text: "",
                    },
                )
            });
            item.names.push((version, name, *size));
            item.tags = tags.iter().cloned().collect();
            item.removed = false;
            model.tags.extend(tags);
        }
        Step::Trash(id) | Step::Restore(id) => {
            let removed = matches!(step, Step::Trash(_));
            let known = model.items.get_mut(id);
            let moves = known.as_ref().is_some_and(|item| item.removed != removed);
            vault.commit(|change| {
                let moved = change.trash_item(&item_id(*id), removed.then_some(NOW))?;
                assert_eq!(moved, moves);
                Ok(())
            });
            known.into_iter().for_each(|item| item.removed = removed);
        }
        Step::Erase(id) => {
            let known = model.items.remove(id).is_some();
            vault.commit(|change| {
                assert_eq!(change.erase_item(&item_id(*id))?, known);
                change.unindex_item(&item_id(*id))
            });
        }
        Step::Fail(id) => {
            let body = Secret::new(vec![9; 100]);
            let version = model.items.get(id).map_or(0, |item| item.version) + 1;
            let failed = vault.database.transaction(|change| {
                put(
                    change,
                    &next(*id, version, "never", &["never".into()], &body),
                )?;
                change.index_item(
                    &item_id(*id),
                    &Searchable {
                        name: "never",
                        text: "",
                    },
                )?;
                Err::<(), _>(StoreError::Malformed)
            });
            assert_eq!(failed.err(), Some(StoreError::Malformed));
        }
        Step::RenameTag(..) | Step::MergeTag(..) | Step::RemoveTag(_) => retag(vault, model, step),
    }
}

/// A header that can be told from others.
fn failed_header(failed: u8) -> Header {
    let mut header = fixture::header();
    header.attempts.failed = failed.into();
    header
}

fn index(vault: &mut Vault) {
    vault
        .database
        .build_index(|index| {
            for number in 0..6 {
                if let Some((item, _)) = index.view().item(&item_id(number))? {
                    index.add(
                        &item.id,
                        &Searchable {
                            name: &item.name,
                            text: "",
                        },
                    )?;
                }
            }
            Ok::<_, StoreError>(())
        })
        .expect("index");
}

fn retag(vault: &mut Vault, model: &mut Model, step: &Step) {
    let (from, to, done) = match step {
        Step::RenameTag(from, to) => {
            let done = model.tags.contains(&tag(*from)) && !model.tags.contains(&tag(*to));
            vault.commit(|change| {
                assert_eq!(change.rename_tag(&tag(*from), &tag(*to))?, done);
                Ok(())
            });
            (from, Some(to), done)
        }
        Step::MergeTag(from, to) => {
            let known = model.tags.contains(&tag(*from)) && model.tags.contains(&tag(*to));
            let done = known && from != to;
            vault.commit(|change| {
                assert_eq!(change.merge_tag(&tag(*from), &tag(*to))?, done);
                Ok(())
            });
            (from, Some(to), done)
        }
        Step::RemoveTag(from) => {
            let done = model.tags.contains(&tag(*from));
            vault.commit(|change| {
                assert_eq!(change.remove_tag(&tag(*from))?, done);
                Ok(())
            });
            (from, None, done)
        }
        _ => return,
    };
    if !done {
        return;
    }
    model.tags.remove(&tag(*from));
    model.tags.extend(to.copied().map(tag));
    for item in model.items.values_mut() {
        if item.tags.remove(&tag(*from)) {
            item.tags.extend(to.copied().map(tag));
        }
    }
}

/// Everything that can be asked has the answer that the model gives.
fn compare(vault: &Vault, model: &Model) {
    let view = vault.database.view();
    for removed in [false, true] {
        let list = List {
            category: None,
            tag: None,
            favorite: false,
            removed,
            after: None,
            limit: None,
        };
        let listed: Vec<_> = view
            .items(&list)
            .expect("lists")
            .items
            .into_iter()
            .map(|item| (item.name, item.id.0[0], item.version, item.tags))
            .collect();
        let mut expected: Vec<_> = model
            .items
            .iter()
            .filter(|(_, item)| item.removed == removed)
            .map(|(id, item)| {
                let name = item.names.last().expect("version").1.clone();
                (
                    name,
                    *id,
                    item.version,
                    item.tags.iter().cloned().collect::<Vec<_>>(),
                )
            })
            .collect();
        expected.sort();
        assert_eq!(listed, expected);
    }
    for (id, item) in &model.items {
        let kept: Vec<_> = item
            .names
            .iter()
            .rev()
            .take(limits::ITEM_VERSIONS + 1)
            .collect();
        let versions = view.versions(&item_id(*id)).expect("versions");
        assert_eq!(versions.len(), kept.len());
        for (version, (number, name, size)) in versions.iter().zip(kept) {
            assert_eq!((version.version, &version.name), (*number, name));
            let content = view
                .content(&item_id(*id), *number)
                .expect("reads")
                .expect("kept");
            assert_eq!(content.body, Secret::new(vec![*id; *size]));
        }
    }
    let tags: BTreeSet<_> = view
        .tags()
        .expect("tags")
        .into_iter()
        .map(|t| t.tag.name)
        .collect();
    assert_eq!(tags, model.tags);
    let audit = view.check_audit().expect("checks");
    assert_eq!((audit.events, audit.broken_at), (model.events, None));
    if vault.database.is_indexed() {
        let found = view.search("name", None).expect("search");
        let all: BTreeSet<_> = found.iter().map(|id| id.0[0]).collect();
        assert_eq!(all, model.items.keys().copied().collect());
        assert_eq!(view.search("never", None), Ok(vec![]));
    }
}

/// Wrong PINs, as the newest header in the log says.
fn newest_failed(vault: &Vault) -> u32 {
    let (_, records) = vault.read().expect("links");
    let newest = records
        .iter()
        .rfind(|record| record.kind() != Kind::Changeset);
    let header = newest.expect("a header").open_header(&header_key());
    header.expect("opens").attempts.failed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_history_with_any_restarts_is_what_the_model_says(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut vault = Vault::enrolled();
        let mut model = Model::default();
        for step in &steps {
            take(&mut vault, &mut model, step);
        }
        compare(&vault, &model);

        let live = fixture::dump(&vault.database);
        let newest = steps.iter().rev().find_map(|step| match step {
            Step::Joint(failed) => Some(u32::from(*failed)),
            Step::Checkpoint | Step::Header => Some(fixture::header().attempts.failed),
            _ => None,
        });
        assert_eq!(newest_failed(&vault), newest.unwrap_or_else(|| fixture::header().attempts.failed));
        vault.restart();

        assert_eq!(fixture::dump(&vault.database), live);
        compare(&vault, &model);
    }
}
