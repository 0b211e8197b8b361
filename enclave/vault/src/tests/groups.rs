//! Conversations of several vaults.

use vettid_wire::id::GroupId;
use vettid_wire::operation::connection;
use vettid_wire::operation::feed;
use vettid_wire::operation::group::{self, Group};
use vettid_wire::operation::message::{self, Conversation, Failed, Receipt};
use vettid_wire::refusal::Code;

use crate::fixture::{Chaos, Net, Owner, refused, text};

fn get(owner: &mut Owner, id: GroupId) -> Group {
    owner.call(&group::Get { id }).expect("group")
}

fn say(owner: &mut Owner, id: GroupId, words: &str) -> vettid_wire::id::MessageId {
    owner
        .call(&text(Conversation::Group(id), words))
        .expect("sent")
        .id
}

#[test]
fn everybody_hears_everybody() {
    let (mut net, id, _) = Net::circle(4, 3);

    for index in 0..4 {
        let group = get(&mut net.owners[index], id);
        assert!(group.member && group.name == "friends");
        assert_eq!(group.members.len(), 3, "{index}");
        assert!(
            group.members.iter().all(|it| !it.name.is_empty()),
            "{index}"
        );
        say(&mut net.owners[index], id, &format!("from {index}"));
        net.run();
    }

    for index in 0..4 {
        let lines = net.owners[index].lines_in(Conversation::Group(id));
        assert_eq!(lines.len(), 4, "{index}: {lines:?}");
    }
    let kinds = net.owners[3].feed_kinds();
    assert!(kinds.contains(&feed::Kind::GroupJoined));
}

#[test]
fn owners_see_who_is_in_and_who_was_only_invited() {
    let mut net = Net::of(3);
    let members = vec![net.connect(0, 1), net.connect(0, 2)];
    let create = group::Create {
        name: "friends".into(),
        members,
    };
    let created = net.owners[0].call(&create).expect("created");
    assert!(created.members.len() == 2 && created.members.iter().all(|it| !it.joined));
    net.run();
    let id = created.id;

    let accepted = net.owners[1].call(&group::Accept { id }).expect("accepted");

    let standing = |group: &Group| (group.invited, group.joining, group.member);
    assert_eq!(standing(&accepted), (false, true, false));
    let again = net.owners[1].call(&group::Accept { id });
    assert_eq!(again.err().map(|it| it.code), Some(Code::NotInvited));
    let others = [&get(&mut net.owners[2], id), &created].map(standing);
    assert_eq!(others, [(true, false, false), (false, false, true)]);
    net.run();
    let joined = |group: &Group| -> Vec<_> { group.members.iter().map(|it| it.joined).collect() };
    let mut creator = joined(&get(&mut net.owners[0], id));
    creator.sort_unstable();
    assert_eq!(creator, [false, true]);
    let member = get(&mut net.owners[1], id);
    assert_eq!(standing(&member), (false, false, true));
    assert_eq!(joined(&member), [true]);
    net.owners[1].call(&group::Leave { id }).expect("left");
    let left = get(&mut net.owners[1], id);
    assert_eq!(standing(&left), (false, false, false));
}

#[test]
fn receipt_is_the_least_of_all_members() {
    let (mut net, id, _) = Net::circle(3, 2);
    net.owners[2].reopen();

    let sent = say(&mut net.owners[0], id, "hello");
    net.run();

    let receipt = |owner: &mut Owner| {
        let message = owner.call(&message::Get { id: sent }).expect("message");
        message.receipt
    };
    assert_eq!(receipt(&mut net.owners[0]), Some(Receipt::Stored));
    net.owners[2].recover();
    net.drain_mail(2);
    for index in [1, 2] {
        let read = message::MarkRead {
            conversation: Conversation::Group(id),
            through: 1,
        };
        net.owners[index].call(&read).expect("read");
        net.run();
    }
    assert_eq!(receipt(&mut net.owners[0]), Some(Receipt::Read));
}

