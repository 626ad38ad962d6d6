//! Following transcripts on disk while they are written, reset, rewritten and replaced.

mod rotation;
mod world;

use std::fs;
use std::time::Duration;

use futures_util::FutureExt;
use gateway::transcript::{EntryKind, TranscriptError, Transcripts};
use model::SessionKey;

use self::world::{World, answer, head, ids, next, next_ids, recorded, says, user, view};

#[tokio::test]
async fn r1_a_longer_number_is_another_session() {
    let mut world = World::with("agent:main:main-wa-15551", "other").unwrap();
    let mut follow = world.follow("main-wa-1555").await.unwrap();
    world
        .append(
            "other.jsonl",
            &[user("u1", "", "hi"), says("a2", "u1", "for 15551")],
        )
        .unwrap();
    assert_eq!(follow.drain().unwrap(), []);

    world.session("agent:main:main-wa-1555", "mine").unwrap();
    world
        .append(
            "mine.jsonl",
            &[
                head("mine"),
                user("u3", "mine", "hi"),
                says("a4", "u3", "for 1555"),
            ],
        )
        .unwrap();
    assert_eq!(
        answer(&mut follow, &mut view("hi").unwrap()).await.unwrap()[0].text,
        "for 1555"
    );
}

#[tokio::test]
async fn r2_two_sessions_at_once_each_have_their_own_answer() {
    let mut world = World::with("agent:main:main-wa-1", "alice").unwrap();
    world.session("agent:main:main-wa-2", "bob").unwrap();
    let mut alice = world.follow("main-wa-1").await.unwrap();
    let mut bob = world.follow("main-wa-2").await.unwrap();
    world
        .append("alice.jsonl", &[user("u1", "alice", "same words")])
        .unwrap();
    world
        .append(
            "bob.jsonl",
            &[user("u2", "bob", "same words"), says("a3", "u2", "quick")],
        )
        .unwrap();
    world
        .append("alice.jsonl", &[says("a4", "u1", "slow")])
        .unwrap();
    assert_eq!(
        answer(&mut alice, &mut view("same words").unwrap())
            .await
            .unwrap()[0]
            .text,
        "slow"
    );
    assert_eq!(
        answer(&mut bob, &mut view("same words").unwrap())
            .await
            .unwrap()[0]
            .text,
        "quick"
    );
}

#[tokio::test]
async fn r3_a_missing_session_is_not_replaced_by_the_owners() {
    let mut world = World::with("agent:main:main", "owner").unwrap();
    let mut follow = world.follow("main-wa-15551234567").await.unwrap();
    world
        .append(
            "owner.jsonl",
            &[
                user("u1", "owner", "hi"),
                says("a2", "u1", "private calendar"),
            ],
        )
        .unwrap();
    assert_eq!(follow.drain().unwrap(), []);

    world
        .session("agent:main:main-wa-15551234567", "guest")
        .unwrap();
    world
        .append(
            "guest.jsonl",
            &[
                head("guest"),
                user("u3", "guest", "hi"),
                says("a4", "u3", "hello guest"),
            ],
        )
        .unwrap();
    assert_eq!(
        answer(&mut follow, &mut view("hi").unwrap()).await.unwrap()[0].text,
        "hello guest"
    );
}

#[tokio::test]
async fn r4_an_answer_that_was_there_before_anyone_looked_is_seen() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    world
        .append(
            "s.jsonl",
            &[user("u1", "s", "question"), says("a2", "u1", "at once")],
        )
        .unwrap();
    assert_eq!(
        answer(&mut follow, &mut view("question").unwrap())
            .await
            .unwrap()[0]
            .text,
        "at once"
    );
}

#[tokio::test]
async fn r5_three_answers_come_in_order() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    let mut view = view("question").unwrap();
    let mut heard = Vec::new();
    world
        .append("s.jsonl", &[user("u1", "s", "question")])
        .unwrap();
    for (id, parent, text) in [
        ("a2", "u1", "first"),
        ("a3", "a2", "second"),
        ("a4", "a3", "third"),
    ] {
        world.append("s.jsonl", &[says(id, parent, text)]).unwrap();
        heard.extend(answer(&mut follow, &mut view).await.unwrap());
    }
    assert_eq!(
        heard
            .iter()
            .map(|said| said.text.as_str())
            .collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
}

#[tokio::test]
async fn r11_what_a_large_session_has_is_not_read() {
    let world = World::with("agent:main:s", "s").unwrap();
    let line = says("a1", "", &"x".repeat(900)) + "\n";
    world
        .append_raw("s.jsonl", &line.repeat((47 << 20) / line.len()))
        .unwrap();
    let mut follows = Vec::new();
    for _ in 0..10 {
        follows.push(world.follow("s").await.unwrap());
    }
    let opened = world.transcripts.counters();
    assert!(opened.bytes_read <= 10 * (64 << 10), "{opened:?}");

    world
        .append("s.jsonl", &[user("u2", "a1", "question")])
        .unwrap();
    for follow in &mut follows {
        assert_eq!(next(follow).await.unwrap().id, "u2");
        assert_eq!(follow.drain().unwrap(), []);
    }
    let after = world.transcripts.counters();
    assert!(
        after.bytes_read - opened.bytes_read < 10 * 2048,
        "{after:?}"
    );
    assert_eq!(after.index_reads, 1);
    assert_eq!(after.rewritten, 0);
}

