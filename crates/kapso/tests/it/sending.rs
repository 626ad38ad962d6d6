//! Sending and marking read, as seen by the server.

use model::{ChatKey, Identity, MessageId, NumberId, Outgoing, OutgoingBody};
use serde_json::json;

use crate::server::{KEY, NUMBER, Server};

/// A text to somebody.
pub(crate) fn text(body: &str) -> Outgoing {
    let to = Identity::new("+54 9 11 5555-1234").unwrap();
    Outgoing {
        chat: ChatKey::new(NumberId::new(NUMBER).unwrap(), &to),
        to,
        body: OutgoingBody::Text {
            body: body.to_owned(),
        },
        quote: None,
    }
}

#[tokio::test]
async fn a_text_is_sent_and_its_id_returned() -> anyhow::Result<()> {
    let server = Server::saying(
        200,
        r#"{"messaging_product":"whatsapp","contacts":[{"input":"+5491155551234","wa_id":"5491155551234"}],
            "messages":[{"id":"wamid.HBgNNTQ5","message_status":"accepted"}]}"#,
    )
    .await?;
    let id = server.client()?.send(&text("hello")).await?;
    assert_eq!(id.as_str(), "wamid.HBgNNTQ5");
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.method, "POST");
    assert_eq!(
        asked.path,
        format!("/meta/whatsapp/v24.0/{NUMBER}/messages")
    );
    assert_eq!(asked.headers.get("x-api-key").unwrap(), KEY);
    assert_eq!(
        asked.headers.get("content-type").unwrap(),
        "application/json"
    );
    assert_eq!(
        asked.body,
        json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+5491155551234",
            "type": "text", "text": {"body": "hello", "preview_url": false}})
    );
    Ok(())
}

#[tokio::test]
async fn an_answer_without_contacts_is_enough() -> anyhow::Result<()> {
    let server = Server::saying(200, r#"{"messages":[{"id":"wamid.A"}]}"#).await?;
    assert_eq!(
        server.client()?.send(&text("hello")).await?.as_str(),
        "wamid.A"
    );
    Ok(())
}

#[tokio::test]
async fn a_message_is_marked_read_with_or_without_typing() -> anyhow::Result<()> {
    let server = Server::saying(200, r#"{"success":true}"#).await?;
    let client = server.client()?;
    let message = MessageId::new("wamid.INBOUND")?;
    client.mark_read(&message, false).await?;
    client.mark_read(&message, true).await?;
    let read =
        json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.INBOUND"});
    let mut typing = read.clone();
    typing["typing_indicator"] = json!({"type": "text"});
    let bodies: Vec<_> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies, [read, typing]);
    Ok(())
}

#[tokio::test]
async fn a_message_that_came_without_id_cannot_be_marked() -> anyhow::Result<()> {
    let server = Server::saying(200, r#"{"success":true}"#).await?;
    let own = MessageId::new(&format!("sha256:{}", "0".repeat(64)))?;
    server.client()?.mark_read(&own, true).await?;
    assert_eq!(server.asked().len(), 0);
    Ok(())
}
