//! What people are called, so that no name stands for two of them.
//!
//! Names that others choose for themselves can be anybody's. What this owner calls a connection comes
//! first; a name that looks like another one has the beginning of its vault's id behind it. Letters
//! of different scripts that look alike are not told apart.

use std::collections::{BTreeMap, BTreeSet};

use vettid_sdk::Owner;
use vettid_sdk::wire::id::{ConnectionId, VaultId};
use vettid_sdk::wire::operation::connection::Connection;

use crate::connection::{self, name};
use crate::output::one_line;

/// What this owner is called.
pub(super) const OWN: &str = "you";

/// What every vault's id begins with.
const ID: &str = "vettid1";

/// Digits of a vault's id behind a name, its prefix counted: 40 bits, and each try to have the same
/// costs a new vault.
const DIGITS: usize = ID.len() + 8;

/// Those whom this owner has connections with.
#[derive(Default)]
pub(super) struct People {
    known: BTreeMap<VaultId, Person>,
    vaults: BTreeMap<ConnectionId, VaultId>,
}

/// One of them.
struct Person {
    name: String,
    /// Whether this owner has chosen the name.
    by_owner: bool,
}

impl People {
    /// Asks for every connection, archived ones too.
    pub(super) async fn ask(owner: &Owner) -> Result<Self, vettid_sdk::Error> {
        let mut connections = connection::all(owner, None, false, None).await?;
        connections.extend(connection::all(owner, None, true, None).await?);
        Ok(Self::of(&connections))
    }

    fn of(connections: &[Connection]) -> Self {
        let mut people = Self::default();
        for connection in connections {
            people.vaults.insert(connection.id, connection.vault);
            let by_owner = connection.settings.alias.is_some();
            let name = one_line(&name(connection).unwrap_or_default());
            people.meet(connection.vault, name, by_owner);
        }
        people
    }

    /// Somebody of whom a name is known, which this owner may have chosen.
    fn meet(&mut self, vault: VaultId, name: String, by_owner: bool) {
        let known = self.known.get(&vault);
        if known.is_none_or(|known| by_owner && !known.by_owner) {
            self.known.insert(vault, Person { name, by_owner });
        }
    }

    /// The other end of a connection, and what it is called, if it has a name.
    pub(super) fn connected(&self, id: ConnectionId) -> Option<(VaultId, Option<String>)> {
        let vault = *self.vaults.get(&id)?;
        let called = Callings::of(&self.known, &BTreeMap::new()).called(vault);
        Some((vault, called))
    }

    /// What members of a group are called, who have these names there; nobody without a name.
    pub(super) fn members(
        &self,
        members: impl Iterator<Item = (VaultId, String)>,
    ) -> BTreeMap<VaultId, String> {
        let members: BTreeMap<_, _> = members
            .map(|(vault, name)| {
                let name = one_line(&name);
                let by_owner = false;
                (vault, Person { name, by_owner })
            })
            .collect();
        let callings = Callings::of(&self.known, &members);
        let called = |vault: &VaultId| Some((*vault, callings.called(*vault)?));
        members.keys().filter_map(called).collect()
    }
}

/// Names that are in use, and by whom.
struct Callings<'a> {
    people: BTreeMap<VaultId, &'a Person>,
    /// Who has a name, or shows as somebody with digits would; under what it looks like.
    users: BTreeMap<String, BTreeSet<VaultId>>,
    /// The same of names that this owner has chosen.
    chosen: BTreeMap<String, BTreeSet<VaultId>>,
}

impl<'a> Callings<'a> {
    /// Connections have the names that they have everywhere, whatever a group calls them.
    fn of(known: &'a BTreeMap<VaultId, Person>, others: &'a BTreeMap<VaultId, Person>) -> Self {
        let mut callings = Self {
            people: BTreeMap::new(),
            users: BTreeMap::new(),
            chosen: BTreeMap::new(),
        };
        let named = |people: &'a BTreeMap<VaultId, Person>| {
            people
                .iter()
                .filter(|(_, one)| !looks(&one.name).is_empty())
        };
        for (vault, person) in named(others).chain(named(known)) {
            callings.people.insert(*vault, person);
        }
        for (vault, person) in &callings.people {
            for shown in [person.name.clone(), with_digits(&person.name, *vault)] {
                let shown = looks(&shown);
                if person.by_owner {
                    let chosen = callings.chosen.entry(shown.clone());
                    chosen.or_default().insert(*vault);
                }
                callings.users.entry(shown).or_default().insert(*vault);
            }
        }
        callings
    }

    fn called(&self, vault: VaultId) -> Option<String> {
        let person = self.people.get(&vault)?;
        let rivals = if person.by_owner {
            &self.chosen
        } else {
            &self.users
        };
        let looks = looks(&person.name);
        let is_alone = rivals.get(&looks).is_none_or(|users| users.len() == 1);
        // Nor is anybody called what somebody without a name is shown as.
        if is_alone && looks != OWN && !looks.starts_with(ID) {
            Some(person.name.clone())
        } else {
            Some(with_digits(&person.name, vault))
        }
    }
}