#[tokio::test]
async fn r13_the_gateways_clock_does_not_matter() {
    let world = World::with("agent:main:s", "s").unwrap();
    for year in ["1999", "2099"] {
        let mut follow = world.follow("s").await.unwrap();
        let dated = |line: String| line.replace("2026-", &format!("{year}-"));
        let (question, reply) = (format!("u{year}"), format!("a{year}"));
        world
            .append(
                "s.jsonl",
                &[
                    dated(user(&question, "s", "q")),
                    dated(says(&reply, &question, year)),
                ],
            )
            .unwrap();
        assert_eq!(
            answer(&mut follow, &mut view("q").unwrap()).await.unwrap()[0].text,
            year
        );
    }
}

#[tokio::test]
async fn r14_a_key_is_not_the_beginning_of_another() {
    let world = World::with("agent:main:maintenance", "other").unwrap();
    let mut follow = world.follow("main").await.unwrap();
    world
        .append(
            "other.jsonl",
            &[user("u1", "other", "q"), says("a2", "u1", "x")],
        )
        .unwrap();
    assert_eq!(follow.drain().unwrap(), []);
}

#[tokio::test]
async fn keys_are_compared_in_lower_case() {
    let world = World::with("agent:main:MiXeD", "s").unwrap();
    let mut follow = world.follow("mIxEd").await.unwrap();
    world.append("s.jsonl", &[user("u1", "s", "q")]).unwrap();
    assert_eq!(next(&mut follow).await.unwrap().id, "u1");
}

#[tokio::test]
async fn recorded_transcripts_are_followed_to_their_end() {
    let mut answers = 0;
    for release in ["2026.7.35", "2026.5.7"] {
        for file in fs::read_dir(recorded(release)).unwrap() {
            let path = file.unwrap().path();
            if path
                .extension()
                .is_none_or(|extension| extension != "jsonl")
            {
                continue;
            }
            let mut world = World::new().unwrap();
            world.session("agent:main:s", "s").unwrap();
            let mut follow = world.follow("s").await.unwrap();
            let text = fs::read_to_string(&path).unwrap();
            world.append_raw("s.jsonl", &text).unwrap();
            let entries = follow.drain().unwrap();
            assert_eq!(entries.len(), text.lines().count(), "{}", path.display());
            assert!(entries.iter().all(|entry| entry.at.is_some()));
            answers += entries
                .iter()
                .filter(|entry| matches!(entry.kind, EntryKind::Assistant { .. }))
                .count();
            assert_eq!(world.transcripts.counters().malformed, 0);
        }
    }
    assert!(answers > 15, "{answers}");
}

#[tokio::test]
async fn recorded_sessions_are_found() {
    for release in ["2026.7.35", "2026.5.7"] {
        let world = World::new().unwrap();
        fs::copy(
            recorded(release).join("sessions.json"),
            world.path("sessions.json"),
        )
        .unwrap();
        let index: serde_json::Value =
            serde_json::from_slice(&fs::read(world.path("sessions.json")).unwrap()).unwrap();
        for key in [
            "agent:main:main-wa-15551234567",
            "agent:main:main:thread:55",
        ] {
            let mut follow = world.follow(key).await.unwrap();
            let written = index[key]["sessionFile"].as_str().unwrap();
            let name = written.rsplit('/').next().unwrap();
            world.append(name, &[user("u1", "", "q")]).unwrap();
            assert_eq!(
                next(&mut follow).await.unwrap().id,
                "u1",
                "the container's path stands for the file here"
            );
        }
    }
}

#[tokio::test]
async fn a_line_is_taken_when_it_is_whole() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    let line = user("u1", "s", &"é".repeat(1000));
    let (first, rest) = line.as_bytes().split_at(701);
    let append = |bytes: &[u8]| {
        let mut whole = fs::read(world.path("s.jsonl")).unwrap();
        whole.extend_from_slice(bytes);
        fs::write(world.path("s.jsonl"), whole).unwrap();
    };
    append(first);
    assert_eq!(follow.drain().unwrap(), []);
    append(rest);
    assert_eq!(follow.drain().unwrap(), []);
    append(b"\n");
    assert_eq!(next(&mut follow).await.unwrap().id, "u1");
}

