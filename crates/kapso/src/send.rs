//! Sending messages, and marking received ones read (kapso.md 2.1, 2.2, 2.8).

use model::{Identity, MessageId, Outgoing, OutgoingBody};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wire::is_own_id;
use crate::{Call, Client, Error};

#[derive(Deserialize)]
struct Accepted {
    messages: Vec<AcceptedMessage>,
}

#[derive(Deserialize)]
struct AcceptedMessage {
    id: MessageId,
}

impl Client {
    /// Sends a message. The id means that WhatsApp accepted it, not that it arrived.
    ///
    /// # Errors
    /// [`Error`]; [`crate::Class::Unknown`] when the message may have been accepted all the same.
    pub async fn send(&self, outgoing: &Outgoing) -> Result<MessageId, Error> {
        let request = self
            .http
            .post(self.messages.as_ref().clone())
            .json(&body(outgoing));
        let answer = self
            .exchange(Call::Send, request, outgoing.body.text())
            .await?;
        let accepted: Option<Accepted> = serde_json::from_slice(&answer.body).ok();
        match accepted.and_then(|accepted| accepted.messages.into_iter().next()) {
            Some(message) => Ok(message.id),
            None => Err(Error::Unreadable {
                call: Call::Send,
                what: "no message id in it".to_owned(),
            }),
        }
    }

    /// Marks a received message read, and all before it; with `typing` the person sees "typing…" for 25 seconds or
    /// until a message comes. Does nothing for a message that came without an id.
    ///
    /// # Errors
    /// [`Error`]; nothing depends on it.
    pub async fn mark_read(&self, message: &MessageId, typing: bool) -> Result<(), Error> {
        if is_own_id(message) {
            return Ok(());
        }
        let mut body = json!({
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message.as_str(),
        });
        if typing {
            body["typing_indicator"] = json!({"type": "text"});
        }
        let request = self.http.post(self.messages.as_ref().clone()).json(&body);
        self.exchange(Call::Mark, request, "").await.map(|_| ())
    }
}

/// The request for one message.
fn body(outgoing: &Outgoing) -> Value {
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
    });
    match &outgoing.to {
        // Without the plus sign Meta would put the business number's country code in front.
        Identity::Phone(phone) => body["to"] = phone.to_string().into(),
        Identity::User(user) => body["recipient"] = user.as_str().into(),
    }
    match &outgoing.body {
        OutgoingBody::Text { body: words } => {
            body["type"] = "text".into();
            body["text"] = json!({"body": words, "preview_url": false});
        }
    }
    if let Some(quote) = outgoing.quote.as_ref().filter(|quote| !is_own_id(quote)) {
        body["context"] = json!({"message_id": quote.as_str()});
    }
    body
}

#[cfg(test)]
mod tests {
    use model::{ChatKey, NumberId};

    use super::*;

    fn outgoing(to: &str, quote: Option<&str>) -> Outgoing {
        let to = Identity::new(to).unwrap();
        Outgoing {
            chat: ChatKey::new(NumberId::new("597907523413541").unwrap(), &to),
            to,
            body: OutgoingBody::Text {
                body: "Hi *bold*".to_owned(),
            },
            quote: quote.map(|id| MessageId::new(id).unwrap()),
        }
    }

    #[test]
    fn s6_every_spelling_of_a_number_is_sent_in_one_form() {
        for to in ["5491155551234", "+5491155551234", "00 549 11 5555-1234"] {
            assert_eq!(
                body(&outgoing(to, Some("wamid.Q"))),
                json!({"messaging_product": "whatsapp", "recipient_type": "individual",
                    "to": "+5491155551234", "type": "text",
                    "text": {"body": "Hi *bold*", "preview_url": false},
                    "context": {"message_id": "wamid.Q"}})
            );
        }
    }

    #[test]
    fn a_user_id_is_a_recipient_and_never_a_to() {
        assert_eq!(
            body(&outgoing("AR.1049384756102", None)),
            json!({"messaging_product": "whatsapp", "recipient_type": "individual",
                "recipient": "AR.1049384756102", "type": "text",
                "text": {"body": "Hi *bold*", "preview_url": false}})
        );
    }

    #[test]
    fn an_id_of_our_own_making_is_not_quoted() {
        let quote = format!("sha256:{}", "0".repeat(64));
        assert!(
            body(&outgoing("15551234567", Some(&quote)))
                .get("context")
                .is_none()
        );
    }
}
