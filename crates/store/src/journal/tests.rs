//! What a batch promises: one commit for all, each refusal for itself, and no answer before the commit.

use rusqlite::params;

use super::*;
use crate::error::Row;

type Told<T> = oneshot::Receiver<Result<T, StoreError>>;

/// Verbs that wait together, over a journal of two tables.
struct Bench {
    connection: Connection,
    waiting: Vec<(Access, Work)>,
}

impl Bench {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE word (text TEXT NOT NULL UNIQUE);
                 CREATE TABLE child (parent TEXT REFERENCES word (text) DEFERRABLE INITIALLY DEFERRED);",
            )
            .unwrap();
        Self {
            connection,
            waiting: Vec::new(),
        }
    }

    fn verb<T: Send + 'static>(
        &mut self,
        access: Access,
        verb: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Told<T> {
        let (work, told) = work(verb);
        self.waiting.push((access, work));
        told
    }

    fn write(&mut self, text: &'static str) -> Told<()> {
        self.verb(Access::Write, move |connection| {
            Ok(insert(connection, text)?)
        })
    }

    /// Writes `text`, and is refused afterwards.
    fn refused(&mut self, text: &'static str) -> Told<()> {
        self.verb(Access::Guarded, move |connection| {
            insert(connection, text)?;
            Err(refusal())
        })
    }

    fn read(&mut self) -> Told<Vec<String>> {
        self.verb(Access::Read, |connection| Ok(words(connection)?))
    }

    fn run(&mut self) {
        Writer::new(&self.connection).batch(std::mem::take(&mut self.waiting));
        assert!(
            self.connection.is_autocommit(),
            "a transaction was left open"
        );
    }

    fn words(&self) -> Vec<String> {
        words(&self.connection).unwrap()
    }
}

fn insert(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT INTO word (text) VALUES ($1)", params![text])?;
    Ok(())
}

fn words(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut words = connection.prepare("SELECT text FROM word ORDER BY rowid")?;
    words.query_map((), |row| row.get(0))?.collect()
}

fn refusal() -> StoreError {
    StoreError::Conflict {
        row: Row::Message,
        id: 1,
        verb: "refused",
        found: None,
    }
}

fn told<T>(mut told: Told<T>) -> Result<T, StoreError> {
    match told.try_recv() {
        Ok(result) => result,
        Err(none) => panic!("no answer was given: {none}"),
    }
}

#[test]
fn a_verb_that_is_refused_undoes_its_own_work_alone() {
    let mut bench = Bench::new();
    let (one, two, three) = (
        bench.write("one"),
        bench.refused("two"),
        bench.write("three"),
    );
    let clash = bench.verb(Access::Guarded, |connection| Ok(insert(connection, "one")?));
    let four = bench.write("four");
    bench.run();
    assert!(told(one).is_ok() && told(three).is_ok() && told(four).is_ok());
    assert!(matches!(told(two), Err(StoreError::Conflict { .. })));
    assert!(matches!(told(clash), Err(StoreError::Database(_))));
    assert_eq!(bench.words(), ["one", "three", "four"]);
}

#[test]
fn nobody_is_answered_before_the_commit_but_those_who_read_before_the_first_write() {
    let mut bench = Bench::new();
    let mut early = bench.read();
    let mut write = bench.write("one");
    let mut late = bench.read();
    let answered = bench.verb(Access::Write, move |_| {
        Ok([
            early.try_recv().is_ok(),
            write.try_recv().is_ok(),
            late.try_recv().is_ok(),
        ])
    });
    bench.run();
    assert_eq!(told(answered).unwrap(), [true, false, false]);
}

#[test]
fn a_read_behind_a_write_sees_it() {
    let mut bench = Bench::new();
    let before = bench.read();
    let write = bench.write("one");
    let behind = bench.read();
    bench.run();
    assert!(told(write).is_ok());
    assert!(told(before).unwrap().is_empty());
    assert_eq!(told(behind).unwrap(), ["one"]);
}

#[test]
fn a_commit_that_fails_fails_every_verb_of_its_batch_and_no_other() {
    let mut bench = Bench::new();
    let early = bench.read();
    let one = bench.write("one");
    let refused = bench.refused("two");
    // Only the commit finds that the word is missing.
    let orphan = bench.verb(Access::Write, |connection| {
        connection.execute("INSERT INTO child (parent) VALUES ('nobody')", ())?;
        Ok(())
    });
    let read = bench.read();
    bench.run();
    assert!(told(early).is_ok());
    assert!(matches!(told(one), Err(StoreError::Database(_))));
    assert!(matches!(told(refused), Err(StoreError::Database(_))));
    assert!(matches!(told(orphan), Err(StoreError::Database(_))));
    assert!(matches!(told(read), Err(StoreError::Database(_))));
    assert!(bench.words().is_empty());

    let next = bench.write("next");
    bench.run();
    assert!(told(next).is_ok());
    assert_eq!(bench.words(), ["next"]);
}

#[test]
fn a_database_that_fails_halfway_leaves_no_half_of_a_verb() {
    let mut bench = Bench::new();
    let one = bench.write("one");
    let half = bench.verb(Access::Write, |connection| {
        insert(connection, "half")?;
        Ok(insert(connection, "one")?)
    });
    bench.run();
    assert!(matches!(told(half), Err(StoreError::Database(_))));
    assert!(matches!(told(one), Err(StoreError::Database(_))));
    assert!(bench.words().is_empty());
}

#[test]
fn a_full_disk_takes_the_whole_batch_back_and_is_named_to_all() {
    let mut bench = Bench::new();
    let pages: i64 = bench
        .connection
        .query_row("PRAGMA page_count", (), |row| row.get(0))
        .unwrap();
    let limit = |pages: i64| format!("PRAGMA max_page_count = {pages}");
    bench
        .connection
        .query_row(&limit(pages + 1), (), |_| Ok(()))
        .unwrap();
    let before = bench.write("before");
    let large = bench.verb(Access::Write, |connection| {
        Ok(insert(connection, &"x".repeat(100_000))?)
    });
    let after = bench.write("after");
    let read = bench.read();
    bench.run();
    for told in [
        told(before),
        told(large),
        told(after),
        told(read).map(|_| ()),
    ] {
        let error = told.expect_err("nothing was written");
        assert!(error.to_string().contains("full"), "{error}");
    }
    assert!(bench.words().is_empty());

    bench
        .connection
        .query_row(&limit(1_000_000), (), |_| Ok(()))
        .unwrap();
    let again = bench.write("again");
    bench.run();
    assert!(told(again).is_ok());
}

#[test]
fn reads_alone_open_no_transaction() {
    let mut bench = Bench::new();
    let state = bench.verb(Access::Read, |connection| Ok(connection.is_autocommit()));
    bench.run();
    assert!(told(state).unwrap());
}
