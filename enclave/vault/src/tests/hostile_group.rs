//! Whoever invites into a group, or is in one, does the worst.

use std::collections::BTreeSet;

use vettid_wire::content::{Circle, Content, GroupChange, Hello, Parcel, Text};
use vettid_wire::id::{ConnectionId, DeliveryId, GroupId, MessageId, VaultId};
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::group::{self, Group};
use vettid_wire::operation::message::{self, Conversation};
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::refusal::Code;
use vettid_wire::time::{DAY, HOUR, MINUTE};
use vettid_wire::{Secret, cbor, limits};

use crate::circle;
use crate::connect::channel;
use crate::fixture::{Net, Owner, refused, text};
use crate::mls::{Keys, Mls, Suite};

/// Owner 0 is connected with two others, and has made a group of them.
fn circle_of_three() -> (Net, GroupId, [ConnectionId; 2]) {
    let mut net = Net::of(3);
    let connections = [net.connect(0, 1), net.connect(0, 2)];
    let create = group::Create {
        name: "friends".into(),
        members: connections.to_vec(),
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join(1..3, id);
    (net, id, connections)
}

fn get(owner: &mut Owner, id: GroupId) -> Group {
    owner.call(&group::Get { id }).expect("group")
}

fn groups(owner: &mut Owner) -> Vec<Group> {
    owner.call(&group::List::default()).expect("groups").groups
}

fn say(owner: &mut Owner, connection: ConnectionId, id: GroupId, change: GroupChange) {
    let content = Content::Group { id, change };
    owner.forge(|on| channel::say(on, &connection, &content, None).expect("said"));
}

/// What an invitation of the number-th group of a vault says.
fn invite(vault: VaultId, number: u8) -> (GroupId, GroupChange) {
    let seed = [number; 16];
    let name = "come".into();
    (
        circle::id_of(&vault, &seed),
        GroupChange::Invite { name, seed },
    )
}

fn epoch(owner: &mut Owner, id: GroupId) -> u64 {
    owner.forge(|on| {
        let mls = Mls::of(on, id);
        mls.epoch(&id.0).expect("keys")
    })
}

#[test]
fn group_with_the_id_of_a_connection_is_passed_over_and_harms_nothing() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));

    for connection in [first, second] {
        let id = GroupId(connection.0);
        let (_, change) = invite(net.owners[1].vault_id, 1);
        say(&mut net.owners[1], first, id, change);
        net.run();
        assert_eq!(
            net.owners[0].call(&group::Accept { id }),
            refused(Code::NotFound)
        );
    }

    assert!(groups(&mut net.owners[0]).is_empty());
    net.owners[0].say(first, "still");
    net.owners[1].say(first, "there");
    net.owners[2].say(second, "too");
    net.run();
    assert_eq!(net.owners[0].lines(first), [">still", "there"]);
    assert_eq!(net.owners[0].lines(second), ["too"]);
}