fn with_digits(name: &str, vault: VaultId) -> String {
    let digits: String = vault.to_string().chars().take(DIGITS).collect();
    format!("{name} ({digits}…)")
}

/// What is left of a name for whoever looks at it: no space, nothing that does not show, no case.
fn looks(name: &str) -> String {
    let seen = name.chars().filter(|c| !is_unseen(*c));
    seen.flat_map(char::to_lowercase).collect()
}

/// Whether a character leaves nothing to see: white space, and what Unicode has ignored where it is
/// not known (`Default_Ignorable_Code_Point`).
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::wire::Secret;
    use vettid_sdk::wire::id::NodeId;
    use vettid_sdk::wire::operation::connection::{Settings, State};
    use vettid_sdk::wire::operation::invitation::{Card, CardField};
    use vettid_sdk::wire::time::UnixMillis;

    fn vault(number: u8) -> VaultId {
        VaultId([number; 32])
    }

    fn connection(number: u8, shown: &str, alias: Option<&str>) -> Connection {
        Connection {
            id: ConnectionId([number; 16]),
            state: State::Active,
            vault: vault(number),
            node: NodeId([9; 32]),
            inviter: true,
            card: Card {
                fields: vec![CardField {
                    name: "name".into(),
                    value: Secret::new(shown.as_bytes().to_vec()),
                }],
            },
            safety_code: None,
            verified: None,
            settings: Settings {
                alias: alias.map(Into::into),
                ..Settings::default()
            },
            created: UnixMillis(0),
            active: UnixMillis(0),
            unread: 0,
            waiting: 0,
            ended: None,
        }
    }

    /// What members of a group are called, by the numbers of their vaults.
    fn members(connections: &[Connection], named: &[(u8, &str)]) -> Vec<Option<String>> {
        let people = People::of(connections);
        let given = named
            .iter()
            .map(|(n, name)| (vault(*n), (*name).to_owned()));
        let mut called = people.members(given);
        let called = named.iter().map(|(n, _)| called.remove(&vault(*n)));
        called.collect()
    }

    fn marked(number: u8, name: &str) -> Option<String> {
        let called = with_digits(name, vault(number));
        assert!(called.contains("(vettid1"), "{called}");
        Some(called)
    }

    fn plain(name: &str) -> Option<String> {
        Some(name.into())
    }

    #[test]
    fn member_who_takes_the_name_of_another_is_told_apart() {
        for imitation in ["Ada", " ada ", "A\u{200b}da", "Ada\u{7}", "A d\u{ad}a"] {
            let called = members(&[], &[(1, "Ada"), (2, imitation), (3, "Bob")]);

            let shown = one_line(imitation);
            assert_eq!(called, [marked(1, "Ada"), marked(2, &shown), plain("Bob")]);
        }
    }

    #[test]
    fn alias_comes_first_and_stays_with_whom_this_owner_gave_it() {
        let known = [
            connection(1, "Countess", Some("Ada")),
            connection(2, "Ada", None),
        ];
        // Nor does it matter what the creator of the group calls them.
        let named = [(1, "Bob"), (2, "Carol"), (3, "Ada")];

        let called = members(&known, &named);

        assert_eq!(called, [plain("Ada"), marked(2, "Ada"), marked(3, "Ada")]);
    }

    #[test]
    fn name_of_somebody_outside_the_group_is_told_apart_too() {
        let known = [connection(1, "Ada", None)];

        let called = members(&known, &[(2, "Ada")]);

        assert_eq!(called, [marked(2, "Ada")]);
        let people = People::of(&known);
        let alone = people.connected(known[0].id);
        assert_eq!(alone, Some((vault(1), plain("Ada"))));
    }

    #[test]
    fn nobody_else_is_plainly_you_and_nobody_is_nothing() {
        let called = members(&[], &[(1, "you"), (2, "Y\u{2060}ou"), (3, "\u{200b}")]);

        assert_eq!(called, [marked(1, "you"), marked(2, "Y\u{2060}ou"), None]);
    }

    #[test]
    fn id_of_another_is_no_name() {
        let id = vault(1).to_string();

        let called = members(&[], &[(1, ""), (2, &id)]);

        assert_eq!(called, [None, marked(2, &id)]);
    }

    #[test]
    fn digits_of_another_cannot_be_taken_into_a_name() {
        let forged = with_digits("Ada", vault(1));

        let called = members(&[], &[(1, "Ada"), (2, "Ada"), (3, &forged)]);

        assert_eq!(called[2], marked(3, &forged));
    }

    #[test]
    fn two_connections_that_this_owner_calls_alike_are_told_apart() {
        let known = [
            connection(1, "Countess", Some("Ada")),
            connection(2, "Lovelace", Some("ada")),
        ];

        let people = People::of(&known);

        let called = known.map(|one| people.connected(one.id));
        let expected = [(1, "Ada"), (2, "ada")].map(|(n, name)| Some((vault(n), marked(n, name))));
        assert_eq!(called, expected);
    }
}
