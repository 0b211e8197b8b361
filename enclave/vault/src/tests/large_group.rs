//! A group as large as one may be.

use std::collections::BTreeSet;

use vettid_crypto::sign::SigningKey;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::group::GroupMember;
use vettid_wire::cbor;
use vettid_wire::content::Parcel;
use vettid_wire::id::{ConnectionId, GroupId, NodeId, VaultId};
use vettid_wire::limits;
use vettid_wire::operation::connection::{Settings, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::group;
use vettid_wire::operation::invitation::Card;
use vettid_wire::operation::message::{self, Conversation};
use vettid_wire::time::MINUTE;

use crate::circle::creator;
use crate::connect::Known;
use crate::effect::Changing;
use crate::fixture::{Net, text};
use crate::mls::{Keys, Mls, Suite};

/// A member that has accepted, with a home of the usual size, as far as the creator sees of it.
fn accepts(on: &mut Changing<'_>, group: &GroupId, number: usize) {
    let mut id = [0xaa; 32];
    id[..8].copy_from_slice(&u64::try_from(number).expect("few").to_be_bytes());
    let keys = Keys {
        vault: VaultId(id),
        signer: SigningKey::from_seed(&id),
    };
    let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = id;
    let connection = ConnectionId(short);
    let mls = Mls::of(on, connection);
    let package = mls.key_package(&keys, Suite::Classic).expect("package");
    on.change
        .remove_mls(&Conversation::Connection(connection))
        .expect("removed");
    let home = Known::Record {
        record: vec![0xaa; 600],
        sequence: 1,
        node: NodeId([1; 32]),
    };
    let found = Connection {
        id: connection,
        state: State::Active,
        vault: keys.vault,
        inviter: true,
        created: on.now,
        active: on.now,
        card: Card::default(),
        safety_code: None,
        verified: None,
        settings: Settings::default(),
        home: cbor::encode(&home),
        progress: None,
        token: None,
        ended: None,
    };
    on.change.put_connection(&found).expect("written");
    let member = GroupMember {
        vault: keys.vault,
        name: "a name of usual length".into(),
        home: None,
        key: None,
        package: Some(package),
        spent: None,
        added: None,
    };
    on.change.put_group_member(group, &member).expect("written");
}

#[test]
fn everybody_comes_into_a_group_of_the_largest_size_and_can_be_spoken_to() {
    let mut net = Net::of(1);
    let owner = &mut net.owners[0];
    let id = owner.forge(|on| creator::create(on, "all".into(), &[]).expect("created"));
    for number in 1..limits::GROUP {
        owner.forge(|on| accepts(on, &id, number));
    }

    for _ in 0..limits::GROUP / creator::AT_ONCE + 1 {
        owner.clock.advance(MINUTE);
        owner.tick();
    }

    let inside = owner.forge(|on| {
        let mls = Mls::of(on, id);
        mls.members(&id.0).expect("members").len()
    });
    assert_eq!(inside, limits::GROUP);
    assert!(!owner.feed_kinds().contains(&Kind::GroupNotAdded));
    let sent = owner.call(&text(Conversation::Group(id), "hello, all"));
    sent.expect("sent");
    assert_eq!(owner.outbound.len(), limits::GROUP - 1);
    let out = owner.call(&group::Get { id }).expect("group").members[0].vault;
    owner
        .call(&group::Remove { id, member: out })
        .expect("put out");
    let left = owner.call(&group::Get { id }).expect("group").members.len();
    assert_eq!(left, limits::GROUP - 2);
}

#[test]
fn member_that_is_not_told_where_the_others_are_speaks_to_them_all() {
    let mut net = Net::of(2);
    let connection = net.connect(0, 1);
    let id = net.owners[0].forge(|on| creator::create(on, "many".into(), &[]).expect("created"));
    for number in 1..=120 {
        net.owners[0].forge(|on| accepts(on, &id, number));
    }
    for _ in 0..120 / creator::AT_ONCE + 1 {
        net.owners[0].clock.advance(MINUTE);
        net.owners[0].tick();
    }
    let known: Vec<_> = net.owners.iter().map(|owner| owner.vault_id).collect();
    let others = net.on_the_way().into_iter().map(|it| it.to);
    net.cut_off.extend(others.filter(|to| !known.contains(to)));
    let add = group::Add {
        id,
        member: connection,
    };
    net.owners[0].call(&add).expect("added");
    net.join([1], id);
    net.owners[0].clock.advance(MINUTE);
    net.owners[0].tick();
    net.run();

    let sent = text(Conversation::Group(id), "hello, all");
    let sent = net.owners[1].call(&sent).expect("sent").id;

    assert_eq!(net.owners[1].outbound.len(), 121);
    net.owners[1].tick();
    let found = net.owners[1].call(&message::Get { id: sent });
    assert_eq!(found.expect("there").failed, None);
    net.owners[1].outbound.clear();
    net.owners[1].recover();
    let again = net.owners[1].outbound.iter();
    let again = again.filter(|it| matches!(cbor::decode(&it.body), Ok(Parcel::Circle(_))));
    let to: BTreeSet<_> = again.map(|it| it.to).collect();
    assert_eq!(to.len(), 121, "they are handed on again");
}
