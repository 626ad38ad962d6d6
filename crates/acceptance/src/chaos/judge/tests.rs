//! Each thing that must not be is seen, and nothing else is taken for it.

use model::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::*;

fn token(customer: u32, number: u32) -> Token {
    Token { customer, number }
}

fn letter(customer: u32, number: u32) -> Letter {
    Letter {
        token: token(customer, number),
        id: MessageId::new(&format!("wamid.{customer}-{number}")).unwrap(),
        listed: true,
    }
}

fn sent(to: u32, text: &str) -> SentMessage {
    SentMessage {
        id: MessageId::new("wamid.out").unwrap(),
        to: customer(to),
        customer: customer(to),
        kind: "text".to_owned(),
        text: text.to_owned(),
        quote: None,
        body: Value::Null,
        at: Timestamp::from_seconds(0),
        arrived: Instant::now(),
        listed: true,
        answer_lost: false,
    }
}

fn given(to: u32, text: &str) -> Execution {
    Execution {
        session: format!("agent:main:main-wa-{}", &customer(to)[1..]),
        key: "key".to_owned(),
        text: format!("From: {} [role: member]\n{text}", customer(to)),
        resumed: false,
    }
}

/// Two messages of customer 1 and one of customer 2, all answered as they should be.
struct Scene {
    letters: Vec<Letter>,
    sent: Vec<SentMessage>,
    executions: Vec<Execution>,
    lives: Vec<usize>,
    order: Order,
    delivered: HashSet<MessageId>,
}

impl Scene {
    fn well() -> Self {
        Self {
            letters: vec![letter(1, 1), letter(1, 2), letter(2, 1)],
            sent: vec![
                sent(1, "q1x1"),
                sent(2, "q2x1p1of2"),
                sent(2, "q2x1p2of2"),
                sent(1, "q1x2"),
            ],
            executions: vec![given(1, "q1x1"), given(2, "q2x1"), given(1, "q1x2")],
            lives: vec![],
            order: Order::Written,
            delivered: HashSet::new(),
        }
    }

    fn verdict(&self) -> Verdict {
        judge(&Record {
            letters: &self.letters,
            delivered: self.delivered.clone(),
            sent: self.sent.clone(),
            executions: self.executions.clone(),
            lives: &self.lives,
            order: self.order,
        })
    }

    fn breaches(&self) -> Vec<Breach> {
        self.verdict().breaches
    }
}

#[test]
fn what_is_well_has_no_breach_also_where_one_answer_serves_several_messages() {
    let mut scene = Scene::well();
    let verdict = scene.verdict();
    assert_eq!(
        (verdict.owed, verdict.answered, verdict.breaches),
        (3, 3, vec![])
    );
    scene.sent = vec![sent(2, "q2x1"), sent(1, "q1x1 q1x2")];
    assert_eq!(scene.breaches(), []);
}

#[test]
fn a_message_without_an_answer_is_lost_and_half_an_answer_is_none() {
    let mut scene = Scene::well();
    scene.sent.remove(2);
    scene.sent.remove(0);
    assert_eq!(
        scene.breaches(),
        [Breach::Lost(token(1, 1)), Breach::Lost(token(2, 1))]
    );
    assert_eq!(scene.verdict().answered, 1);
}

#[test]
fn only_what_was_delivered_or_listed_is_owed() {
    let mut scene = Scene::well();
    scene.letters.push(Letter {
        listed: false,
        ..letter(2, 2)
    });
    assert_eq!(scene.verdict().owed, 3);
    scene.delivered.insert(letter(2, 2).id);
    assert_eq!(scene.breaches(), [Breach::Lost(token(2, 2))]);
}

#[test]
fn a_reply_that_comes_again_is_doubled_unless_nothing_could_show_the_first() {
    let mut scene = Scene::well();
    scene.sent.push(sent(1, "q1x2"));
    assert_eq!(scene.breaches(), [Breach::Doubled(token(1, 2))]);
    scene.sent[3].answer_lost = true;
    assert_eq!(
        scene.breaches(),
        [Breach::Doubled(token(1, 2))],
        "the list showed it"
    );
    scene.sent[3].listed = false;
    let verdict = scene.verdict();
    assert_eq!((verdict.repeated, verdict.breaches), (1, vec![]));
    scene.sent[3].answer_lost = false;
    assert_eq!(
        scene.breaches(),
        [Breach::Doubled(token(1, 2))],
        "the answer was heard"
    );
}

#[test]
fn a_reply_to_somebody_else_is_misdelivered() {
    let mut scene = Scene::well();
    scene.sent[0] = sent(2, "q1x1");
    assert_eq!(
        scene.breaches(),
        [Breach::Misdelivered(token(1, 1), customer(2))]
    );
}

#[test]
fn a_reply_to_nothing_that_was_written_is_baseless() {
    let mut scene = Scene::well();
    scene.sent.push(sent(2, "Sorry, that did not work."));
    scene.sent.push(sent(2, "q2x9"));
    let baseless = |text: &str| Breach::Baseless(customer(2), text.to_owned());
    assert_eq!(
        scene.breaches(),
        [baseless("Sorry, that did not work."), baseless("q2x9")]
    );
}

#[test]
fn replies_and_their_parts_come_in_order() {
    let mut scene = Scene::well();
    scene.sent.swap(0, 3);
    scene.sent.swap(1, 2);
    let both = [
        Breach::Disorder(token(2, 1), token(2, 1)),
        Breach::Disorder(token(1, 1), token(1, 2)),
    ];
    assert_eq!(scene.breaches(), both);
}

#[test]
fn where_messages_arrived_otherwise_the_order_of_asking_counts() {
    let mut scene = Scene::well();
    scene.order = Order::Asked;
    scene.executions.swap(0, 2);
    assert_eq!(
        scene.breaches(),
        [Breach::Disorder(token(1, 2), token(1, 1))]
    );
    scene.sent.swap(0, 3);
    assert_eq!(scene.breaches(), []);
}

#[test]
fn the_same_gateway_is_asked_once_and_a_new_one_may_be_asked_again() {
    let mut scene = Scene::well();
    scene.executions.push(given(1, "q1x2"));
    assert_eq!(scene.breaches(), [Breach::AskedAgain(token(1, 2), 2)]);
    scene.lives = vec![3];
    assert_eq!(scene.breaches(), []);
    scene.executions.push(given(1, "q1x2"));
    assert_eq!(scene.breaches(), [Breach::AskedAgain(token(1, 2), 2)]);
}

#[test]
fn a_question_in_anothers_session_is_seen() {
    let mut scene = Scene::well();
    scene.executions[0].session = scene.executions[1].session.clone();
    let session = scene.executions[1].session.clone();
    assert_eq!(
        scene.breaches(),
        [Breach::StrangeSession(token(1, 1), session)]
    );
}
