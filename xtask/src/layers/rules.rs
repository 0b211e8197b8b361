//! The rules: pure functions from table and graph to what is wrong.

use anyhow::{Result, bail};

use super::graph::{Member, members};
use super::table::{Part, RESERVED, ROWS, Row, Uses};
use crate::repository::Repository;

/// Compares the whole workspace, every feature on, with the tables.
pub(crate) fn check(repository: &Repository) -> Result<String> {
    let members = members(&repository.metadata(&["--all-features"])?)?;
    let wrong = violations(&members);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    let reserved: usize = RESERVED.iter().map(|group| group.crates.len()).sum();
    Ok(format!(
        "{} packages, {reserved} outside crates with one place to use them",
        members.len()
    ))
}

fn violations(members: &[Member]) -> Vec<String> {
    let mut wrong = unlisted(members);
    for member in members {
        if let Some(row) = find(&member.name) {
            wrong.extend(arrows(row, member, members));
            wrong.extend(reserved(row, member));
            wrong.extend(enclave_on_host(row, member));
        }
    }
    wrong
}

fn find(package: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.package == package)
}

/// The table and the workspace list the same packages.
fn unlisted(members: &[Member]) -> Vec<String> {
    let without_row = members
        .iter()
        .filter(|member| find(&member.name).is_none())
        .map(|member| format!("{} is not in the arrow table", member.name));
    let without_member = ROWS
        .iter()
        .filter(|row| members.iter().all(|member| member.name != row.package))
        .map(|row| {
            format!(
                "{} is in the arrow table but not in the workspace",
                row.package
            )
        });
    without_row.chain(without_member).collect()
}

/// Arrows inside the workspace.
fn arrows(row: &Row, member: &Member, members: &[Member]) -> Vec<String> {
    let Uses::Only(allowed) = row.uses else {
        return Vec::new();
    };
    let inside = |name: &&String| members.iter().any(|member| member.name == **name);
    member
        .uses
        .iter()
        .filter(inside)
        .filter(|name| !allowed.contains(&name.as_str()))
        .map(|name| format!("{} uses {name}: no such arrow", member.name))
        .collect()
}

/// Outside crates that belong to somebody else. What only tests use is exempt.
fn reserved(row: &Row, member: &Member) -> Vec<String> {
    if row.part == Part::Tool {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for group in RESERVED
        .iter()
        .filter(|group| !group.owners.contains(&row.package))
    {
        let used = member
            .uses
            .iter()
            .filter(|name| group.crates.contains(&name.as_str()));
        wrong.extend(used.map(|name| format!("{} uses {name}: {}", member.name, group.why)));
    }
    wrong
}

/// Nothing outside the enclave links, or tests itself with, anything under `enclave/`.
fn enclave_on_host(row: &Row, member: &Member) -> Vec<String> {
    if !matches!(row.part, Part::Edge | Part::Host | Part::Protocol) {
        return Vec::new();
    }
    member
        .links
        .union(&member.tests_use)
        .filter(|name| find(name).is_some_and(|row| row.part == Part::Enclave))
        .map(|name| {
            format!(
                "{} links {name}, which belongs into the enclave",
                member.name
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn workspace() -> Vec<Member> {
        ROWS.iter()
            .map(|row| Member {
                name: row.package.to_owned(),
                ..Member::default()
            })
            .collect()
    }

    fn with(package: &str, change: impl FnOnce(&mut Member)) -> Vec<Member> {
        let mut members = workspace();
        change(
            members
                .iter_mut()
                .find(|member| member.name == package)
                .unwrap(),
        );
        members
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn workspace_like_the_table_passes() {
        assert_eq!(violations(&workspace()), Vec::<String>::new());
    }

    #[test]
    fn listed_arrow_and_own_primitive_pass() {
        let members = with("vettid-wire", |wire| {
            wire.uses = names(&["vettid-crypto", "minicbor"])
        });

        assert_eq!(violations(&members), Vec::<String>::new());
    }

    #[test]
    fn arrow_against_the_layers_is_refused() {
        let members = with("vettid-crypto", |crypto| {
            crypto.uses = names(&["vettid-wire"])
        });

        assert_eq!(
            violations(&members),
            ["vettid-crypto uses vettid-wire: no such arrow"]
        );
    }

    #[test]
    fn primitive_outside_crypto_is_refused_except_in_tests() {
        let members = with("vettid-node", |node| {
            node.uses = names(&["sha2"]);
            node.tests_use = names(&["sha3"]);
        });

        assert_eq!(
            violations(&members),
            ["vettid-node uses sha2: primitives are used through vettid-crypto"]
        );
    }

    #[test]
    fn enclave_crate_reached_through_another_crate_is_refused_on_the_host() {
        let members = with("vettid-node", |node| {
            node.links = names(&["log", "vettid-store"])
        });

        assert_eq!(
            violations(&members),
            ["vettid-node links vettid-store, which belongs into the enclave"]
        );
    }

    #[test]
    fn client_tests_do_not_reach_into_the_enclave_either() {
        let members = with("vettid-sdk", |sdk| sdk.tests_use = names(&["vettid-vault"]));

        assert_eq!(violations(&members).len(), 1);
    }

    #[test]
    fn tests_and_measurements_may_use_anything() {
        let members = with("vettid-tests", |tests| {
            tests.uses = names(&["vettid-vault", "vettid-node", "sha2"]);
            tests.links = names(&["vettid-vault", "vettid-node", "sha2"]);
        });

        assert_eq!(violations(&members), Vec::<String>::new());
    }

    #[test]
    fn package_without_row_and_row_without_package_are_told() {
        let mut members = workspace();
        members.retain(|member| member.name != "vettid-bench");
        members.push(Member {
            name: "vettid-stranger".to_owned(),
            ..Member::default()
        });

        assert_eq!(
            violations(&members),
            [
                "vettid-stranger is not in the arrow table",
                "vettid-bench is in the arrow table but not in the workspace"
            ]
        );
    }
}