#[tokio::test]
async fn a_line_in_the_making_at_the_start_is_not_lost() {
    let world = World::with("agent:main:s", "s").unwrap();
    let line = user("u1", "s", "q");
    world.append_raw("s.jsonl", &line[..20]).unwrap();
    let mut follow = world.follow("s").await.unwrap();
    world
        .append_raw("s.jsonl", &format!("{}\n", &line[20..]))
        .unwrap();
    assert_eq!(next(&mut follow).await.unwrap().id, "u1");
}

#[tokio::test]
async fn bad_lines_are_counted_and_passed_over() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    world
        .append_raw(
            "s.jsonl",
            "not json\n{\"type\":\"message\"}\n\n\u{0}\u{1}\n[1]\n",
        )
        .unwrap();
    world.append("s.jsonl", &[user("u1", "s", "q")]).unwrap();
    assert_eq!(next(&mut follow).await.unwrap().id, "u1");
    assert_eq!(world.transcripts.counters().malformed, 4);
}

#[tokio::test]
async fn a_line_beyond_all_measure_is_passed_over() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    world
        .append_raw("s.jsonl", &"x".repeat((32 << 20) + 1))
        .unwrap();
    assert_eq!(follow.drain().unwrap(), []);
    world.append_raw("s.jsonl", "the rest of it\n").unwrap();
    world.append("s.jsonl", &[user("u1", "s", "q")]).unwrap();
    assert_eq!(next(&mut follow).await.unwrap().id, "u1");
    let counters = world.transcripts.counters();
    assert_eq!((counters.oversized, counters.malformed), (1, 0));
}

#[tokio::test]
async fn a_cancelled_wait_loses_nothing() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    for id in ["u1", "u2", "u3"] {
        assert!(follow.next().now_or_never().is_none());
        world.append("s.jsonl", &[user(id, "s", "q")]).unwrap();
        assert!(
            follow
                .next()
                .now_or_never()
                .is_some_and(|entry| entry.unwrap().id == id)
        );
    }
}

#[tokio::test]
async fn the_folder_may_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = dir.path().join("state/agents/main/sessions");
    let transcripts = Transcripts::open(sessions.join("sessions.json")).unwrap();
    let mut follow = transcripts
        .follow(&SessionKey::new("s").unwrap())
        .await
        .unwrap();
    let write = async {
        fs::create_dir_all(&sessions).unwrap();
        fs::write(
            sessions.join("sessions.json"),
            r#"{"agent:main:s":{"sessionId":"s"}}"#,
        )
        .unwrap();
        fs::write(
            sessions.join("s.jsonl"),
            format!("{}\n{}\n", head("s"), user("u1", "s", "q")),
        )
        .unwrap();
    };
    let (ids, ()) = tokio::join!(next_ids(&mut follow, 2), write);
    assert_eq!(ids.unwrap(), ["s", "u1"]);
}

#[tokio::test]
async fn polling_sees_the_same() {
    let world = World::with("agent:main:s", "s").unwrap();
    let transcripts =
        Transcripts::polling(world.path("sessions.json"), Duration::from_millis(1)).unwrap();
    let mut follow = transcripts
        .follow(&SessionKey::new("s").unwrap())
        .await
        .unwrap();
    let write = async { world.append("s.jsonl", &[user("u1", "s", "q")]).unwrap() };
    let (entry, ()) = tokio::join!(next(&mut follow), write);
    assert_eq!(entry.unwrap().id, "u1");
}

#[tokio::test]
async fn a_file_elsewhere_is_refused() {
    let mut world = World::new().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path().join("s.jsonl");
    fs::write(&outside, "").unwrap();
    for file in [
        outside.to_str().unwrap(),
        "/etc/passwd",
        "s.trajectory.jsonl",
    ] {
        world.session_file("agent:main:s", "s", file).unwrap();
        let refused = world
            .transcripts
            .follow(&SessionKey::new("s").unwrap())
            .await;
        assert!(
            matches!(refused, Err(TranscriptError::Refused { .. })),
            "{file}"
        );
    }
    std::os::unix::fs::symlink(&outside, world.path("link.jsonl")).unwrap();
    world
        .session_file("agent:main:s", "s", "link.jsonl")
        .unwrap();
    let linked = world
        .transcripts
        .follow(&SessionKey::new("s").unwrap())
        .await;
    assert!(matches!(linked, Err(TranscriptError::Read { .. })));
}

#[tokio::test]
async fn a_rewritten_index_is_read_once_per_change() {
    let world = World::with("agent:main:s", "s").unwrap();
    let mut follow = world.follow("s").await.unwrap();
    for change in 1..=5 {
        world.write_index().unwrap();
        world
            .append("s.jsonl", &[user(&format!("u{change}"), "s", "q")])
            .unwrap();
        assert_eq!(ids(&follow.drain().unwrap()), [format!("u{change}")]);
        assert_eq!(follow.drain().unwrap(), []);
        assert_eq!(world.transcripts.counters().index_reads, 1 + change);
    }
}
