use tokio::sync::oneshot;

use super::*;
use crate::database::Options;
use crate::space::fixture::{append, space};

const MAILBOX: MailboxId = MailboxId([7; 16]);
const NOW: UnixMillis = UnixMillis(1_000);

struct Fixture {
    database: Database,
    mailboxes: Mailboxes,
    space: SpaceId,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let database = Database::open(&path, Options::default()).expect("opened");
    let space = space(&database, 1).await;
    let mailboxes = Mailboxes::new(database.clone());
    assert!(mailboxes.bind(space, MAILBOX).is_ok());
    Fixture {
        database,
        mailboxes,
        space,
        _folder: folder,
    }
}

fn post(number: u16) -> Post {
    let mut delivery = [0; 16];
    delivery[..2].copy_from_slice(&number.to_be_bytes());
    Post {
        mailbox: MAILBOX,
        delivery: DeliveryId(delivery),
        expires: UnixMillis(2_000),
        bytes: number.to_be_bytes().to_vec(),
    }
}

impl Fixture {
    async fn put(&self, post: Post) -> MailOutcome {
        let (told, outcome) = oneshot::channel();
        let queued = self
            .mailboxes
            .put(post, |outcome| told.send(outcome).expect("heard"));
        assert!(queued.is_ok());
        outcome.await.expect("told")
    }

    async fn page(&self, behind: u64) -> Vec<u16> {
        let page = self.mailboxes.page(self.space, behind, NOW).await;
        let number = |mail: &Mail| u16::from_be_bytes(mail.bytes[..].try_into().expect("two"));
        page.expect("read").iter().map(number).collect()
    }

    async fn newest(&self) -> u64 {
        let page = self.mailboxes.page(self.space, 0, NOW).await;
        page.expect("read").last().expect("mail").number
    }

    fn forget(&self, after: u64, through: u64) {
        self.forget_some(after, 0, through);
    }

    fn forget_some(&self, after: u64, behind: u64, through: u64) {
        let space = self.space;
        let applied = Applied {
            space,
            after,
            through,
            behind,
        };
        assert!(self.mailboxes.forget(applied).is_ok());
    }
}

#[tokio::test]
async fn mail_is_read_in_the_order_of_its_arrival_a_page_at_a_time() {
    let fixture = fixture().await;
    for number in 0..70 {
        assert_eq!(fixture.put(post(number)).await, MailOutcome::Stored);
    }
    let first = fixture.page(0).await;
    assert_eq!(first, (0..64).collect::<Vec<_>>());

    assert_eq!(
        fixture.page(fixture.newest().await).await,
        [64, 65, 66, 67, 68, 69]
    );
    assert!(fixture.page(u64::MAX).await.is_empty());
}

#[tokio::test]
async fn page_that_was_asked_for_after_a_put_has_it() {
    let fixture = fixture().await;
    let queued = fixture.mailboxes.put(post(5), |_| {});
    assert!(queued.is_ok());

    assert_eq!(fixture.page(0).await, [5]);
}

#[tokio::test]
async fn large_mail_fits_a_frame_and_gets_through_one_by_one() {
    let fixture = fixture().await;
    for number in 0..5 {
        let bytes = vec![1; limits::DELIVERY + 10_000];
        let large = Post {
            bytes,
            ..post(number)
        };
        fixture.put(large).await;
    }

    let page = fixture.mailboxes.page(fixture.space, 0, NOW).await;

    let total: usize = page
        .expect("read")
        .iter()
        .map(|mail| mail.bytes.len())
        .sum();
    assert!(total > 0 && total < limits::LINK_FRAME, "{total}");
}

#[tokio::test]
async fn repeat_is_stored_once() {
    let fixture = fixture().await;
    fixture.put(post(1)).await;

    assert_eq!(fixture.put(post(1)).await, MailOutcome::Stored);
    assert_eq!(fixture.mailboxes.count().await, Ok((1, 2)));
}

#[tokio::test]
async fn mailbox_of_nobody_is_unknown_and_a_new_name_takes_the_place_of_the_old() {
    let fixture = fixture().await;
    let renamed = MailboxId([8; 16]);
    let foreign = Post {
        mailbox: renamed,
        ..post(1)
    };
    assert_eq!(fixture.put(foreign.clone()).await, MailOutcome::Unknown);
    fixture.put(post(2)).await;

    assert!(fixture.mailboxes.bind(fixture.space, renamed).is_ok());

    assert_eq!(fixture.put(foreign).await, MailOutcome::Stored);
    assert_eq!(fixture.put(post(3)).await, MailOutcome::Unknown);
    assert_eq!(fixture.page(0).await, [2, 1]);
}

