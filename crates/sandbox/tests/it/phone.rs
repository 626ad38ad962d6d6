//! The phone in the terminal, with pipes for a keyboard and a screen and a tiny bridge behind it.

use std::time::Duration;

use model::Identity;
use sandbox::kapso::{Event, KapsoStandIn};
use sandbox::phone::{Patience, Phone, run};
use tokio::io::{AsyncWriteExt, BufReader, duplex};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::http::{ANA, mark, options, send, start};

/// More than any step of a test takes.
const PLENTY: Duration = Duration::from_secs(10);

fn phone(kapso: &KapsoStandIn) -> Phone {
    Phone {
        kapso: kapso.clone(),
        customer: Identity::new(ANA).unwrap(),
        name: "Ana".to_owned(),
        echo: true,
        colours: false,
        patience: Patience {
            idle: PLENTY,
            settle: Duration::from_millis(20),
        },
    }
}

/// Answers every message as a bridge does: read and typing first, then the words.
async fn answer_all(kapso: KapsoStandIn, mut events: broadcast::Receiver<Event>) {
    while let Ok(event) = events.recv().await {
        if let Event::Received { message, customer } = event {
            mark(&kapso, message.as_str()).await.unwrap();
            let text = format!("hello\nyou wrote {}", message.as_str().len());
            send(&kapso, &customer, &text).await.unwrap();
        }
    }
}

/// What the screen shows when these lines are piped in.
async fn piped(phone: Phone, input: &str) -> String {
    let mut screen = Vec::new();
    let running = run(
        phone,
        input.as_bytes(),
        &mut screen,
        CancellationToken::new(),
    );
    timeout(PLENTY, running).await.unwrap().unwrap();
    String::from_utf8(screen).unwrap()
}

#[tokio::test]
async fn piped_messages_are_ticked_answered_and_then_the_phone_ends() {
    let kapso = start(options()).await;
    tokio::spawn(answer_all(kapso.clone(), kapso.events()));
    let screen = piped(phone(&kapso), "hi\n\n/as +15557654321 Bob\n/status\n").await;
    let place = |line: &str| {
        let found = screen.lines().position(|it| it == line);
        found.unwrap_or_else(|| panic!("no line {line:?} in\n{screen}"))
    };
    for name in ["Ana", "Bob"] {
        let said = if name == "Ana" { "hi" } else { "/status" };
        let steps = [
            place(&format!("{name} › {said}")),
            place(&format!("  ✓ {name}: sent")),
            place(&format!("  ✓✓ {name}: read")),
            place(&format!("  typing to {name}…")),
            place(&format!("agent → {name} › hello")),
        ];
        assert!(steps.is_sorted(), "{screen}");
    }
    assert!(screen.contains("\n    you wrote "), "{screen}");
    let listed = crate::http::list(&kapso, "direction=outbound&status=read").await;
    assert_eq!(
        crate::http::ids(&listed.unwrap().json()).len(),
        2,
        "answers shown are read"
    );
}

#[tokio::test]
async fn without_an_answer_the_phone_ends_after_its_patience() {
    let kapso = start(options()).await;
    let mut impatient = phone(&kapso);
    impatient.patience.idle = Duration::from_millis(20);
    let screen = piped(impatient, "anybody there?\n").await;
    assert!(
        screen.ends_with("· messages without an answer: 1\n"),
        "{screen}"
    );
}

#[tokio::test]
async fn faults_are_switched_from_the_keyboard() {
    let kapso = start(options()).await;
    let screen = piped(
        phone(&kapso),
        "/fault 500 2\n/fault window-closed\n/fault nonsense\n",
    )
    .await;
    assert!(
        screen.contains("· next sends with this fault: 2\n"),
        "{screen}"
    );
    assert!(screen.contains("· faults: 409 429 500"), "{screen}");
    for expected in [500, 500, 422] {
        assert_eq!(send(&kapso, ANA, "hello").await.unwrap().status, expected);
    }
    piped(phone(&kapso), "/fault off\n").await;
    assert_eq!(send(&kapso, ANA, "hello").await.unwrap().status, 200);
}

#[tokio::test]
async fn quit_and_stop_end_it_at_once() {
    let kapso = start(options()).await;
    let screen = piped(phone(&kapso), "unanswered\n/quit\nnever said\n").await;
    assert!(!screen.contains("never said"), "{screen}");

    let mut events = kapso.events();
    let (mut keyboard, keys) = duplex(64);
    keyboard.write_all(b"typed\n").await.unwrap();
    let stop = CancellationToken::new();
    let (ended, ()) = tokio::join!(
        timeout(
            PLENTY,
            run(
                phone(&kapso),
                BufReader::new(keys),
                tokio::io::sink(),
                stop.clone()
            )
        ),
        async {
            let received = events.recv().await;
            assert!(
                matches!(received, Ok(Event::Received { .. })),
                "{received:?}"
            );
            stop.cancel();
        }
    );
    ended.unwrap().unwrap();
}

#[tokio::test]
async fn colours_are_used_only_where_asked_for() {
    let kapso = start(options()).await;
    let mut colourful = phone(&kapso);
    colourful.colours = true;
    assert!(piped(colourful, "/help\n").await.contains("\u{1b}["));
    assert!(!piped(phone(&kapso), "/help\n").await.contains('\u{1b}'));
}
