//! `send`: what goes out, and what each kind of failure ends with.

use std::time::Duration;

use sandbox::kapso::{KapsoStandIn, SendFault};

use crate::{ANN, Cli, Ended, kapso};

fn texts(kapso: &KapsoStandIn) -> Vec<String> {
    kapso
        .sent()
        .into_iter()
        .map(|message| message.text)
        .collect()
}

/// What sending a text ends with after these faults.
async fn after(faults: &[SendFault]) -> (Ended, usize) {
    let kapso = kapso().await;
    for fault in faults {
        kapso.faults().next_sends(1, fault.clone());
    }
    let ended = Cli::at(&kapso)
        .run(&["send", "--to", ANN, "--text", "secret words"])
        .await;
    assert!(
        !ended.stderr.contains("secret words") && !ended.stderr.contains(crate::KEY),
        "{ended:?}"
    );
    (ended, kapso.sent().len())
}

#[tokio::test]
async fn k6_a_number_without_plus_gets_the_text() {
    let kapso = kapso().await;
    let cli = Cli::at(&kapso);
    let ended = cli.run(&["send", "15551234567", "hello"]).await;
    let id = kapso.sent()[0].id.clone();
    assert_eq!(
        (ended.code, ended.stdout),
        (0, format!("sent (id: {id})\n"))
    );
    assert_eq!(kapso.sent()[0].customer, ANN);
}

#[tokio::test]
async fn k6_the_text_comes_by_name_by_place_after_dashes_or_from_standard_input() {
    let kapso = kapso().await;
    let cli = Cli::at(&kapso);
    for (args, input) in [
        (&["send", "--to", ANN, "--text", "-1 degree"][..], ""),
        (&["send", ANN, "--", "--to be"], ""),
        (&["send", "--to", ANN, "--text", "-"], "piped\nlines\n"),
        (&["send", ANN, "-"], "more"),
    ] {
        let ended = cli.run_with(args, input).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    assert_eq!(
        texts(&kapso),
        ["-1 degree", "--to be", "piped\nlines", "more"]
    );
}

#[tokio::test]
async fn k7_wrong_use_is_told_before_anything_is_sent() {
    let kapso = kapso().await;
    let cli = Cli::at(&kapso);
    let long = "x".repeat(4097);
    for (args, said) in [
        (&["send", "ann", "hello"][..], "neither a phone number"),
        (&["send", ANN], "no text"),
        (&["send", ANN, "hello", "world"], "put the text in quotes"),
        (
            &["send", ANN, &long],
            "has 4097 characters, WhatsApp takes 4096",
        ),
        (&["send", ANN, "-"], "blank"),
        (&["send", ANN, "hello", "--unknown"], "--unknown"),
    ] {
        let ended = cli.run(args).await;
        assert!(
            ended.code == 2 && ended.stderr.contains(said) && ended.stdout.is_empty(),
            "{ended:?}"
        );
    }
    assert!(kapso.requests().is_empty());
}

#[tokio::test]
async fn k7_a_closed_window_is_a_refusal_for_good() {
    let kapso = kapso().await;
    kapso.faults().close_window(ANN);
    let cli = Cli::at(&kapso);
    let ended = cli.run(&["send", ANN, "hello"]).await;
    assert!(
        ended.code == 3 && ended.stderr.contains("24 hours"),
        "{ended:?}"
    );
    let json = cli.run(&["--json", "send", ANN, "hello"]).await;
    assert_eq!(json.code, 3);
    assert_eq!(json.json()["class"], "window_closed");
    assert_eq!(json.json()["code"], 131_047);
    assert_eq!(json.json()["ok"], false);
}

#[tokio::test]
async fn k7_a_message_in_flight_is_waited_for() {
    let (ended, sent) = after(&[SendFault::InFlight]).await;
    assert_eq!((ended.code, sent), (0, 1), "{ended:?}");
}

#[tokio::test]
async fn k7_a_long_wait_is_temporary() {
    let (ended, sent) = after(&[SendFault::RateLimited(Duration::from_secs(60))]).await;
    assert_eq!((ended.code, sent), (4, 0), "{ended:?}");
}

#[tokio::test]
async fn k7_nobody_at_kapsos_address_is_temporary() {
    let cli = Cli::at(&kapso().await).set("KAPSO_BASE_URL", "http://127.0.0.1:1/v24.0");
    let ended = cli.run(&["send", ANN, "hello"]).await;
    assert!(
        ended.code == 4 && ended.stderr.contains("cannot reach Kapso"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn k7_a_lost_answer_is_looked_up_and_the_message_is_not_sent_twice() {
    for fault in [SendFault::ResetAfterAccepting, SendFault::Garbage] {
        let (ended, sent) = after(std::slice::from_ref(&fault)).await;
        assert!(
            ended.code == 0 && ended.stdout.starts_with("sent (id: "),
            "{fault:?}: {ended:?}"
        );
        assert_eq!(sent, 1, "{fault:?}");
    }
    let (ended, sent) = after(&[SendFault::Reset]).await;
    assert!(
        ended.code == 1 && ended.stderr.contains("not known whether"),
        "{ended:?}"
    );
    assert_eq!(sent, 0);
}

#[tokio::test]
async fn k7_a_wrong_key_is_a_failure_with_advice() {
    let kapso = kapso().await;
    let ended = Cli::at(&kapso)
        .set("KAPSO_API_KEY", "another")
        .run(&["send", ANN, "hello"])
        .await;
    assert!(
        ended.code == 1 && ended.stderr.contains("kapso-whatsapp-cli doctor"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("another"), "{ended:?}");
}

#[tokio::test]
async fn a_program_is_told_the_id() {
    let kapso = kapso().await;
    let ended = Cli::at(&kapso).run(&["send", ANN, "hello", "--json"]).await;
    assert_eq!(ended.code, 0);
    assert_eq!(ended.json()["id"], kapso.sent()[0].id.as_str());
    assert_eq!(ended.json()["to"], ANN);
}
