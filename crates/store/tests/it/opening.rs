//! What a start finds: nothing, a journal, another process, or damage.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use model::{Arrival, ChatKey, Clock, Identity, Inbound, Role, SessionKey};
use rusqlite::Connection;
use secrecy::ExposeSecret as _;
use store::{Listing, OpenError, OutgoingState, Store, Stumbled, Subject, TurnState};
use tempfile::TempDir;

use crate::nouns::{Journal, START, chat, message, number, outgoing, wamid};

/// A journal with a past, closed.
async fn closed() -> Result<TempDir> {
    let journal = Journal::new().await?;
    for n in 1..=40 {
        journal.asked(n).await?;
    }
    journal.store.close().await;
    Ok(journal.dir)
}

/// Runs `statements` on the file as another program would, and closes it.
fn raw(dir: &Path, statements: &str) -> Result<()> {
    let connection = Connection::open(dir.join("state.db"))?;
    connection.execute_batch(statements)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

async fn open(dir: &Path) -> Result<Store, OpenError> {
    Store::open(dir, Clock::standing_at(START)).await
}

/// What a start says to a `state.db` that cannot be read, after making sure that it left the file as it was.
async fn complaint(dir: &Path) -> Result<String> {
    let before = fs::read(dir.join("state.db"))?;
    match open(dir).await {
        Err(error @ OpenError::Unreadable { .. }) => {
            anyhow::ensure!(
                fs::read(dir.join("state.db"))? == before,
                "the file was changed"
            );
            Ok(error.to_string())
        }
        other => anyhow::bail!("{other:?}"),
    }
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[tokio::test]
async fn a_new_journal_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await.unwrap();
    assert!(store.is_new());
    store.close().await;
    assert!(!open(dir.path()).await.unwrap().is_new());
}

#[tokio::test]
async fn directory_and_files_are_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/state");
    let store = open(&state).await.unwrap();
    store.accept(&[message(1, 1)], None).await.unwrap();
    assert_eq!(mode(&state).unwrap(), 0o700);
    let mut names = Vec::new();
    for file in fs::read_dir(&state).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()).unwrap(), 0o600, "{file:?}");
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["lock", "state.db", "state.db-shm", "state.db-wal"]);
    store.close().await;

    fs::set_permissions(state.join("state.db"), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = open(&state).await.unwrap();
    assert_eq!(mode(&state.join("state.db")).unwrap(), 0o600);
}

#[tokio::test]
async fn p16_a_second_process_is_refused_and_told_of_the_first() {
    let journal = Journal::new().await.unwrap();
    journal.store.accept(&[message(1, 1)], None).await.unwrap();
    let error = open(journal.dir.path()).await.unwrap_err();
    let lock = journal.dir.path().join("lock");
    assert!(
        matches!(&error, OpenError::Locked { pid, path } if *pid == Some(std::process::id()) && *path == lock)
    );
    let text = error.to_string();
    assert!(
        text.contains(&format!("(pid {})", std::process::id()))
            && text.contains("stop that one first"),
        "{text}"
    );

    // The one that was refused has taken nothing away.
    assert!(open(journal.dir.path()).await.is_err());
    assert_eq!(journal.rows(1).await.unwrap().len(), 1);
    let kept = journal.store.clone();
    journal.store.close().await;
    assert!(kept.received(&chat(1), 10).await.is_err());
    assert!(open(journal.dir.path()).await.is_ok());
}

#[tokio::test]
async fn a_lock_file_without_its_process_is_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("lock"),
        "4194304999\nleft by a process that was killed\n",
    )
    .unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(
        fs::read_to_string(dir.path().join("lock")).unwrap(),
        format!("{}\n", std::process::id())
    );
    drop(store);
}

#[tokio::test]
async fn p8_an_empty_journal_file_is_damage_and_no_beginning() {
    let dir = closed().await.unwrap();
    fs::write(dir.path().join("state.db"), "").unwrap();
    let text = complaint(dir.path()).await.unwrap();
    assert!(
        text.contains("it is empty") && text.contains("state.db") && text.contains("move it away"),
        "{text}"
    );
}

