//! What becomes of a place in a transcript when the file is rewritten, replaced, reset or deleted.

use std::fs;

use gateway::transcript::{Follow, Mark};
use model::SessionKey;

use super::world::{World, answer, head, ids, next, next_ids, says, user, view};

/// A session with one turn, followed from its end, and the lines of its file.
async fn settled() -> anyhow::Result<(World, Follow, Vec<String>)> {
    let world = World::with("agent:main:s", "s")?;
    let lines = vec![
        head("s"),
        user("u1", "s", "q"),
        says("a2", "u1", "old answer"),
    ];
    world.append("s.jsonl", &lines[1..])?;
    let follow = world.follow("s").await?;
    Ok((world, follow, lines))
}

async fn resume(world: &World, mark: &Mark) -> anyhow::Result<Follow> {
    let mark: Mark = mark.to_string().parse()?;
    Ok(world
        .transcripts
        .resume(&SessionKey::new("s")?, &mark)
        .await?)
}

/// A head with more in it, so that all lines after it shift.
fn migrated(head: &str) -> String {
    head.replace(
        r#""version":3"#,
        r#""version":3,"parentSession":"00000000-0000-0000-0000-000000000000""#,
    )
}

fn compaction(id: &str, parent: &str) -> String {
    user(id, parent, "").replace(r#""type":"message""#, r#""type":"compaction""#)
}

#[tokio::test]
async fn r10_lines_that_shift_are_not_given_twice() {
    let (world, mut follow, mut lines) = settled().await.unwrap();
    world
        .append("s.jsonl", &[user("u3", "a2", "question")])
        .unwrap();
    assert_eq!(next_ids(&mut follow, 1).await.unwrap(), ["u3"]);

    lines[0] = migrated(&lines[0]);
    lines.extend([user("u3", "a2", "question"), says("a4", "u3", "answer")]);
    world.rewrite("s.jsonl", &lines).unwrap();
    assert_eq!(next_ids(&mut follow, 1).await.unwrap(), ["a4"]);
    assert_eq!(world.transcripts.counters().rewritten, 1);

    world
        .append("s.jsonl", &[says("a5", "a4", "more")])
        .unwrap();
    assert_eq!(next_ids(&mut follow, 1).await.unwrap(), ["a5"]);
    assert_eq!(follow.drain().unwrap(), []);
}

#[tokio::test]
async fn r10_a_compaction_in_the_same_file_is_an_entry() {
    let (world, mut follow, _) = settled().await.unwrap();
    world
        .append(
            "s.jsonl",
            &[
                compaction("c3", "a2"),
                user("u4", "c3", "question"),
                says("a5", "u4", "answer"),
            ],
        )
        .unwrap();
    assert_eq!(
        answer(&mut follow, &mut view("question").unwrap())
            .await
            .unwrap()[0]
            .text,
        "answer"
    );
}

#[tokio::test]
async fn an_interrupted_question_that_is_taken_out_is_passed_over() {
    let (world, mut follow, mut lines) = settled().await.unwrap();
    let mut view = view("question").unwrap();
    world
        .append("s.jsonl", &[user("u3", "a2", "question")])
        .unwrap();
    assert_eq!(view.feed(&next(&mut follow).await.unwrap()), []);

    let interrupted = "[System] Your previous turn was interrupted by a gateway restart while OpenClaw was waiting";
    lines.extend([
        user("u4", "a2", interrupted),
        says("a5", "u4", "late answer"),
    ]);
    world.rewrite("s.jsonl", &lines).unwrap();
    assert_eq!(
        answer(&mut follow, &mut view).await.unwrap()[0].text,
        "late answer"
    );
}

#[tokio::test]
async fn a_file_that_is_seen_half_rewritten_is_read_to_its_end() {
    let (world, mut follow, lines) = settled().await.unwrap();
    world.rewrite("s.jsonl", &[]).unwrap();
    assert_eq!(follow.drain().unwrap(), []);
    world.append_raw("s.jsonl", &lines[0][..10]).unwrap();
    assert_eq!(follow.drain().unwrap(), []);
    world
        .append_raw("s.jsonl", &format!("{}\n", &lines[0][10..]))
        .unwrap();
    world.append("s.jsonl", &lines[1..]).unwrap();
    assert_eq!(follow.drain().unwrap(), [], "all of it is known");
    world
        .append("s.jsonl", &[user("u3", "a2", "question")])
        .unwrap();
    assert_eq!(next(&mut follow).await.unwrap().id, "u3");
}

#[tokio::test]
async fn a_file_of_the_same_beginning_in_its_place_is_not_read_again() {
    let (world, mut follow, mut lines) = settled().await.unwrap();
    lines.push(user("u3", "a2", "question"));
    world.rewrite("copy", &lines).unwrap();
    fs::rename(world.path("copy"), world.path("s.jsonl")).unwrap();
    assert_eq!(next(&mut follow).await.unwrap().id, "u3");
    assert_eq!(world.transcripts.counters().rewritten, 0);
}

#[tokio::test]
async fn a_reset_ends_the_old_file_and_begins_the_new() {
    let (mut world, mut follow, _) = settled().await.unwrap();
    world
        .append("s.jsonl", &[says("a3", "a2", "last words")])
        .unwrap();
    fs::rename(
        world.path("s.jsonl"),
        world.path("s.jsonl.reset.2026-11-21T01-23-45.082Z"),
    )
    .unwrap();
    world
        .append("t.jsonl", &[head("t"), user("u4", "t", "question")])
        .unwrap();
    world.session("agent:main:s", "t").unwrap();
    world
        .append("t.jsonl", &[says("a5", "u4", "answer")])
        .unwrap();
    assert_eq!(
        next_ids(&mut follow, 4).await.unwrap(),
        ["a3", "t", "u4", "a5"]
    );
}

#[tokio::test]
async fn a_successor_that_repeats_old_entries_gives_only_new_ones() {
    let (mut world, mut follow, lines) = settled().await.unwrap();
    world
        .append(
            "t.jsonl",
            &[
                head("t"),
                lines[1].clone(),
                lines[2].clone(),
                user("u3", "a2", "question"),
            ],
        )
        .unwrap();
    world.session("agent:main:s", "t").unwrap();
    assert_eq!(ids(&follow.drain().unwrap()), ["t", "u3"]);
}

#[tokio::test]
async fn a_new_session_under_the_old_files_name_is_read_from_its_start() {
    let (mut world, mut follow, _) = settled().await.unwrap();
    fs::rename(
        world.path("s.jsonl"),
        world.path("s.jsonl.reset.2026-11-21T01-23-45.082Z"),
    )
    .unwrap();
    let file = world.path("s.jsonl");
    world
        .session_file("agent:main:s", "t", file.to_str().unwrap())
        .unwrap();
    world
        .append("s.jsonl", &[head("t"), user("u4", "t", "question")])
        .unwrap();
    assert_eq!(next_ids(&mut follow, 2).await.unwrap(), ["t", "u4"]);
}

#[tokio::test]
async fn a_deleted_session_that_begins_anew_is_followed() {
    let (mut world, mut follow, _) = settled().await.unwrap();
    fs::rename(
        world.path("s.jsonl"),
        world.path("s.jsonl.deleted.2026-11-21T01-23-59.290Z"),
    )
    .unwrap();
    world.forget("agent:main:s").unwrap();
    assert_eq!(follow.drain().unwrap(), []);
    world.session("agent:main:s", "t").unwrap();
    world
        .append("t.jsonl", &[head("t"), user("u3", "t", "question")])
        .unwrap();
    assert_eq!(next_ids(&mut follow, 2).await.unwrap(), ["t", "u3"]);
}

#[tokio::test]
async fn a_mark_is_after_what_was_taken() {
    let (world, mut follow, _) = settled().await.unwrap();
    world
        .append(
            "s.jsonl",
            &[
                user("u3", "a2", "q"),
                says("a4", "u3", "x"),
                says("a5", "a4", "y"),
            ],
        )
        .unwrap();
    let mut marks = vec![follow.mark()];
    for _ in 0..3 {
        next(&mut follow).await.unwrap();
        marks.push(follow.mark());
    }
    for (taken, mark) in marks.iter().enumerate() {
        let mut resumed = resume(&world, mark).await.unwrap();
        assert_eq!(ids(&resumed.drain().unwrap()), ["u3", "a4", "a5"][taken..]);
        assert_eq!(resumed.mark(), marks[3]);
    }
    assert!(marks[3].to_string().len() < 300, "small enough for a row");
    assert!("no mark".parse::<Mark>().is_err());
}

#[tokio::test]
async fn a_mark_of_a_session_that_did_not_exist_is_its_beginning() {
    let mut world = World::new().unwrap();
    let mark = world.follow("s").await.unwrap().mark();
    world.session("agent:main:s", "s").unwrap();
    world
        .append("s.jsonl", &[head("s"), user("u1", "s", "question")])
        .unwrap();
    let mut resumed = resume(&world, &mark).await.unwrap();
    assert_eq!(ids(&resumed.drain().unwrap()), ["s", "u1"]);
}

#[tokio::test]
async fn a_mark_survives_a_reset() {
    let (mut world, follow, _) = settled().await.unwrap();
    let mark = follow.mark();
    world
        .append(
            "s.jsonl",
            &[user("u3", "a2", "question"), says("a4", "u3", "answer")],
        )
        .unwrap();
    fs::rename(
        world.path("s.jsonl"),
        world.path("s.jsonl.reset.2026-11-21T01-23-45.082Z"),
    )
    .unwrap();
    world
        .append("t.jsonl", &[head("t"), user("u5", "t", "next")])
        .unwrap();
    world.session("agent:main:s", "t").unwrap();
    let mut resumed = resume(&world, &mark).await.unwrap();
    assert_eq!(ids(&resumed.drain().unwrap()), ["u3", "a4", "t", "u5"]);
}

#[tokio::test]
async fn a_mark_survives_rewriting() {
    let (world, mut follow, mut lines) = settled().await.unwrap();
    world
        .append("s.jsonl", &[user("u3", "a2", "question")])
        .unwrap();
    next(&mut follow).await.unwrap();
    let mark = follow.mark();
    lines[0] = migrated(&lines[0]);
    lines.extend([user("u3", "a2", "question"), says("a4", "u3", "answer")]);
    world.rewrite("s.jsonl", &lines).unwrap();
    let mut resumed = resume(&world, &mark).await.unwrap();
    assert_eq!(ids(&resumed.drain().unwrap()), ["a4"]);
}