#[tokio::test]
async fn what_its_vault_cannot_take_yet_stays_when_what_is_around_it_is_forgotten() {
    let fixture = fixture().await;
    for number in 1..=5 {
        fixture.put(post(number)).await;
    }
    let page = fixture.mailboxes.page(fixture.space, 0, NOW).await;
    let page = page.expect("read");

    fixture.forget_some(0, 0, page[0].number);
    fixture.forget_some(0, page[2].number, page[3].number);

    assert_eq!(fixture.page(0).await, [2, 3, 5]);
    assert_eq!(fixture.mailboxes.count().await, Ok((3, 6)));
}

#[tokio::test]
async fn full_mailbox_takes_no_more_until_something_is_forgotten() {
    let fixture = fixture().await;
    let space = fixture.space;
    fixture
        .database
        .transact(move |connection| {
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
                 INSERT INTO mail (space, delivery, expires, bytes)
                 SELECT ?1, randomblob(16), 9000, x'0001' FROM n",
                params![space.0, integer(limits::MAILBOX_MESSAGES)],
            )
        })
        .await
        .expect("filled");

    assert_eq!(fixture.put(post(1)).await, MailOutcome::Full);
    append(&fixture.database, space, 1, 1).await;
    let through = fixture.newest().await;
    fixture.forget(1, through);
    assert_eq!(fixture.put(post(1)).await, MailOutcome::Stored);
}

#[tokio::test]
async fn bytes_of_a_mailbox_are_bounded_too() {
    let fixture = fixture().await;
    let space = fixture.space;
    fixture
        .database
        .transact(move |connection| {
            connection.execute(
                "UPDATE space_use SET mail_bytes = ?2 WHERE space = ?1",
                params![space.0, integer(limits::MAILBOX_BYTES - 1)],
            )
        })
        .await
        .expect("nearly full");

    assert_eq!(fixture.put(post(1)).await, MailOutcome::Full);
}

#[tokio::test]
async fn mail_is_forgotten_behind_its_record_alone() {
    let fixture = fixture().await;
    for number in 1..=3 {
        fixture.put(post(number)).await;
    }
    append(&fixture.database, fixture.space, 1, 1).await;
    let through = fixture.newest().await;

    fixture.forget(2, through);
    assert_eq!(fixture.page(0).await, [1, 2, 3], "its record is not there");
    fixture.forget(1, through - 1);

    assert_eq!(fixture.page(0).await, [3]);
    assert_eq!(fixture.mailboxes.count().await, Ok((1, 2)));
}

#[tokio::test]
async fn expired_mail_is_not_shown_and_swept() {
    let fixture = fixture().await;
    let old = Post {
        expires: NOW,
        ..post(1)
    };
    fixture.put(old).await;
    fixture.put(post(2)).await;

    assert_eq!(fixture.page(0).await, [2]);
    assert_eq!(fixture.mailboxes.sweep(NOW).await, Ok(1));
    assert_eq!(fixture.mailboxes.count().await, Ok((1, 2)));
}

#[tokio::test]
async fn mailbox_that_cannot_be_read_now_is_read_later_and_not_called_empty() {
    let fixture = fixture().await;
    assert_eq!(fixture.put(post(1)).await, MailOutcome::Stored);
    let rename = |statement: &'static str| {
        let renamed = fixture
            .database
            .transact(move |connection| connection.execute_batch(statement));
        async move { renamed.await.expect("renamed") }
    };
    rename("ALTER TABLE mail RENAME TO mail_away").await;

    let asked = std::cell::Cell::new(false);
    let given_up =
        fixture
            .mailboxes
            .page_when_readable((fixture.space, 0), || NOW, || !asked.replace(true));
    assert_eq!(given_up.await, None, "nobody wants it any more");
    let read = fixture
        .mailboxes
        .page_when_readable((fixture.space, 0), || NOW, || true);
    let mend = async {
        assert!(fixture.mailboxes.page(fixture.space, 0, NOW).await.is_err());
        rename("ALTER TABLE mail_away RENAME TO mail").await;
    };
    let (items, ()) = tokio::join!(read, mend);

    assert_eq!(items.map(|items| items.len()), Some(1));
}