#[tokio::test]
async fn p8_garbage_is_damage() {
    let dir = closed().await.unwrap();
    for garbage in [&b"{}"[..], &[0; 8192], &[0xa5; 100_000]] {
        fs::write(dir.path().join("state.db"), garbage).unwrap();
        let text = complaint(dir.path()).await.unwrap();
        assert!(
            text.contains("not a database") || text.contains("not this program's journal"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn p8_a_journal_cut_off_anywhere_is_damage() {
    let dir = closed().await.unwrap();
    let path = dir.path().join("state.db");
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 40_000, "several pages of each kind");
    for length in [
        1,
        15,
        16,
        99,
        100,
        512,
        4095,
        4096,
        8192,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&path, &whole[..length]).unwrap();
        let text = complaint(dir.path()).await.unwrap();
        let expected = if length < 100 {
            "it is not a database".to_owned()
        } else {
            format!("cut off at {length} of")
        };
        assert!(text.contains(&expected), "{length}: {text}");
    }
}

#[tokio::test]
async fn p8_a_page_overwritten_is_found_at_the_start() {
    let dir = closed().await.unwrap();
    let path = dir.path().join("state.db");
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    let mut found = 0;
    for page in 1..pages {
        let whole = bytes[page * 4096..(page + 1) * 4096].to_vec();
        bytes[page * 4096..(page + 1) * 4096].fill(0x5a);
        fs::write(&path, &bytes).unwrap();
        found += usize::from(complaint(dir.path()).await.is_ok());
        bytes[page * 4096..(page + 1) * 4096].copy_from_slice(&whole);
    }
    assert_eq!(found, pages - 1);
    fs::write(&path, &bytes).unwrap();
    assert!(open(dir.path()).await.is_ok());
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), "CREATE TABLE message (id INTEGER)").unwrap();
    let text = complaint(dir.path()).await.unwrap();
    assert!(text.contains("not this program's journal"), "{text}");
}

#[tokio::test]
async fn a_journal_of_a_newer_version_is_left_alone() {
    let dir = closed().await.unwrap();
    raw(dir.path(), "PRAGMA user_version = 9999").unwrap();
    let error = open(dir.path()).await.unwrap_err();
    assert!(
        matches!(&error, OpenError::Newer { version: 9999, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_start_that_was_cut_short_leaves_nothing_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state.db.new"), "half a draft").unwrap();
    fs::write(dir.path().join("state.db.new-journal"), "half a journal").unwrap();
    let store = open(dir.path()).await.unwrap();
    assert!(store.is_new());
    store.accept(&[message(1, 1)], None).await.unwrap();
    assert!(!dir.path().join("state.db.new").exists());
}

#[tokio::test]
async fn a_journal_that_was_moved_away_is_begun_anew_without_its_old_log() {
    let journal = Journal::new().await.unwrap();
    journal
        .store
        .accept(&[message(1, 1)], Some(Listing::new(&number(), START)))
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::copy(
        journal.dir.path().join("state.db-wal"),
        dir.path().join("state.db-wal"),
    )
    .unwrap();
    let store = open(dir.path()).await.unwrap();
    assert!(store.is_new());
    assert_eq!(store.listed_to(&number()).await.unwrap(), None);
    assert!(store.chats_with_work().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("state")).await.unwrap_err();
    assert!(
        matches!(&error, OpenError::Io { .. }) && error.to_string().contains("file/state"),
        "{error}"
    );
}

/// The statements that made a journal's tables and indexes.
fn schema(dir: &Path) -> Result<Vec<String>> {
    let connection = Connection::open(dir.join("state.db"))?;
    let mut made =
        connection.prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")?;
    let made = made.query_map((), |row| row.get(0))?;
    Ok(made.collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn an_older_journal_gets_the_schema_of_a_new_one() {
    let new = tempfile::tempdir().unwrap();
    open(new.path()).await.unwrap().close().await;
    for past in [
        include_str!("../data/journal-0001.sql"),
        include_str!("../data/journal-0002.sql"),
        include_str!("../data/journal-0003.sql"),
        include_str!("../data/journal-0004.sql"),
    ] {
        let old = tempfile::tempdir().unwrap();
        raw(old.path(), past).unwrap();
        open(old.path()).await.unwrap().close().await;
        assert_eq!(schema(old.path()).unwrap(), schema(new.path()).unwrap());
        assert!(!open(old.path()).await.unwrap().is_new());
    }
}

/// Every release leaves a journal here as it wrote it; each of them has to open with its rows.
#[tokio::test]
async fn a_journal_of_schema_1_opens_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), include_str!("../data/journal-0001.sql")).unwrap();

    let store = open(dir.path()).await.unwrap();
    assert!(!store.is_new());
    assert_eq!(store.listed_to(&number()).await.unwrap(), Some(START));
    assert_eq!(
        store
            .accept(&[message(1, 1), message(2, 1)], None)
            .await
            .unwrap()
            .duplicates,
        2
    );
    let turn = store.open_turn(&chat(1)).await.unwrap().unwrap();
    assert_eq!(
        (turn.state, turn.attempts, turn.said, turn.boot.as_deref()),
        (TurnState::Asked, 1, 1, Some("boot-1"))
    );
    assert_eq!(store.received(&chat(2), 10).await.unwrap().len(), 1);
    let head = store.next_outgoing(&chat(1)).await.unwrap().unwrap();
    assert_eq!(
        (head.state, head.outgoing),
        (OutgoingState::Unknown, outgoing(1, "first part"))
    );
    assert_eq!(
        store.first_unclaimed(&[wamid("wamid.out")]).await.unwrap(),
        None
    );
    assert_eq!(store.events().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_journal_of_schema_2_opens_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), include_str!("../data/journal-0002.sql")).unwrap();
    let store = open(dir.path()).await.unwrap();
    let counted: Vec<u64> = store
        .counters()
        .await
        .unwrap()
        .iter()
        .map(|(_, count)| *count)
        .collect();
    assert_eq!(counted, [1, 3, 2, 0, 1, 1, 2, 0]);
    let released = store.received(&chat(2), 10).await.unwrap();
    assert_eq!(released[0].released_at, Some(START));
    let dead: Vec<_> = store
        .dead(10)
        .await
        .unwrap()
        .into_iter()
        .map(|dead| dead.reason)
        .collect();
    assert_eq!(dead, ["waited 25 hours", "131047 Re-engagement message"]);

    let head = store.next_outgoing(&chat(1)).await.unwrap().unwrap();
    let announced = store.announced(&head, START).await.unwrap();
    assert_eq!(announced, Some(wamid("wamid.part")));
    store.sent(head.id, &wamid("wamid.part")).await.unwrap();
    let lives = store
        .trace(&Subject::Id(wamid("wamid.1.1")), 1)
        .await
        .unwrap();
    let [reply] = &lives[0].replies[..] else {
        panic!("{lives:?}")
    };
    assert_eq!(
        (reply.repeats, reply.delivery.as_deref()),
        (1, Some("delivered"))
    );
    let broken = store.stumbled(&chat(1), "panic").await.unwrap();
    assert!(matches!(broken, Stumbled::SetAside { what } if what.len() == 1));
}

fn session(key: &str) -> SessionKey {
    SessionKey::new(key).expect("the tests use plain keys")
}

#[tokio::test]
async fn the_sessions_of_older_turns_keep_their_senders() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), include_str!("../data/journal-0002.sql")).unwrap();
    let past = "INSERT INTO turn (chat, body, state, created_at) VALUES
        ('106540352242922/+15550000002', '{\"session\":\"agent:main:main-wa-1\"}', 'answered', 1),
        ('106540352242922/+15550000003', '', 'answered', 2),
        ('106540352242922/+15550000003', '{\"session\":', 'failed', 3),
        ('106540352242922/+15550000003', '{}', 'failed', 4)";
    raw(dir.path(), past).unwrap();
    let store = open(dir.path()).await.unwrap();
    let senders = store.session_senders(&session("main-wa-1")).await.unwrap();
    assert_eq!(senders, [chat(1), chat(2)]);
}

