use vettid_crypto::InvitationSecret;
use vettid_wire::invitation::{Halves, stored};

use super::*;
use crate::database::Options;
use crate::invitation;
use crate::object_store::{FolderStore, ObjectName, ObjectStore};
use crate::vault_log::{Append, Record, SqliteLog};

const NOW: u64 = 1_800_000_000;
const HALF_HOUR: u64 = 1_800;

struct Fixture {
    folder: tempfile::TempDir,
    database: Database,
    directory: Directory,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let database = Database::open(&path, Options::default()).expect("opened");
    let directory = Directory::new(database.clone());
    Fixture {
        folder,
        database,
        directory,
    }
}

impl Fixture {
    async fn invite(&self, lifetime: u64) -> (u64, InvitationSecret) {
        invitation::create(&self.database, "a".into(), lifetime, NOW)
            .await
            .expect("made")
    }

    async fn enroll(
        &self,
        secret: &InvitationSecret,
        user: &str,
        now: u64,
    ) -> Result<Enrolled, EnrollRefusal> {
        let hash = stored(&Halves::of(secret).host);
        self.directory
            .enroll(hash, user.to_owned(), now)
            .await
            .expect("written")
    }

    async fn enrolled(&self, user: &str) -> Enrolled {
        let (_, secret) = self.invite(60).await;
        self.enroll(&secret, user, NOW).await.expect("enrolled")
    }

    async fn append_first_record(&self, space: SpaceId) {
        let log = SqliteLog::new(self.database.clone());
        let (appender, mut outcomes) = log.appender();
        let bytes = bytes::Bytes::from_static(b"x");
        let record = Record {
            number: 1,
            checkpoint: true,
            bytes,
        };
        appender.append(Append { space, record }).expect("room");
        assert_eq!(outcomes.next().await.result, Ok(()));
    }

    async fn states(&self) -> Vec<SpaceState> {
        self.directory
            .list()
            .await
            .expect("listed")
            .into_iter()
            .map(|s| s.state)
            .collect()
    }

    async fn revoked(&self, user: &'static str) -> bool {
        let at = self
            .database
            .read(move |connection| crate::bus::revocation::revoked_until(connection, user))
            .await;
        at.expect("read").is_some()
    }
}

#[tokio::test]
async fn invitation_can_be_used_once() {
    let fixture = fixture();
    let (_, secret) = fixture.invite(60).await;
    let first = fixture.enroll(&secret, "UA", NOW).await;

    assert!(first.is_ok());
    assert_eq!(
        fixture.enroll(&secret, "UB", NOW).await,
        Err(EnrollRefusal::Used)
    );
    assert_eq!(fixture.states().await, [SpaceState::Pending]);
}

#[tokio::test]
async fn same_device_gets_the_same_answer_until_enrollment_expires() {
    let fixture = fixture();
    let (_, secret) = fixture.invite(60).await;
    let first = fixture.enroll(&secret, "UA", NOW).await.expect("enrolled");

    let again = fixture
        .enroll(&secret, "UA", NOW + 100)
        .await
        .expect("again");
    assert_eq!((again.space, again.device), (first.space, first.device));

    let late = fixture.enroll(&secret, "UA", NOW + HALF_HOUR).await;
    assert_eq!(late, Err(EnrollRefusal::Used));
}

#[tokio::test]
async fn same_device_cannot_use_its_invitation_again_once_its_vault_is_there() {
    let fixture = fixture();
    let (_, secret) = fixture.invite(60).await;
    let first = fixture.enroll(&secret, "UA", NOW).await.expect("enrolled");
    fixture.directory.begun(first.space).await;

    assert_eq!(
        fixture.enroll(&secret, "UA", NOW).await,
        Err(EnrollRefusal::Used)
    );
}

#[tokio::test]
async fn expired_revoked_and_foreign_invitations_are_told_apart() {
    let fixture = fixture();
    let (_, expired) = fixture.invite(60).await;
    let (id, revoked) = fixture.invite(60).await;
    invitation::revoke(&fixture.database, id, NOW)
        .await
        .expect("revoked");
    let foreign = vettid_crypto::SecretBytes::from_bytes([7; 32]);

    assert_eq!(
        fixture.enroll(&expired, "UA", NOW + 60).await,
        Err(EnrollRefusal::Expired)
    );
    assert_eq!(
        fixture.enroll(&revoked, "UA", NOW).await,
        Err(EnrollRefusal::Revoked)
    );
    assert_eq!(
        fixture.enroll(&foreign, "UA", NOW).await,
        Err(EnrollRefusal::Unknown)
    );
    assert_eq!(fixture.states().await, []);
}

#[tokio::test]
async fn vaults_half_of_an_invitation_is_no_token_for_the_host() {
    let fixture = fixture();
    let (_, secret) = fixture.invite(60).await;
    let hash = stored(&Halves::of(&secret).vault);

    let refused = fixture
        .directory
        .enroll(hash, "UA".into(), NOW)
        .await
        .expect("read");

    assert_eq!(refused, Err(EnrollRefusal::Unknown));
}

#[tokio::test]
async fn device_key_is_never_used_twice() {
    let fixture = fixture();
    fixture.enrolled("UA").await;
    let (_, secret) = fixture.invite(60).await;

    assert_eq!(
        fixture.enroll(&secret, "UA", NOW).await,
        Err(EnrollRefusal::KeyInUse)
    );
    assert!(fixture.enroll(&secret, "UB", NOW).await.is_ok());
}

