use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::hooks::Action;
use rusqlite::session::{ChangesetIter, Session};
use vettid_crypto::{Entropy as _, SeededEntropy};

use super::*;
use crate::apply::Tables;

const SCHEMA: &str = "
    CREATE TABLE plain (number INTEGER NOT NULL PRIMARY KEY, text TEXT, weight REAL) STRICT;
    CREATE TABLE pairs (a BLOB NOT NULL, b INTEGER NOT NULL, said BLOB, PRIMARY KEY (b, a))
        STRICT, WITHOUT ROWID;
    CREATE TABLE large (id BLOB NOT NULL PRIMARY KEY, body BLOB CHECK (length(body) < 9)) STRICT;
    CREATE TABLE keys (id INTEGER NOT NULL PRIMARY KEY) STRICT;";

fn database() -> Connection {
    let connection = Connection::open_in_memory().expect("memory");
    connection.execute_batch(SCHEMA).expect("schema");
    connection
}

fn content(connection: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    for table in columns::tables(connection).expect("tables") {
        let columns = columns::of(connection, &table).expect("columns");
        let names: Vec<_> = columns.iter().map(|c| c.name.as_str()).collect();
        let sql = format!("SELECT {0} FROM {table} ORDER BY {0}", names.join(", "));
        let mut rows = connection.prepare(&sql).expect("select");
        let mut rows = rows.raw_query();
        while let Some(row) = rows.next().expect("row") {
            let values =
                (0..columns.len()).map(|at| format!("{:?}", row.get_ref(at).expect("value")));
            all.push(format!("{table} {}", values.collect::<Vec<_>>().join(" ")));
        }
    }
    all
}

/// Each change of a patchset, in an order of its own.
fn changes(patchset: &[u8]) -> Vec<String> {
    let mut bytes = patchset;
    let input: &mut dyn std::io::Read = &mut bytes;
    let mut changes = ChangesetIter::start_strm(&input).expect("patchset");
    let mut all = Vec::new();
    while let Some(change) = changes.next().expect("change") {
        let operation = change.op().expect("operation");
        let columns = usize::try_from(operation.number_of_columns()).expect("few");
        let values = (0..columns).map(|at| {
            let value = match operation.code() {
                Action::SQLITE_DELETE => change.old_value(at),
                _ => change.new_value(at),
            };
            format!("{:?}", value.ok())
        });
        let values: Vec<_> = values.collect();
        all.push(format!(
            "{} {:?} {values:?}",
            operation.table_name(),
            operation.code()
        ));
    }
    all.sort();
    all
}

/// One of many statements; some fail.
fn statement(entropy: &mut SeededEntropy) -> String {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    let [kind, a, b, c] = bytes;
    let (a, b) = (a % 6, b % 6);
    match kind % 16 {
        0 => format!("INSERT INTO plain VALUES ({a}, 't{b}', {c}.5)"),
        1 => format!("INSERT OR REPLACE INTO plain VALUES ({a}, NULL, {c})"),
        2 => format!("UPDATE plain SET text = 't{b}' WHERE number <= {a}"),
        3 => format!("UPDATE plain SET number = {b} WHERE number = {a}"),
        4 => format!("DELETE FROM plain WHERE number = {a}"),
        5 => format!("INSERT INTO pairs VALUES (x'0{a}', {b}, zeroblob({c}))"),
        6 => format!(
            "INSERT INTO pairs VALUES (x'0{a}', {b}, x'0{a}') ON CONFLICT DO UPDATE SET said = NULL"
        ),
        7 => format!("UPDATE pairs SET a = x'0{b}' WHERE b = {a}"),
        8 => format!("DELETE FROM pairs WHERE b > {b}"),
        9 => format!("INSERT INTO large VALUES (zeroblob(200 + {a}), zeroblob({c} % 12))"),
        10 => format!("UPDATE large SET body = zeroblob({c} % 12)"),
        11 => "DELETE FROM large".to_owned(),
        12 => format!("INSERT INTO keys VALUES ({a}), ({b}), ({c})"),
        13 => format!("UPDATE keys SET id = id + {b}"),
        14 => format!(
            "SAVEPOINT part; DELETE FROM keys WHERE id = {a}; UPDATE plain SET weight = {c}; ROLLBACK TO part; RELEASE part"
        ),
        _ => format!("DELETE FROM keys WHERE id = {c}"),
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "of a connection without a recorder"
)]
fn whatever_a_transaction_does_is_recorded_as_sqlite_records_it() {
    let mut entropy = SeededEntropy::dangerous_new(1);
    let (mut ours, theirs, replayed) = (database(), database(), database());
    let recorder = Recorder::of(&mut ours).expect("recorder");
    let mut tables = Tables::of(&replayed).expect("tables");
    let mut recorded = 0;
    for round in 0..2_000 {
        let mut session = Session::new(&theirs).expect("session");
        session.attach(None::<&str>).expect("attached");
        for connection in [&ours, &theirs] {
            connection.execute_batch("BEGIN").expect("begin");
        }
        let recording = recorder.record(&ours).expect("recording");
        for _ in 0..round % 9 {
            let sql = statement(&mut entropy);
            let [first, second] = [&ours, &theirs].map(|it| it.execute_batch(&sql).is_ok());
            assert_eq!(first, second, "{sql}");
            for connection in [&ours, &theirs] {
                // A part that fails is not undone by itself.
                let _ = connection.execute_batch("ROLLBACK TO part; RELEASE part");
            }
        }
        let changeset = recording.changeset(&ours).expect("changeset");
        drop(recording);
        let mut expected = Vec::new();
        session.patchset_strm(&mut expected).expect("patchset");
        drop(session);
        for connection in [&ours, &theirs] {
            connection.execute_batch("COMMIT").expect("commit");
        }
        let bytes = changeset.as_ref().map(|it| it.expose(<[u8]>::to_vec));
        let bytes = bytes.unwrap_or_default();
        assert_eq!(changes(&bytes), changes(&expected), "round {round}");
        assert_eq!(bytes.len(), expected.len());
        if let Some(changeset) = &changeset {
            recorded += 1;
            tables.apply(&replayed, changeset).expect("applied");
        }
        assert_eq!(content(&replayed), content(&ours));
    }
    assert!(recorded > 500, "{recorded} transactions changed something");
}

