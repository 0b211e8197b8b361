use std::time::Duration;

use vettid_federation::HostKey;
use vettid_wire::time::UnixMillis;

use super::*;
use crate::audit;
use crate::database::Options;

const NODE: NodeId = NodeId([1; 32]);

struct Fixture {
    database: Database,
    peers: PeerRows,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let database = Database::open(&path, Options::default()).expect("opened");
    Fixture {
        peers: PeerRows::new(database.clone()),
        database,
        _folder: folder,
    }
}

impl Fixture {
    fn note(&self, note: Note, now: u64) {
        assert!(self.peers.note(note, now).is_ok());
    }

    async fn list(&self) -> Vec<Listed> {
        // Goes through the writer's queue behind every note.
        self.database.transact(|_| Ok(())).await.expect("written");
        self.peers.list().await.expect("read")
    }

    async fn audited(&self) -> Vec<String> {
        self.database.transact(|_| Ok(())).await.expect("written");
        let rows = self.database.read(|connection| {
            connection
                .prepare("SELECT action || ' ' || subject FROM admin_audit ORDER BY number")?
                .query_map([], |row| row.get(0))?
                .collect()
        });
        rows.await.expect("read")
    }
}

fn peer(seed: u8) -> Vec<u8> {
    HostKey::from_seed([seed; 32]).peer()
}

fn admitted(release: u32) -> Admitted {
    Admitted {
        node: NODE,
        release,
        measurement: [0xab; 144],
        expires: UnixMillis(90_000),
    }
}

#[tokio::test]
async fn admitted_peer_is_listed_with_since_when_until_when_and_how() {
    let fixture = fixture();
    fixture.note(Note::admitted(peer(1), admitted(3)), 10);
    let standing = Standing::Admitted {
        node: NODE,
        path: Path::Relayed,
    };
    fixture.note(Note::changed(peer(1), standing), 11);
    // Admitted anew: since the first time.
    fixture.note(Note::admitted(peer(1), admitted(3)), 70);

    let listed = Listed {
        peer: peer_text(&peer(1)),
        node: Some(NODE.to_string()),
        state: PeerState::Admitted,
        why: String::new(),
        since: 10,
        expires: 90,
        path: "relayed".into(),
        release: 3,
        image: "ab".repeat(48),
    };
    assert_eq!(fixture.list().await, [listed]);
}

#[tokio::test]
async fn identity_release_and_measurement_are_audited_once_each() {
    let fixture = fixture();
    fixture.note(Note::admitted(peer(1), admitted(3)), 10);
    fixture.note(Note::admitted(peer(1), admitted(3)), 20);
    fixture.note(Note::changed(peer(1), Standing::Gone), 30);
    fixture.note(Note::admitted(peer(1), admitted(3)), 40);
    fixture.note(Note::admitted(peer(1), admitted(4)), 50);

    let pcr = "ab".repeat(48);
    let row = |release: u32| {
        format!("peer.admit {NODE} release {release} pcr0 {pcr} pcr1 {pcr} pcr2 {pcr}")
    };
    assert_eq!(fixture.audited().await, [row(3), row(4)]);
    assert_eq!(audit::verify(&fixture.database).await, Ok(2));
}

#[tokio::test]
async fn peer_that_is_refused_and_admitted_by_turns_is_audited_once() {
    let fixture = fixture();
    for round in 0..10 {
        fixture.note(Note::admitted(peer(1), admitted(3)), 10 + round);
        let refused = Note::refused(peer(1), NODE, NotAdmitted::Evidence);
        fixture.note(refused, 10 + round);
    }

    assert_eq!(fixture.audited().await.len(), 1);
    let listed = fixture.list().await;
    let image = "ab".repeat(48);
    assert_eq!((listed[0].release, &listed[0].image), (3, &image));
    assert_eq!(listed[0].state, PeerState::Refused);
}

#[tokio::test]
async fn nodes_that_share_a_peer_id_are_audited_once_each() {
    let fixture = fixture();
    for round in 0..10 {
        for node in [NODE, NodeId([2; 32])] {
            let one = Admitted {
                node,
                ..admitted(3)
            };
            fixture.note(Note::admitted(peer(1), one), 10 + round);
        }
    }

    assert_eq!(fixture.audited().await.len(), 2);
}