#[tokio::test]
async fn invitations_show_their_state() {
    let fixture = fixture();
    let (used, secret) = fixture.invite(60).await;
    let (revoked, _) = fixture.invite(60).await;
    let (open, _) = fixture.invite(600).await;
    let (expired, _) = fixture.invite(60).await;
    fixture.enroll(&secret, "UA", NOW).await.expect("enrolled");
    invitation::revoke(&fixture.database, revoked, NOW)
        .await
        .expect("revoked");

    let listed = invitation::list(&fixture.database, NOW + 60)
        .await
        .expect("listed");

    let states: Vec<_> = listed
        .into_iter()
        .map(|listed| (listed.id, listed.state))
        .collect();
    use invitation::State::{Expired, Open, Revoked, Used};
    assert_eq!(
        states,
        [
            (expired, Expired),
            (open, Open),
            (revoked, Revoked),
            (used, Used)
        ]
    );
}

#[tokio::test]
async fn invitation_that_is_not_open_cannot_be_revoked() {
    let fixture = fixture();
    let (id, secret) = fixture.invite(60).await;
    fixture.enroll(&secret, "UA", NOW).await.expect("enrolled");

    for id in [id, 99] {
        let refused = invitation::revoke(&fixture.database, id, NOW).await;
        assert_eq!(refused, Err(invitation::InvitationError::NotOpen));
    }
}

#[tokio::test]
async fn suspended_space_is_not_opened_and_its_credentials_are_void() {
    let fixture = fixture();
    let space = fixture.enrolled("UA").await.space;
    fixture.directory.begun(space).await;
    let log = SqliteLog::new(fixture.database.clone());

    fixture
        .directory
        .suspend(space, NOW)
        .await
        .expect("suspended");

    assert_eq!(fixture.directory.entry(space, &log).await, None);
    assert!(fixture.revoked("UA").await);
    let renewed = fixture
        .directory
        .renew("UA".into(), NOW)
        .await
        .expect("read");
    assert_eq!(renewed, Err(RenewRefusal::Suspended));
    let again = fixture.directory.suspend(space, NOW).await;
    assert_eq!(again, Err(SpaceError::Unsuitable("active")));
}

#[tokio::test]
async fn resumed_space_gets_credentials_that_the_revocation_does_not_void() {
    let fixture = fixture();
    let space = fixture.enrolled("UA").await.space;
    fixture.directory.begun(space).await;
    fixture
        .directory
        .suspend(space, NOW)
        .await
        .expect("suspended");
    fixture.directory.resume(space, NOW).await.expect("resumed");

    let renewed = fixture
        .directory
        .renew("UA".into(), NOW)
        .await
        .expect("read")
        .expect("renewed");

    assert_eq!((renewed.space, renewed.not_before), (space, NOW + 1));
}

#[tokio::test]
async fn removed_space_leaves_no_row_no_record_and_no_object() {
    let fixture = fixture();
    let space = fixture.enrolled("UA").await.space;
    fixture.append_first_record(space).await;
    let objects = FolderStore::open(&fixture.folder.path().join("objects")).expect("opened");
    let name = ObjectName::parse(&format!("spaces/{space}/1/0")).expect("name");
    objects
        .put_if_absent(name.clone(), bytes::Bytes::from_static(b"x"))
        .await
        .expect("stored");

    fixture.directory.remove(space, NOW).await.expect("removed");
    fixture
        .directory
        .sweep_objects(&objects)
        .await
        .expect("swept");

    assert_eq!(fixture.states().await, []);
    let log = SqliteLog::new(fixture.database.clone());
    assert_eq!(log.list().await, Ok(vec![]));
    assert_eq!(objects.get(name, None).await, Ok(None));
    let renewed = fixture
        .directory
        .renew("UA".into(), NOW)
        .await
        .expect("read");
    assert_eq!(renewed, Err(RenewRefusal::Unknown));
    assert!(fixture.revoked("UA").await);
}

#[tokio::test]
async fn abandoned_enrollment_leaves_nothing_after_half_an_hour() {
    let fixture = fixture();
    let abandoned = fixture.enrolled("UA").await.space;
    let finished = fixture.enrolled("UB").await.space;
    fixture.append_first_record(finished).await;

    assert_eq!(
        fixture.directory.sweep_pending(NOW + HALF_HOUR - 1).await,
        Ok(vec![])
    );
    assert_eq!(
        fixture.directory.sweep_pending(NOW + HALF_HOUR).await,
        Ok(vec![abandoned])
    );

    assert_eq!(fixture.states().await, [SpaceState::Active]);
}

#[tokio::test]
async fn fresh_space_is_opened_with_the_token_hash_and_a_begun_one_without() {
    let fixture = fixture();
    let (_, secret) = fixture.invite(60).await;
    let space = fixture
        .enroll(&secret, "UA", NOW)
        .await
        .expect("enrolled")
        .space;
    let log = SqliteLog::new(fixture.database.clone());
    let token_hash = stored(&Halves::of(&secret).vault);
    let fresh = Some((Entry::Fresh { token_hash }, 0));
    assert_eq!(fixture.directory.entry(space, &log).await, fresh);

    fixture.append_first_record(space).await;

    assert_eq!(
        fixture.directory.entry(space, &log).await,
        Some((Entry::Existing, 1))
    );
    assert_eq!(fixture.directory.entry(SpaceId([9; 16]), &log).await, None);
}

#[tokio::test]
async fn what_the_operator_did_is_in_the_audit() {
    let fixture = fixture();
    let space = fixture.enrolled("UA").await.space;
    fixture.directory.begun(space).await;
    fixture
        .directory
        .suspend(space, NOW)
        .await
        .expect("suspended");
    fixture.directory.resume(space, NOW).await.expect("resumed");
    fixture.directory.remove(space, NOW).await.expect("removed");

    assert_eq!(audit::verify(&fixture.database).await, Ok(4));
}