#[test]
fn member_that_was_put_out_reads_nothing_later() {
    let (mut net, id, _) = Net::circle(3, 2);
    let out = net.owners[2].vault_id;

    let remove = group::Remove { id, member: out };
    net.owners[0].call(&remove).expect("removed");
    net.run();
    say(&mut net.owners[1], id, "without you");
    let carried = net.on_the_way();
    net.run();

    assert!(!get(&mut net.owners[2], id).member);
    assert!(carried.iter().all(|outbound| outbound.to != out));
    // Even what it gets hold of does not open.
    for outbound in carried {
        net.owners[2].receive(&outbound);
    }
    assert!(net.owners[2].lines_in(Conversation::Group(id)).is_empty());
    assert_eq!(
        net.owners[0].lines_in(Conversation::Group(id)),
        ["without you"]
    );
    let refusal = net.owners[2].call(&text(Conversation::Group(id), "hey"));
    assert_eq!(refusal, refused(Code::NotMember));
}

#[test]
fn what_waits_for_a_member_that_was_put_out_has_failed_for_it() {
    let (mut net, id, _) = Net::circle(3, 2);
    let out = net.owners[2].vault_id;
    net.cut_off.insert(out);
    let sent = say(&mut net.owners[1], id, "hello");
    net.run();
    let found = net.owners[1].call(&message::Get { id: sent });
    assert_eq!(found.expect("there").failed, None);

    net.owners[0]
        .call(&group::Remove { id, member: out })
        .expect("removed");
    net.run();
    net.tick();

    let found = net.owners[1].call(&message::Get { id: sent });
    assert_eq!(found.expect("there").failed, Some(Failed::Expired));
}

#[test]
fn message_that_was_removed_is_read_by_nobody() {
    let (mut net, id, _) = Net::circle(3, 2);
    let sent = say(&mut net.owners[0], id, "hello");
    net.run();
    let remove = message::Remove {
        id: sent,
        everywhere: false,
    };
    net.owners[0].call(&remove).expect("removed");
    let member = net.owners[1].vault_id;

    let least = net.owners[0].forge(|on| {
        on.raise_in_group(&sent, &member, Receipt::Read)
            .expect("passed over");
        on.change.least_receipt(&sent)
    });

    assert_eq!(least, Ok(None));
}

#[test]
fn member_leaves_and_the_group_ends_with_its_creator() {
    let (mut net, id, _) = Net::circle(3, 2);

    net.owners[1].call(&group::Leave { id }).expect("left");
    net.run();
    assert_eq!(get(&mut net.owners[0], id).members.len(), 1);
    assert_eq!(get(&mut net.owners[2], id).members.len(), 1);
    net.owners[0].call(&group::Leave { id }).expect("left");
    net.run();

    assert!(!get(&mut net.owners[2], id).member);
    let kinds = net.owners[2].feed_kinds();
    assert!(kinds.contains(&feed::Kind::GroupLeft));
}

#[test]
fn only_the_creator_adds_removes_and_renames() {
    let (mut net, id, connections) = Net::circle(3, 2);
    let member = net.owners[0].vault_id;

    let rename = group::Rename {
        id,
        name: "mine".into(),
    };
    assert_eq!(net.owners[1].call(&rename), refused(Code::NotCreator));
    let remove = group::Remove { id, member };
    assert_eq!(net.owners[1].call(&remove), refused(Code::NotCreator));
    let add = group::Add {
        id,
        member: connections[0],
    };
    assert_eq!(net.owners[1].call(&add), refused(Code::NotCreator));
    net.owners[0].call(&rename).expect("renamed");
    net.run();

    assert_eq!(get(&mut net.owners[2], id).name, "mine");
}

#[test]
fn end_of_a_connection_with_the_creator_ends_membership() {
    let (mut net, id, connections) = Net::circle(3, 2);

    let revoke = connection::Revoke { id: connections[1] };
    net.owners[2].call(&revoke).expect("revoked");
    net.run();

    assert!(!get(&mut net.owners[2], id).member);
    assert_eq!(get(&mut net.owners[0], id).members.len(), 1);
    say(&mut net.owners[1], id, "still two");
    net.run();
    assert_eq!(
        net.owners[0].lines_in(Conversation::Group(id)),
        ["still two"]
    );
}

