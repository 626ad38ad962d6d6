//! The sending itself: a few tries where nothing was done, a look at the list where the outcome is not known.

use std::time::Duration;

use kapso::{Class, Client, Error};
use model::{Clock, MessageId, Outgoing, Timestamp};
use serde_json::json;
use tokio::time::sleep;

use crate::outcome::{Exit, Outcome};

/// Waits between the tries. Kapso refuses a message while another one to the same person is on its way, which takes
/// a second or two and is no reason to bother anyone (kapso.md 2.12).
const WAITS: [Duration; 3] = [
    Duration::from_millis(400),
    Duration::from_millis(1200),
    Duration::from_millis(2500),
];

/// The longest wait that Kapso may ask for and get; for more the command ends and says so.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Until a message whose outcome is not known is in the list, if it went out.
const LISTED_AFTER: Duration = Duration::from_secs(2);

/// How far Kapso's clock may be behind ours for such a message to be found.
const CLOCKS_DIFFER: Duration = Duration::from_secs(10);

/// Sends, and says what became of it.
pub(super) async fn send(client: &Client, outgoing: &Outgoing) -> Outcome {
    let mut waits = WAITS.into_iter();
    loop {
        let begun = Clock::system().now();
        let error = match client.send(outgoing).await {
            Ok(id) => return sent(outgoing, &id),
            Err(error) => error,
        };
        let wait = match error.class() {
            Class::Retryable => waits.next(),
            Class::RetryAfter(asked) => waits
                .next()
                .map(|_| asked)
                .filter(|asked| *asked <= LONGEST_WAIT),
            Class::Unknown => return look(client, outgoing, begun, &error).await,
            Class::WindowClosed | Class::Permanent | Class::Operator => None,
        };
        match wait {
            Some(wait) => sleep(wait).await,
            None => return refused(&error),
        }
    }
}

fn sent(outgoing: &Outgoing, id: &MessageId) -> Outcome {
    let json = json!({"ok": true, "id": id.as_str(), "to": outgoing.to.to_string()});
    Outcome::told(Exit::Done, format!("sent (id: {id})"), json)
}

/// Looks for a message in the list, because the answer to its request was lost.
async fn look(client: &Client, outgoing: &Outgoing, begun: Timestamp, lost: &Error) -> Outcome {
    sleep(LISTED_AFTER).await;
    let found = client
        .find_sent(outgoing, begun.earlier(CLOCKS_DIFFER))
        .await;
    match found.map(|ids| ids.into_iter().next_back()) {
        Ok(Some(id)) => sent(outgoing, &id),
        Ok(None) | Err(_) => {
            let text = format!(
                "{lost}; it is not known whether the message was sent: ask the recipient, or look in Kapso's inbox, before \
                 sending it again"
            );
            Outcome::failed_with(
                Exit::Failed,
                text,
                json!({"class": "unknown", "code": lost.code()}),
            )
        }
    }
}

fn refused(error: &Error) -> Outcome {
    let (exit, class, advice) = match error.class() {
        Class::WindowClosed => (
            Exit::Refused,
            "window_closed",
            "the recipient wrote more than 24 hours ago or never, so WhatsApp takes no text until they write again",
        ),
        Class::Permanent => (
            Exit::Refused,
            "permanent",
            "WhatsApp will not take this message",
        ),
        Class::Operator => (
            Exit::Failed,
            "operator",
            "the account or the number needs attention: kapso-whatsapp-cli doctor",
        ),
        Class::Retryable | Class::RetryAfter(_) => (
            Exit::Temporary,
            "retryable",
            "nothing was sent; try again later",
        ),
        Class::Unknown => (
            Exit::Failed,
            "unknown",
            "it is not known whether the message was sent",
        ),
    };
    Outcome::failed_with(
        exit,
        format!("{error}; {advice}"),
        json!({"class": class, "code": error.code()}),
    )
}
