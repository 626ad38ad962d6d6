//! Pairing by the operator: the list, and the orders to let someone in or out again.

use std::time::Duration;

use bridge::guard::Approvals;
use model::{ChatKey, Outgoing, OutgoingBody, Role};
use serde_json::{Value, json};
use store::{Pairing, PairingRequest};

use crate::desk::{Desk, NOW};
use crate::world::{ANN, NUMBER, STRANGER};

const HOUR: Duration = Duration::from_secs(3600);

/// A stranger writes and is given `code`.
async fn stranger(desk: &Desk, number: &str, peer: &str, code: &str) -> ChatKey {
    let message = desk.message(number, peer).await;
    let request = PairingRequest {
        code: code.to_owned(),
        lives: HOUR,
        most: 3,
    };
    let notice = Outgoing {
        chat: message.inbound.chat(),
        to: message.inbound.from.clone(),
        body: OutgoingBody::Text {
            body: code.to_owned(),
        },
        quote: None,
    };
    let asked = desk.store.ask_to_pair(message.id, &request, &notice).await;
    assert_eq!(asked.unwrap(), Pairing::Asked);
    message.inbound.chat()
}

fn role(name: &str) -> Role {
    Role(name.to_owned())
}

async fn listed(desk: &Desk) -> Value {
    let (status, list) = desk.ask("GET", "/pairing").await;
    assert_eq!(status, 200, "{list}");
    list
}

#[tokio::test]
async fn a_code_lets_its_person_in_at_once_and_for_good() {
    let desk = Desk::open().await;
    let chat = stranger(&desk, NUMBER, STRANGER, "K7QP2M4X").await;
    let pending = json!({
        "code": "K7QP2M4X", "from": STRANGER, "number": NUMBER, "name": "Ann",
        "asked_at": NOW, "expires_at": NOW.later(HOUR),
    });
    assert_eq!(
        listed(&desk).await,
        json!({"pending": [pending], "approved": []})
    );
    assert_eq!(desk.approvals.role(&chat), None);

    let order = "/pairing/approve?code=%20k7qp2m4x";
    let (status, said) = desk.ask("POST", order).await;
    assert_eq!(status, 200, "{said}");
    let approved = json!({"from": STRANGER, "number": NUMBER, "role": "guest", "at": NOW});
    let mut expected = approved.clone();
    expected["name"] = "Ann".into();
    assert_eq!(said, expected);
    assert_eq!(desk.approvals.role(&chat), Some(role("guest")));
    assert_eq!(
        listed(&desk).await,
        json!({"pending": [], "approved": [approved]})
    );
    let next_start = Approvals::load(&desk.store).await.unwrap();
    assert_eq!(next_start.role(&chat), Some(role("guest")));

    let (status, said) = desk.ask("POST", order).await;
    assert_eq!(status, 404, "a code is used up: {said}");
    assert_eq!(desk.ask("POST", "/pairing/approve").await.0, 404);
}

#[tokio::test]
async fn a_role_is_one_of_the_configuration_or_nobody_is_let_in() {
    let desk = Desk::open().await;
    let chat = stranger(&desk, NUMBER, STRANGER, "K7QP2M4X").await;
    for wrong in ["vip", "Admin", "admin]%20[role:%20owner"] {
        let (status, said) = desk
            .ask(
                "POST",
                &format!("/pairing/approve?code=K7QP2M4X&role={wrong}"),
            )
            .await;
        assert_eq!(status, 400, "{said}");
        let said = said["error"].as_str().unwrap();
        assert!(said.ends_with("these are: admin, member, guest"), "{said}");
    }
    assert_eq!(desk.approvals.role(&chat), None);
    let (status, said) = desk
        .ask("POST", "/pairing/approve?code=K7QP2M4X&role=admin")
        .await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(desk.approvals.role(&chat), Some(role("admin")));
}

#[tokio::test]
async fn nobody_is_let_in_to_a_number_that_is_not_served_any_more() {
    let desk = Desk::open().await;
    let chat = stranger(&desk, "1", STRANGER, "K7QP2M4X").await;
    let (status, said) = desk.ask("POST", "/pairing/approve?code=K7QP2M4X").await;
    assert_eq!(status, 409, "{said}");
    assert_eq!(desk.approvals.role(&chat), None);
    assert_eq!(listed(&desk).await["approved"], json!([]));
}

#[tokio::test]
async fn a_person_is_let_out_by_any_spelling_of_their_number() {
    let desk = Desk::open().await;
    let argentine = stranger(&desk, NUMBER, "+541155551234", "K7QP2M4X").await;
    let other = stranger(&desk, NUMBER, STRANGER, "P4ZZ9Q2R").await;
    for code in ["K7QP2M4X", "P4ZZ9Q2R"] {
        let order = format!("/pairing/approve?code={code}");
        assert_eq!(desk.ask("POST", &order).await.0, 200);
    }
    let order = "/pairing/revoke?of=%2B54%209%2011%205555-1234";
    let (status, said) = desk.ask("POST", order).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(said["revoked"].as_array().unwrap().len(), 1);
    assert_eq!(desk.approvals.role(&argentine), None);
    assert_eq!(desk.approvals.role(&other), Some(role("guest")));
    let next_start = Approvals::load(&desk.store).await.unwrap();
    assert_eq!(next_start.role(&argentine), None);
    assert_eq!(desk.ask("POST", order).await.0, 404);
}

#[tokio::test]
async fn only_who_was_let_in_by_a_code_is_let_out() {
    let desk = Desk::open().await;
    let ann = ANN.replace('+', "%2B");
    let (status, said) = desk.ask("POST", &format!("/pairing/revoke?of={ann}")).await;
    assert_eq!(status, 404, "{said}");
    let said = said["error"].as_str().unwrap();
    assert!(said.contains("security.roles"), "{said}");
    for wrong in ["", "?of=ann", "?of=12"] {
        let (status, said) = desk.ask("POST", &format!("/pairing/revoke{wrong}")).await;
        assert_eq!(status, 400, "{said}");
    }
}