#[test]
fn what_is_undone_or_done_outside_a_transaction_leaves_nothing() {
    let mut connection = database();
    let recorder = Recorder::of(&mut connection).expect("recorder");
    connection
        .execute_batch("INSERT INTO keys VALUES (1)")
        .expect("row");

    let recording = recorder.record(&connection).expect("recording");
    connection
        .execute_batch("INSERT INTO keys VALUES (2); DELETE FROM keys WHERE id = 2")
        .expect("rows");
    connection
        .execute_batch("DELETE FROM keys; INSERT INTO keys VALUES (1)")
        .expect("rows");
    assert!(
        recording
            .changeset(&connection)
            .expect("recorded")
            .is_none()
    );
    drop(recording);

    let recording = recorder.record(&connection).expect("recording");
    connection
        .execute_batch("INSERT INTO keys VALUES (3)")
        .expect("row");
    drop(recording);
    let recording = recorder.record(&connection).expect("recording");
    assert!(
        recording
            .changeset(&connection)
            .expect("recorded")
            .is_none()
    );
}

#[test]
fn tables_that_come_later_are_recorded() {
    let mut connection = database();
    let recorder = Recorder::of(&mut connection).expect("recorder");
    recorder.learn(&connection).expect("learned");
    connection
        .execute_batch("CREATE TABLE late (id INTEGER NOT NULL PRIMARY KEY) STRICT")
        .expect("table");

    let recording = recorder.record(&connection).expect("recording");
    connection
        .execute_batch("INSERT INTO late VALUES (1)")
        .expect("row");
    let changeset = recording
        .changeset(&connection)
        .expect("recorded")
        .expect("a change");
    assert_eq!(changeset.expose(changes).len(), 1);
}

#[test]
fn lengths_of_every_size_are_read_back() {
    for size in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
        let mut bytes = WipedVec::new(Vec::new());
        patchset::append(&mut bytes, ValueRef::Blob(&vec![7; size]));
        patchset::append(&mut bytes, ValueRef::Null);
        let values: Vec<_> = Values(&bytes).collect();

        assert_eq!(values.len(), 2);
        let blob = patchset::value(values[0]).expect("a value");
        assert_eq!(blob.as_blob().expect("a blob").len(), size);
    }
}

#[test]
fn transaction_with_a_change_that_cannot_be_recorded_has_no_changeset() {
    let mut connection = database();
    let recorder = Recorder::of(&mut connection).expect("recorder");

    // A table of the same transaction: nothing is known of its columns.
    let recording = recorder.record(&connection).expect("recording");
    connection
        .execute_batch(
            "CREATE TABLE late (id INTEGER NOT NULL PRIMARY KEY) STRICT;
             INSERT INTO keys VALUES (1);
             INSERT INTO late VALUES (1);",
        )
        .expect("changed");
    let lost = recording.changeset(&connection).err();
    drop(recording);

    assert_eq!(lost, Some(StoreError::Unrecorded));
    let recording = recorder.record(&connection).expect("recording");
    connection
        .execute("INSERT INTO late VALUES (2)", [])
        .expect("changed");
    let next = recording.changeset(&connection).expect("recorded");
    assert!(next.is_some(), "the next transaction knows the table");
}