#[test]
fn group_grows_and_talks_over_a_wild_network() {
    let mut net = Net::seeded(5, 3, Chaos::WILD);
    let connections: Vec<_> = (1..5).map(|other| net.connect(0, other)).collect();
    let create = group::Create {
        name: "wild".into(),
        members: connections[..2].to_vec(),
    };
    let id = net.owners[0].call(&create).expect("created").id;
    net.join(1..3, id);
    for member in &connections[2..] {
        let add = group::Add {
            id,
            member: *member,
        };
        net.owners[0].call(&add).expect("added");
        say(&mut net.owners[1], id, "meanwhile");
    }
    net.join(3..5, id);
    for index in 0..5 {
        say(&mut net.owners[index], id, &format!("{index}"));
    }
    net.run();

    for index in 0..5 {
        let lines = net.owners[index].lines_in(Conversation::Group(id));
        let heard: Vec<_> = (0..5)
            .filter(|other| {
                lines
                    .iter()
                    .any(|line| line.trim_start_matches('>') == other.to_string())
            })
            .collect();
        assert_eq!(heard, [0, 1, 2, 3, 4], "{index}: {lines:?}");
    }
}

/// Waits as long as it takes until everybody has noticed that something is missing.
fn settle(net: &mut Net) {
    for _ in 0..6 {
        net.advance(11 * vettid_wire::time::MINUTE);
        net.tick();
        net.run();
    }
}

/// A group whose creator has added somebody and does not know it any more.
fn forked() -> (Net, GroupId) {
    let (mut net, id, connections) = Net::circle(4, 2);
    let old = net.owners[0].host.clone();
    let add = group::Add {
        id,
        member: connections[2],
    };
    net.owners[0].call(&add).expect("invited");
    net.join([3], id);
    net.restore(0, &old);
    (net, id)
}

#[test]
fn member_whom_a_restored_creator_puts_out_hears_nothing_of_the_others_either() {
    let (mut net, id) = forked();

    let member = net.owners[1].vault_id;
    net.owners[0]
        .call(&group::Remove { id, member })
        .expect("removed");
    net.run();
    settle(&mut net);
    say(&mut net.owners[0], id, "to the others");
    say(&mut net.owners[2], id, "and to them");
    net.run();

    let conversation = Conversation::Group(id);
    assert!(net.owners[1].lines_in(conversation).is_empty());
    let heard = net.owners[2].lines_in(conversation);
    assert_eq!(heard, [">and to them", "to the others"]);
    let heard = net.owners[0].lines_in(conversation);
    assert_eq!(heard, [">to the others", "and to them"]);
}

#[test]
fn restored_creator_that_only_listens_brings_its_group_together_again() {
    let (mut net, id) = forked();

    say(&mut net.owners[2], id, "in a state that was lost");
    net.run();
    settle(&mut net);
    say(&mut net.owners[1], id, "together again");
    net.run();

    let conversation = Conversation::Group(id);
    for hearer in [0, 2] {
        let heard = net.owners[hearer].lines_in(conversation);
        assert_eq!(heard.last().expect("line"), "together again", "{hearer}");
    }
}

#[test]
fn member_that_was_restored_is_added_anew() {
    let (mut net, id, _) = Net::circle(3, 2);
    let old = net.owners[2].host.clone();
    let out = net.owners[1].vault_id;
    net.owners[0]
        .call(&group::Remove { id, member: out })
        .expect("removed");
    net.run();

    net.restore(2, &old);
    say(&mut net.owners[0], id, "are you there?");
    net.run();
    // First it asks to be added; the answer shows that the connection lacks something too.
    for _ in 0..4 {
        net.advance(11 * vettid_wire::time::MINUTE);
        net.tick();
        net.run();
    }

    // What it has no keys for is lost to it, and whoever has said it is told.
    let conversation = Conversation::Group(id);
    let lost = &net.owners[0].conversation(conversation)[0];
    assert_eq!(lost.failed, Some(Failed::Refused));
    say(&mut net.owners[0], id, "again");
    say(&mut net.owners[2], id, "here I am");
    net.run();
    assert_eq!(
        net.owners[2].lines_in(conversation),
        [">here I am", "again"]
    );
    let heard = net.owners[0].lines_in(conversation);
    assert_eq!(heard, [">are you there?", ">again", "here I am"]);
}
