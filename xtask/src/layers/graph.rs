//! The workspace's dependencies, as far as the rules need them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};

/// One package of the workspace and what it depends on, by package name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    /// Package name.
    pub(crate) name: String,
    /// Declared for the product: normal and build dependencies, optional ones included.
    pub(crate) uses: BTreeSet<String>,
    /// Declared for its tests only.
    pub(crate) tests_use: BTreeSet<String>,
    /// Everything that ends up in its binaries, itself included.
    pub(crate) links: BTreeSet<String>,
}

/// All packages of the workspace.
pub(crate) fn members(metadata: &Metadata) -> Result<Vec<Member>> {
    let packages = metadata.workspace_packages();
    let arrows = linked(metadata)?;
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let mut members = Vec::new();
    for package in packages {
        let mut member = Member {
            name: package.name.to_string(),
            ..Member::default()
        };
        for dependency in &package.dependencies {
            let list = match dependency.kind {
                DependencyKind::Development => &mut member.tests_use,
                _ => &mut member.uses,
            };
            list.insert(dependency.name.clone());
        }
        for id in reachable(&arrows, &package.id) {
            let name = names.get(id).context("package without a name")?;
            member.links.insert((*name).to_owned());
        }
        members.push(member);
    }
    Ok(members)
}

/// Normal dependencies after feature resolution: what the linker sees.
fn linked(metadata: &Metadata) -> Result<BTreeMap<&PackageId, Vec<&PackageId>>> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo metadata without a resolved graph")?;
    Ok(resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node.deps.iter().filter(|dependency| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, normal.map(|dependency| &dependency.pkg).collect())
        })
        .collect())
}

fn reachable<'a>(
    arrows: &BTreeMap<&'a PackageId, Vec<&'a PackageId>>,
    from: &'a PackageId,
) -> BTreeSet<&'a PackageId> {
    let mut seen = BTreeSet::from([from]);
    let mut waiting = vec![from];
    while let Some(id) = waiting.pop() {
        for next in arrows.get(id).into_iter().flatten() {
            if seen.insert(next) {
                waiting.push(next);
            }
        }
    }
    seen
}