#[tokio::test]
async fn a_journal_of_schema_3_opens_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), include_str!("../data/journal-0003.sql")).unwrap();
    let store = open(dir.path()).await.unwrap();

    let ann = Identity::new("+5491155551234").unwrap();
    let hers = ChatKey::new(number(), &ann);
    let waiting = store.received(&hers, 10).await.unwrap().remove(0).inbound;
    assert_eq!(waiting.person(), ann);
    let next = Arrival::Message(Box::new(Inbound {
        id: wamid("wamid.5.2"),
        known_as: None,
        ..waiting.clone()
    }));
    let accepted = store.accept(&[next], None).await.unwrap();
    assert_eq!(accepted.fresh, [hers]);

    let pending = store.pairings().await.unwrap().remove(0);
    assert_eq!(
        (pending.code.as_str(), pending.chat, pending.name.as_deref()),
        ("K7PM2Q", chat(6), Some("Bo"))
    );
    let notice = store.next_outgoing(&chat(6)).await.unwrap().unwrap();
    let told = store
        .notice_once(&chat(6), &notice.outgoing, START)
        .await
        .unwrap();
    assert!(!told);
    let member = Role("member".to_owned());
    store.approve("k7pm2q", &member).await.unwrap();
    let approvals: Vec<_> = store
        .approvals()
        .await
        .unwrap()
        .into_iter()
        .map(|approval| (approval.chat, approval.role.0))
        .collect();
    assert_eq!(
        approvals,
        [(chat(7), "guest".to_owned()), (chat(6), member.0)]
    );
    let senders = store.session_senders(&session("main-wa-1")).await.unwrap();
    assert_eq!(senders, [chat(1), chat(2)]);
}

#[tokio::test]
async fn a_journal_of_schema_4_opens_with_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), include_str!("../data/journal-0004.sql")).unwrap();
    let store = open(dir.path()).await.unwrap();
    let kept = store.webhook_secret(&number(), "fresh".into()).await;
    assert_eq!(kept.unwrap().expose_secret(), "5ecret");
}