#[tokio::test]
async fn node_that_is_named_when_a_peer_is_refused_has_no_image_of_another() {
    let fixture = fixture();
    fixture.note(Note::admitted(peer(1), admitted(3)), 10);
    let other = NodeId([2; 32]);

    fixture.note(Note::refused(peer(1), other, NotAdmitted::Identity), 20);

    let listed = fixture.list().await;
    assert_eq!(listed[0].node, Some(other.to_string()));
    assert_eq!((listed[0].release, listed[0].image.as_str()), (0, ""));
}

#[tokio::test]
async fn refused_peer_is_listed_with_its_reason_and_for_how_long_it_is_kept_out() {
    let fixture = fixture();
    let refused = Note::refused(peer(1), NODE, NotAdmitted::Measurement);
    fixture.note(refused, 10);
    let wait = Duration::from_secs(60);
    fixture.note(Note::changed(peer(1), Standing::Refused { wait }), 11);
    fixture.note(Note::changed(peer(1), Standing::Gone), 12);

    let listed = fixture.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, PeerState::Refused);
    assert_eq!(
        listed[0].why,
        "its image is not accepted by the network file"
    );
    assert_eq!((listed[0].since, listed[0].expires), (10, 71));
    assert!(fixture.audited().await.is_empty());
}

#[tokio::test]
async fn peer_that_does_not_admit_this_node_is_listed_and_one_that_has_is_not_blamed() {
    let fixture = fixture();
    fixture.note(Note::admitted(peer(1), admitted(3)), 10);
    let wait = Duration::from_secs(60);
    for seed in [1, 2] {
        let refused = Note::changed(peer(seed), Standing::Refused { wait });
        fixture.note(refused, 11);
    }

    let listed = fixture.list().await;
    let refused = listed.iter().find(|one| one.peer == peer_text(&peer(2)));
    let refused = refused.expect("listed");
    assert_eq!(listed.len(), 2);
    assert_eq!(refused.state, PeerState::Refused);
    assert_eq!(refused.why, "it does not admit this node");
    assert_eq!((refused.node.as_ref(), refused.expires), (None, 71));
    assert_eq!(listed[0].state, PeerState::Admitted);
}

#[tokio::test]
async fn peer_that_goes_is_away_and_nobody_is_connected_after_a_start() {
    let fixture = fixture();
    for seed in [1, 2] {
        fixture.note(Note::admitted(peer(seed), admitted(3)), 10);
    }
    fixture.note(Note::changed(peer(1), Standing::Gone), 20);
    let states = |listed: Vec<Listed>| -> Vec<_> {
        listed.iter().map(|peer| (peer.state, peer.since)).collect()
    };
    let (here, away) = (PeerState::Admitted, PeerState::Away);
    assert_eq!(states(fixture.list().await), [(here, 10), (away, 20)]);

    fixture.peers.begin(30).await.expect("begun");

    assert_eq!(states(fixture.list().await), [(away, 30), (away, 20)]);
}

#[tokio::test]
async fn remembered_peers_are_bounded_and_admitted_ones_stay() {
    let fixture = fixture();
    for seed in [1, 3] {
        fixture.note(Note::admitted(peer(seed), admitted(3)), 1);
    }
    fixture.note(Note::changed(peer(3), Standing::Gone), 2);
    fixture
        .database
        .transact(|connection| {
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                 INSERT INTO peer SELECT randomblob(38), NULL, 'refused', '', 10 + i, 0, '', 0, x''
                 FROM n",
                [PEERS],
            )
        })
        .await
        .expect("filled");
    let newest = Note::refused(peer(2), NODE, NotAdmitted::Slow);
    fixture.note(newest, 99_999);

    let listed = fixture.list().await;

    assert_eq!(i64::try_from(listed.len()), Ok(PEERS));
    assert_eq!(listed[0].peer, peer_text(&peer(1)));
    // One that was admitted once is remembered rather than those who never were.
    assert_eq!(listed[1].peer, peer_text(&peer(3)));
    assert_eq!(listed[2].peer, peer_text(&peer(2)));
    fixture
        .peers
        .sweep(99_999 + REMEMBERED)
        .await
        .expect("swept");
    assert_eq!(fixture.list().await.len(), 2);
}

#[test]
fn operators_find_each_reason_in_their_guide() {
    let guide = include_str!("../../../../docs/operator-guide.md");
    let reasons = [
        NotAdmitted::Evidence,
        NotAdmitted::Identity,
        NotAdmitted::Measurement,
        NotAdmitted::Network,
        NotAdmitted::Slow,
        NotAdmitted::TooMany,
        NotAdmitted::Unready,
    ]
    .map(reason);

    let missing = reasons.iter().filter(|text| {
        let row = format!("\n| {text} |");
        !guide.contains(&row)
    });
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
}
