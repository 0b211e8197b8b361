use super::*;

fn open(folder: &Path, options: Options) -> Database {
    Database::open(&folder.join("node.db"), options).expect("opened")
}

async fn remember(
    database: &Database,
    name: &'static str,
    value: Vec<u8>,
) -> Result<(), WriteError> {
    database
        .transact(move |connection| {
            connection
                .execute(
                    "INSERT OR REPLACE INTO fact VALUES (?1, ?2)",
                    (name, &value),
                )
                .map(drop)
        })
        .await
}

async fn facts(database: &Database) -> i64 {
    database
        .read(|connection| connection.query_row("SELECT count(*) FROM fact", [], |row| row.get(0)))
        .await
        .expect("read")
}

#[tokio::test]
async fn settled_change_is_there_after_the_database_is_opened_again() {
    let folder = tempfile::tempdir().expect("folder");
    let database = open(folder.path(), Options::default());
    remember(&database, "a", vec![1]).await.expect("written");
    drop(database);

    assert_eq!(facts(&open(folder.path(), Options::default())).await, 1);
}

#[tokio::test]
async fn change_of_others_stands_when_one_in_the_batch_fails() {
    let folder = tempfile::tempdir().expect("folder");
    let database = open(folder.path(), Options::default());
    let broken = database.transact(|connection| connection.execute("INSERT INTO nothing", []));
    let (broken, first, second) = tokio::join!(
        broken,
        remember(&database, "a", vec![1]),
        remember(&database, "b", vec![2])
    );

    assert_eq!(broken, Err(WriteError::Failed));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(facts(&database).await, 2);
}

#[tokio::test]
async fn full_database_says_so_keeps_nothing_and_recovers() {
    let folder = tempfile::tempdir().expect("folder");
    let database = open(
        folder.path(),
        Options {
            max_bytes: Some(400 * 1024),
        },
    );

    let refused = remember(&database, "large", vec![0; 1024 * 1024]).await;

    assert_eq!(refused, Err(WriteError::Full));
    assert!(!database.is_writable());
    assert_eq!(facts(&database).await, 0);
    assert_eq!(database.probe().await, Ok(()));
    assert!(database.is_writable());
    assert_eq!(remember(&database, "small", vec![0; 1024]).await, Ok(()));
}

#[tokio::test]
async fn probe_of_a_full_database_fails() {
    let folder = tempfile::tempdir().expect("folder");
    let database = open(
        folder.path(),
        Options {
            max_bytes: Some(200 * 1024),
        },
    );
    let mut written = 0;
    while remember(
        &database,
        ["a", "b", "c", "d", "e", "f", "g", "h"][written % 8],
        vec![0; 30_000],
    )
    .await
    .is_ok()
    {
        written += 1;
        assert!(written < 8, "never full");
    }

    assert_eq!(database.probe().await, Err(WriteError::Full));
}

#[tokio::test]
async fn database_of_a_later_release_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    drop(open(folder.path(), Options::default()));
    let connection = Connection::open(folder.path().join("node.db")).expect("opened");
    connection
        .pragma_update(None, "user_version", 99)
        .expect("raised");

    let refused = Database::open(&folder.path().join("node.db"), Options::default());

    assert!(matches!(
        refused.err(),
        Some(OpenError::Newer { found: 99, .. })
    ));
}

#[tokio::test]
async fn admin_audit_cannot_be_changed_or_removed() {
    let folder = tempfile::tempdir().expect("folder");
    let database = open(folder.path(), Options::default());
    let insert = "INSERT INTO admin_audit VALUES (1, 2, 'a', 'b', x'00', x'00')";
    database
        .transact(move |connection| connection.execute(insert, []))
        .await
        .expect("inserted");

    for forbidden in [
        "UPDATE admin_audit SET action = 'c'",
        "DELETE FROM admin_audit",
    ] {
        let outcome = database
            .transact(move |connection| connection.execute(forbidden, []))
            .await;
        assert_eq!(outcome, Err(WriteError::Failed));
    }
}

#[tokio::test]
async fn peers_audited_under_an_earlier_schema_are_known() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.db");
    let connection = Connection::open(&path).expect("opened");
    for step in &MIGRATIONS[..3] {
        connection.execute_batch(step).expect("applied");
    }
    connection
        .execute_batch(
            "INSERT INTO peer VALUES (x'01', x'0a', 'away', '', 7, 0, '', 3, x'0b');
             INSERT INTO peer VALUES (x'02', x'0a', 'away', '', 8, 0, '', 3, x'0b');
             INSERT INTO peer VALUES (x'03', x'0c', 'refused', '', 9, 0, '', 0, x'');
             PRAGMA user_version = 3;",
        )
        .expect("filled");
    drop(connection);

    let database = open(folder.path(), Options::default());

    let audited = database.read(|connection| {
        connection.query_row(
            "SELECT count(*), max(node), max(release) FROM audited_peer",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
    });
    let expected: (i64, Vec<u8>, i64) = (1, vec![10], 3);
    assert_eq!(audited.await, Ok(expected));
}