#[test]
fn member_cannot_invite_into_a_group_of_its_own_under_the_id_of_another_ones() {
    let mut net = Net::of(3);
    let connections = [net.connect(0, 1), net.connect(0, 2)];
    let between = net.connect(1, 2);
    let create = group::Create {
        name: "friends".into(),
        members: connections[..1].to_vec(),
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join([1], id);

    let (_, change) = invite(net.owners[1].vault_id, 1);
    say(&mut net.owners[1], between, id, change);
    net.run();
    assert!(groups(&mut net.owners[2]).is_empty());
    let add = group::Add {
        id,
        member: connections[1],
    };
    net.owners[0].call(&add).expect("added");
    net.join([2], id);

    assert!(get(&mut net.owners[2], id).member);
}

#[test]
fn connection_cannot_take_the_id_of_a_group() {
    let (mut net, id, _) = circle_of_three();
    let link = net.owners[0].invite();
    net.owners[2].accept(link).expect("accepted");
    let sent = net.on_the_way().remove(0);
    let Ok(Parcel::Hello(hello)) = cbor::decode(&sent.body) else {
        panic!("no hello");
    };

    let stolen = Parcel::Hello(Hello {
        connection: ConnectionId(id.0),
        ..hello
    });
    let outcome = net.owners[0].receive_bytes(DeliveryId([6; 16]), &cbor::encode(&stolen));

    assert_eq!(outcome, Some(Delivered::Refused(NotTaken::Never)));
    assert!(get(&mut net.owners[0], id).member);
}

#[test]
fn invited_owner_decides_and_is_asked_so_often_at_most() {
    let mut net = Net::of(2);
    let connection = net.connect(0, 1);
    for number in 0..30 {
        let (id, change) = invite(net.owners[1].vault_id, number);
        say(&mut net.owners[1], connection, id, change.clone());
        // Taking it back and inviting again says nothing new.
        say(&mut net.owners[1], connection, id, GroupChange::Over);
        say(&mut net.owners[1], connection, id, change);
    }
    net.run();

    let invited = groups(&mut net.owners[0]);
    assert_eq!(invited.len(), limits::GROUP_INVITATIONS);
    assert!(invited.iter().all(|it| it.invited && !it.member));
    let kinds = net.owners[0].feed_kinds();
    let told = |kinds: &[Kind], kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!(told(&kinds, Kind::GroupInvited), limits::GROUP_INVITATIONS);
    assert_eq!(told(&kinds, Kind::GroupLeft), 0);
    let id = invited[0].id;
    net.owners[0]
        .call(&group::Decline { id })
        .expect("declined");
    assert_eq!(
        net.owners[0].call(&group::Accept { id }),
        refused(Code::NotInvited)
    );
    // Nothing is left of those that nobody wanted.
    net.advance(limits::APPROVAL + DAY);
    for _ in 0..2 {
        net.tick();
        net.run();
        net.advance(MINUTE);
    }
    assert!(groups(&mut net.owners[0]).is_empty());
}

#[test]
fn declined_invitation_takes_the_member_out_at_the_creator() {
    let mut net = Net::of(2);
    let connection = net.connect(0, 1);
    let create = group::Create {
        name: "friends".into(),
        members: vec![connection],
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.run();
    assert_eq!(get(&mut net.owners[0], id).members.len(), 1);
    assert_eq!(
        net.owners[1].call(&text(Conversation::Group(id), "not in")),
        refused(Code::NotMember)
    );

    net.owners[1]
        .call(&group::Decline { id })
        .expect("declined");
    net.run();

    assert!(get(&mut net.owners[0], id).members.is_empty());
    let kinds = net.owners[1].feed_kinds();
    assert!(!kinds.contains(&Kind::GroupJoined) && !kinds.contains(&Kind::GroupLeft));
}

#[test]
fn member_that_asks_to_be_added_again_and_again_changes_the_group_seldom() {
    let (mut net, id, [connection, _]) = circle_of_three();
    let before = epoch(&mut net.owners[0], id);

    for _ in 0..20 {
        let key_package = net.owners[1].forge(|on| {
            let group = on.change.group(&id).expect("row").expect("group");
            let seed = group.signer.expect("keys");
            let signer = seed.expose(|seed| {
                vettid_crypto::sign::SigningKey::from_seed(seed.try_into().expect("seed"))
            });
            let keys = Keys {
                vault: on.vault,
                signer,
            };
            let mls = Mls::of(on, id);
            mls.key_package(&keys, Suite::Classic).expect("package")
        });
        let change = GroupChange::Join {
            key_package,
            state: None,
        };
        say(&mut net.owners[1], connection, id, change);
        net.run();
    }

    let after = epoch(&mut net.owners[0], id);
    assert!(after <= before + 1, "{before} {after}");
    // The newest one is not forgotten.
    for _ in 0..7 {
        net.advance(MINUTE);
        net.tick();
        net.run();
    }
    assert_eq!(epoch(&mut net.owners[0], id), after.max(before) + 1);
}

#[test]
fn message_of_a_state_that_nobody_has_made_costs_little_and_is_not_kept() {
    let (mut net, id, _) = circle_of_three();
    let before = epoch(&mut net.owners[0], id);
    // A member makes changes that it may not make, and speaks in the state behind them.
    let forged = net.owners[2].forge(|on| {
        let group = on.change.group(&id).expect("row").expect("group");
        let seed = group.signer.expect("keys");
        let signer = seed.expose(|seed| {
            vettid_crypto::sign::SigningKey::from_seed(seed.try_into().expect("seed"))
        });
        let keys = Keys {
            vault: on.vault,
            signer,
        };
        let mls = Mls::of(on, id);
        for _ in 0..40 {
            mls.renew(&keys, &id.0, b"").expect("renewed");
        }
        mls.say(&keys, &id.0, &id.0, b"from nowhere").expect("said")
    });
    let parcel = cbor::encode(&Parcel::Circle(Circle {
        group: id,
        message: forged,
    }));

    for hour in 0..24 {
        let outcome = net.owners[1].receive_bytes(DeliveryId([hour; 16]), &parcel);
        assert_eq!(outcome, Some(Delivered::Refused(NotTaken::Busy)));
        for _ in 0..4 {
            net.advance(HOUR / 4);
            net.tick();
            net.run();
        }
    }

    assert_eq!(epoch(&mut net.owners[0], id), before, "nothing is missing");
    // When something is, this vault asks as soon as ever.
    let group = net.owners[1].forge(|on| on.change.group(&id).expect("row").expect("group"));
    assert_eq!((group.behind, group.asks), (None, 0));
    let conversation = Conversation::Group(id);
    net.owners[1]
        .call(&text(conversation, "hello"))
        .expect("sent");
    net.run();
    assert_eq!(net.owners[0].lines_in(conversation), ["hello"]);
}

/// A message as somebody makes one up who knows the id of a group and nothing else of it.
fn of_a_later_state(id: GroupId, number: u16) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 2, 16];
    message.extend(id.0);
    message.extend(u64::MAX.to_be_bytes());
    // Something said, with the group beside it; whose and what is sealed, or would be.
    message.extend([1, 16]);
    message.extend(id.0);
    message.push(28);
    message.extend([7; 28]);
    message.push(32);
    message.extend([0; 30]);
    message.extend(number.to_be_bytes());
    cbor::encode(&Parcel::Circle(Circle { group: id, message }))
}

