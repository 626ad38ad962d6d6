//! The faults: what a client sees of each, and whether anything was sent.

use std::io;
use std::time::Duration;

use sandbox::kapso::{ListFault, Refusal, SendFault};
use serde_json::json;
use tokio::time::timeout;

use super::{IN_VAIN, PLENTY};
use crate::http::{ANA, Answer, BOB, ids, list, options, send, start, submit, text_body};

/// What a request met, as its client sees it.
fn seen(answer: Result<anyhow::Result<Answer>, tokio::time::error::Elapsed>) -> String {
    match answer {
        Err(_) => "nothing".to_owned(),
        Ok(Ok(answer)) if answer.text.starts_with('<') => format!("{} html", answer.status),
        Ok(Ok(answer)) => answer.status.to_string(),
        Ok(Err(problem)) if is_reset(&problem) => "reset".to_owned(),
        Ok(Err(problem)) => format!("{problem:#}"),
    }
}

fn is_reset(problem: &anyhow::Error) -> bool {
    let io = |cause: &&(dyn std::error::Error + 'static)| {
        let io: Option<&io::Error> = cause.downcast_ref();
        io.is_some_and(|it| it.kind() == io::ErrorKind::ConnectionReset)
    };
    problem.chain().any(|cause| io(&cause))
}

#[tokio::test]
async fn each_send_fault_shows_itself_once_and_only_some_send() {
    let kapso = start(options()).await;
    let spam = Refusal::meta(400, 131_056, "Pair rate limit hit");
    let mut sent = 0;
    for (fault, answer, goes_out) in [
        (SendFault::InFlight, "409", false),
        (SendFault::RateLimited(Duration::from_secs(7)), "429", false),
        (SendFault::Refuse(spam), "400", false),
        (SendFault::ServerError, "500", false),
        (SendFault::ServerErrorAfterAccepting, "500", true),
        (SendFault::Reset, "reset", false),
        (SendFault::ResetAfterAccepting, "reset", true),
        (SendFault::Hang, "nothing", false),
        (SendFault::HangAfterAccepting, "nothing", true),
        (SendFault::Garbage, "200 html", true),
        (SendFault::Delay(Duration::from_millis(5)), "200", true),
        (SendFault::Pass, "200", true),
    ] {
        kapso.faults().next_sends_to(ANA, 1, fault.clone());
        let patience = if answer == "nothing" { IN_VAIN } else { PLENTY };
        let met = timeout(patience, send(&kapso, ANA, "hello")).await;
        assert_eq!(seen(met), answer, "{fault:?}");
        sent += usize::from(goes_out);
        assert_eq!(kapso.sent().len(), sent, "{fault:?}");
        let unheard = kapso.sent().last().is_some_and(|it| it.answer_lost);
        assert_eq!(unheard, goes_out && answer != "200", "{fault:?}");
        // A hanging send is in flight until the server notices that its client left.
        let over = timeout(PLENTY, async {
            while send(&kapso, ANA, "over").await.unwrap().status != 200 {}
        });
        over.await.unwrap();
        sent += 1;
    }
}

#[tokio::test]
async fn faults_of_a_row_come_in_order_and_let_others_pass() {
    let kapso = start(options()).await;
    kapso.faults().next_sends_to(ANA, 1, SendFault::Pass);
    kapso.faults().next_sends_to(ANA, 2, SendFault::ServerError);
    kapso
        .faults()
        .next_sends(1, SendFault::RateLimited(Duration::from_secs(3)));
    let mut statuses = vec![];
    for to in [ANA, ANA, BOB, ANA, BOB] {
        let answer = send(&kapso, to, "hello").await.unwrap();
        if answer.status == 429 {
            assert_eq!(answer.headers["retry-after"], "3");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 500, 429, 500, 200]);
    kapso.faults().next_sends(9, SendFault::ServerError);
    kapso.faults().clear();
    assert_eq!(send(&kapso, ANA, "hello").await.unwrap().status, 200);
}

#[tokio::test]
async fn each_list_fault_shows_itself_once() {
    let kapso = start(options()).await;
    let message = kapso.receive(ANA, "hello").to_string();
    for (fault, expected) in [
        (ListFault::ServerError, "500"),
        (ListFault::RateLimited(Duration::from_secs(60)), "429"),
        (ListFault::Refuse(Refusal::flat(502, "Bad gateway")), "502"),
        (ListFault::Reset, "reset"),
        (ListFault::Hang, "nothing"),
        (ListFault::NotJson, "200 html"),
        (ListFault::Delay(Duration::from_millis(5)), "200"),
        (ListFault::Pass, "200"),
    ] {
        kapso.faults().next_lists(1, fault.clone());
        let patience = if expected == "nothing" {
            IN_VAIN
        } else {
            PLENTY
        };
        let met = timeout(patience, list(&kapso, "")).await;
        assert_eq!(seen(met), expected, "{fault:?}");
        let next = list(&kapso, "").await.unwrap().json();
        assert_eq!(ids(&next), [message.as_str()], "{fault:?}");
    }
}

#[tokio::test]
async fn a_closed_window_lets_only_templates_out_until_the_customer_writes() {
    let kapso = start(options()).await;
    kapso.faults().close_window("+1 555 123 4567");
    let refused = send(&kapso, ANA, "hello").await.unwrap();
    assert_eq!((refused.status, refused.code()), (422, Some(131_047)));
    let mut template = text_body(ANA, "");
    template["type"] = json!("template");
    template["template"] = json!({ "name": "hello", "language": { "code": "en" } });
    assert_eq!(submit(&kapso, &template).await.unwrap().status, 200);
    assert_eq!(send(&kapso, BOB, "hello").await.unwrap().status, 200);
    kapso.receive(ANA, "here I am");
    assert_eq!(send(&kapso, ANA, "hello").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_unreachable_stand_in_resets_connections_and_comes_back() {
    let kapso = start(options()).await;
    kapso.faults().unreachable(true);
    assert!(list(&kapso, "").await.is_err());
    assert!(kapso.requests().is_empty());
    kapso.faults().unreachable(false);
    assert_eq!(list(&kapso, "").await.unwrap().status, 200);
}