#[test]
fn later_state_that_anybody_names_costs_a_record_and_a_question_in_ten_minutes() {
    let (mut net, id, _) = circle_of_three();
    let before = epoch(&mut net.owners[0], id);
    let (mut asked, mut number) = (BTreeSet::new(), 0_u16);

    for _ in 0..60 {
        let records = net.owners[1].host.newest();
        for _ in 0..20 {
            number += 1;
            let mut delivery = [9; 16];
            delivery[..2].copy_from_slice(&number.to_be_bytes());
            let made_up = of_a_later_state(id, number);
            let outcome = net.owners[1].receive_bytes(DeliveryId(delivery), &made_up);
            assert_eq!(outcome, Some(Delivered::Refused(NotTaken::Busy)));
        }
        assert!(net.owners[1].host.newest() <= records + 1);
        net.advance(MINUTE);
        net.tick();
        let group = net.owners[1].forge(|on| on.change.group(&id).expect("row").expect("group"));
        asked.insert(group.asked);
        net.run();
    }

    // When it joined, and then as often as that.
    assert!(asked.len() <= 1 + 6, "{}", asked.len());
    assert_eq!(epoch(&mut net.owners[0], id), before);
    let conversation = Conversation::Group(id);
    for speaker in [0, 2] {
        let said = text(conversation, "hello");
        net.owners[speaker].call(&said).expect("sent");
    }
    net.run();
    assert_eq!(net.owners[1].lines_in(conversation), ["hello", "hello"]);
}

#[test]
fn message_is_heard_although_another_member_has_used_its_id() {
    let (mut net, id, connections) = circle_of_three();
    let conversation = Conversation::Group(id);
    let said = net.owners[1]
        .call(&text(conversation, "mine"))
        .expect("sent")
        .id;
    let honest = net.on_the_way();
    net.lose_everything();
    let content = |words: &str| {
        Content::Text(Text {
            id: said,
            text: Secret::from(words),
            reply_to: None,
            attachments: vec![],
            disappear_after: None,
        })
    };
    net.owners[2].forge(|on| circle::say(on, &id, &content("stolen"), None).expect("said"));
    let elsewhere = content("elsewhere");
    net.owners[2].forge(|on| channel::say(on, &connections[1], &elsewhere, None).expect("said"));
    net.run();
    for outbound in honest {
        if outbound.to == net.owners[0].vault_id {
            assert_eq!(net.owners[0].receive(&outbound), Some(Delivered::Applied));
            assert_eq!(net.owners[0].receive(&outbound), Some(Delivered::Applied));
        }
    }

    assert_eq!(net.owners[0].lines_in(conversation), ["stolen", "mine"]);
    assert_eq!(net.owners[0].lines(connections[1]), ["elsewhere"]);
    // What happens to it happens to it, on both sides.
    let heard = net.owners[0].conversation(conversation)[1].id;
    let reaction = Some("👍".to_owned());
    net.owners[0]
        .call(&message::React {
            id: heard,
            reaction,
        })
        .expect("reacted");
    let edited = Secret::from("still mine");
    net.owners[1]
        .call(&message::Edit {
            id: said,
            text: edited,
        })
        .expect("edited");
    net.run();
    assert_eq!(
        net.owners[0].lines_in(conversation),
        ["stolen", "still mine"]
    );
    let own = net.owners[1]
        .call(&message::Get { id: said })
        .expect("message");
    assert_eq!(own.reactions.len(), 1);

    // What is said to the other message of that id stands under that one.
    let [stolen, _] = &net.owners[0].conversation(conversation)[..] else {
        panic!("two messages");
    };
    let react = message::React {
        id: stolen.id,
        reaction: Some("👎".to_owned()),
    };
    net.owners[0].call(&react).expect("reacted");
    net.run();
    let at_author = net.owners[1].conversation(conversation);
    let reactions = |of_author: bool| {
        let found = at_author.iter().find(|it| it.from.is_none() == of_author);
        let reactions = &found.expect("there").reactions;
        reactions
            .iter()
            .map(|it| it.reaction.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(reactions(true), ["👍"]);
    assert_eq!(reactions(false), ["👎"]);
}

#[test]
fn blocked_creator_and_broken_group_keep_nobody_from_ending_a_connection() {
    let (mut net, id, [first, _]) = circle_of_three();
    // The keys of the group are gone, whatever has done that.
    net.owners[0].forge(|on| {
        let here = Conversation::Group(id);
        on.change.remove_mls(&here).expect("removed");
    });

    net.owners[0]
        .call(&connection::Block { id: first })
        .expect("blocked");
    net.run();

    assert_eq!(net.owners[0].connection_state(first), State::Blocked);
    // Whoever is blocked must not hear what is said later: the group is over.
    assert!(!get(&mut net.owners[0], id).member);
    assert!(!get(&mut net.owners[2], id).member);
    assert!(get(&mut net.owners[1], id).member, "it is not told");
}

#[test]
fn group_left_by_a_block_is_answered_as_if_nothing_had_happened() {
    let (mut net, id, [first, _]) = circle_of_three();
    net.owners[1]
        .call(&connection::Block { id: first })
        .expect("blocked");
    net.run();
    let records = net.owners[1].host.newest();

    net.owners[0]
        .call(&text(Conversation::Group(id), "hello?"))
        .expect("sent");
    net.answers.clear();
    net.run();

    assert!(net.answers.iter().all(|it| *it == Delivered::Applied));
    assert_eq!(net.owners[1].host.newest(), records);
    assert!(net.owners[1].lines_in(Conversation::Group(id)).is_empty());
}

#[test]
fn name_of_a_member_is_what_it_shows_and_never_what_somebody_calls_it() {
    let mut net = Net::of(3);
    let (first, second) = (net.connect(0, 1), net.connect(0, 2));
    let settings = connection::Settings {
        alias: Some("my landlord".into()),
        ..connection::Settings::default()
    };
    let update = connection::Update {
        id: first,
        settings,
    };
    net.owners[0].call(&update).expect("updated");
    net.owners[0].forge(|on| {
        let mut found = on.change.connection(&first).expect("row").expect("there");
        found.card.fields.clear();
        on.change.put_connection(&found).expect("written");
    });
    let create = group::Create {
        name: "friends".into(),
        members: vec![first, second],
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join(1..3, id);

    let names: Vec<_> = get(&mut net.owners[2], id)
        .members
        .into_iter()
        .map(|member| member.name)
        .collect();

    assert!(names.iter().all(|name| name != "my landlord"), "{names:?}");
    assert!(names.contains(&String::new()), "{names:?}");
}

#[test]
fn what_an_owner_does_not_tell_that_it_has_read_is_not_told_in_groups() {
    let (mut net, id, [_, second]) = circle_of_three();
    let settings = connection::Settings {
        no_read_receipts: true,
        ..connection::Settings::default()
    };
    let update = connection::Update {
        id: second,
        settings,
    };
    net.owners[0].call(&update).expect("updated");
    let conversation = Conversation::Group(id);
    for owner in [1, 2] {
        net.owners[owner]
            .call(&text(conversation, "hello"))
            .expect("sent");
    }
    net.run();

    let read = message::MarkRead {
        conversation,
        through: u64::MAX,
    };
    net.owners[0].call(&read).expect("read");
    let told: Vec<_> = net.on_the_way().iter().map(|it| it.to).collect();

    assert_eq!(told, [net.owners[1].vault_id]);
}

#[test]
fn what_a_vault_is_not_told_it_is_not_told_after_its_connection_has_ended_either() {
    for blocked in [false, true] {
        // The second and the third are in a group of the first, and connected.
        let (mut net, id, _) = circle_of_three();
        let third = net.owners[2].vault_id;
        let side = net.connect(1, 2);
        if blocked {
            let block = connection::Block { id: side };
            net.owners[1].call(&block).expect("blocked");
        } else {
            let settings = connection::Settings {
                no_read_receipts: true,
                ..connection::Settings::default()
            };
            let update = connection::Update { id: side, settings };
            net.owners[1].call(&update).expect("updated");
            let revoke = connection::Revoke { id: side };
            net.owners[2].call(&revoke).expect("revoked");
            net.run();
            // Nor while it wants another one.
            net.meet(2, 1);
        }
        net.run();
        let conversation = Conversation::Group(id);
        for owner in [0, 2] {
            net.owners[owner]
                .call(&text(conversation, "hello"))
                .expect("sent");
        }
        net.run();

        let read = message::MarkRead {
            conversation,
            through: u64::MAX,
        };
        net.owners[1].call(&read).expect("read");

        let told: Vec<_> = net.on_the_way().iter().map(|it| it.to).collect();
        assert_eq!(told, [net.owners[0].vault_id], "blocked: {blocked}");
        assert!(!told.contains(&third));
    }
}

#[test]
fn vault_that_ends_its_connection_and_makes_another_is_not_told_what_was_kept_from_it() {
    let mut net = Net::of(2);
    let first = net.connect(0, 1);
    let settings = connection::Settings {
        no_read_receipts: true,
        ..connection::Settings::default()
    };
    let update = connection::Update {
        id: first,
        settings,
    };
    net.owners[0].call(&update).expect("updated");
    let revoke = connection::Revoke { id: first };
    net.owners[1].call(&revoke).expect("revoked");
    net.run();

    let second = net.connect(1, 0);

    assert!(net.owners[0].connection(second).settings.no_read_receipts);
    assert!(!net.owners[1].connection(second).settings.no_read_receipts);
}

#[test]
fn second_connection_with_a_vault_keeps_its_groups_and_its_silence() {
    let (mut net, id, [first, _]) = circle_of_three();
    let settings = connection::Settings {
        no_read_receipts: true,
        ..connection::Settings::default()
    };
    for owner in [0, 1] {
        let update = connection::Update {
            id: first,
            settings: settings.clone(),
        };
        net.owners[owner].call(&update).expect("updated");
    }

    let second = net.connect(1, 0);

    assert_eq!(net.owners[0].connection_state(first), State::Revoked);
    for owner in [0, 1] {
        assert!(get(&mut net.owners[owner], id).member);
        assert_eq!(get(&mut net.owners[owner], id).members.len(), 2);
        let found = net.owners[owner].connection(second);
        assert!(found.settings.no_read_receipts);
    }
    let conversation = Conversation::Group(id);
    for owner in 0..3 {
        net.owners[owner]
            .call(&text(conversation, "here"))
            .expect("sent");
    }
    net.run();
    for owner in 0..3 {
        assert_eq!(net.owners[owner].lines_in(conversation).len(), 3);
    }
}

#[test]
fn nobody_is_told_of_a_group_anew_who_is_only_added_anew() {
    let (mut net, id, _) = circle_of_three();
    let joined = |owner: &mut Owner| {
        let kinds = owner.feed_kinds().into_iter();
        kinds.filter(|kind| *kind == Kind::GroupJoined).count()
    };
    assert_eq!(joined(&mut net.owners[1]), 1);
    net.owners[1].forge(|on| {
        let mut group = on.change.group(&id).expect("row").expect("group");
        group.behind = Some(group.since);
        on.change.put_group(&group).expect("written");
    });

    for _ in 0..4 {
        net.advance(11 * MINUTE);
        net.tick();
        net.run();
    }

    assert_eq!(joined(&mut net.owners[1]), 1);
    let sent: MessageId = net.owners[0]
        .call(&text(Conversation::Group(id), "again"))
        .expect("sent")
        .id;
    net.run();
    assert!(net.owners[1].call(&message::Get { id: sent }).is_ok());
}
