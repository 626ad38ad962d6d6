//! The phone in the browser, over a bridge that is pushed to and has an allowlist.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use model::{Identity, MessageId};
use sandbox::kapso::{WebhookTarget, WebhookTiming};
use sandbox::web::{self, Person, Trace, WebPhone};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bridged::Bridged;
use crate::control::{Poller, Unanswered};
use crate::printer;

/// The key of the webhook's signatures: nothing outside this process knows it.
const WEBHOOK_SECRET: &str = "sandbox-webhook";

/// The pauses before the second and later attempts of a webhook delivery: shorter than Kapso's, so that one can wait for
/// them.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// The key of the webhook's signatures.
pub(super) fn secret() -> SecretString {
    WEBHOOK_SECRET.into()
}

/// Where Kapso's stand-in pushes to.
pub(super) fn target(door: &TcpListener) -> anyhow::Result<WebhookTarget> {
    let url = format!("http://{}/webhook", door.local_addr()?);
    Ok(WebhookTarget {
        timing: WebhookTiming {
            retries: RETRIES.to_vec(),
            ..WebhookTiming::default()
        },
        ..WebhookTarget::new(url, secret().expose_secret())
    })
}

/// The customers at the beginning: whoever was named, one more, one known by user id alone, and one who is not listed.
pub(super) fn people(customer: Identity, name: String) -> anyhow::Result<Vec<Person>> {
    let first = Person {
        name,
        id: customer,
        allowed: true,
    };
    let mut people = vec![first];
    for (name, id, allowed) in [
        ("Bruno", "+5491155550101", true),
        ("Chiara (username only)", "IT.1049384756102", true),
        ("A stranger", "+15557654321", false),
    ] {
        let id = Identity::new(id)?;
        if people
            .iter()
            .all(|one| one.id.canonical() != id.canonical())
        {
            let name = name.to_owned();
            people.push(Person { name, id, allowed });
        }
    }
    Ok(people)
}

/// Those who are let in.
pub(super) fn allowed(people: &[Person]) -> Vec<Identity> {
    let listed = people.iter().filter(|person| person.allowed);
    listed.map(|person| person.id.canonical()).collect()
}

/// Asks the bridge at this control socket.
pub(super) fn trace(socket: PathBuf) -> Trace {
    let poller = Arc::new(Poller::at(socket));
    Arc::new(move |message| {
        let poller = Arc::clone(&poller);
        Box::pin(async move { lives(&poller, &message).await })
    })
}

async fn lives(poller: &Poller, message: &MessageId) -> Result<Vec<Value>, String> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("of", message.as_str())
        .finish();
    match poller.get(&format!("/trace?{query}")).await {
        Ok(Value::Object(mut answer)) => match answer.remove("lives") {
            Some(Value::Array(lives)) => Ok(lives),
            Some(_) | None => Err("the bridge gave no lives".to_owned()),
        },
        Ok(_) => Err("the bridge gave no lives".to_owned()),
        // It has not arrived yet.
        Err(Unanswered::Refused { status, .. }) if status.as_u16() == 404 => Ok(Vec::new()),
        Err(unanswered) => Err(unanswered.to_string()),
    }
}

/// How the page is served.
#[derive(Debug)]
pub(super) struct Browser {
    /// The port; any when 0.
    pub(super) port: u16,
    /// Whether a browser is started.
    pub(super) open: bool,
    /// Whether the address is printed as JSON.
    pub(super) json: bool,
}

impl Browser {
    /// Serves the page until `stop`, starting the bridge again whenever the allowlist changes. Gives the bridge back.
    ///
    /// # Errors
    /// When the port is taken, or the bridge ends.
    pub(super) async fn run(
        self,
        options: web::Options,
        mut bridged: Bridged,
        stop: CancellationToken,
    ) -> anyhow::Result<Bridged> {
        let listener = TcpListener::bind(("127.0.0.1", self.port))
            .await
            .with_context(|| format!("--port {}", self.port))?;
        let kapso = options.kapso.base_url();
        let phone = WebPhone::new(listener, options, stop.clone())?;
        let mut people = phone.allowed();
        self.announce(&phone.url(), &kapso)?;
        let mut served = tokio::spawn(phone.serve());
        loop {
            // A stop ends the page as well; that is no failure of it.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                served = &mut served => return Err(served.context("the page")?.err().map_or_else(
                    || anyhow::anyhow!("the page ended by itself"), anyhow::Error::from)),
                failed = bridged.ended() => failed?,
                Ok(()) = people.changed() => bridged = admit(bridged, &mut people).await?,
            }
        }
        served.await.context("the page")??;
        Ok(bridged)
    }

    fn announce(&self, url: &str, kapso: &str) -> anyhow::Result<()> {
        if self.json {
            printer::json_row(&json!({ "url": url, "kapso": kapso }))?;
        } else {
            printer::row(&format!("The sandbox phone: {url}"))?;
            printer::remark("Ctrl-C ends it. --terminal has the phone in the terminal.");
        }
        if self.open && std::io::stdout().is_terminal() {
            // The address is printed: without a browser here, there is one elsewhere.
            if let Err(problem) = open::that_detached(url) {
                printer::remark(&format!("no browser could be started: {problem}"));
            }
        }
        Ok(())
    }
}

async fn admit(
    bridged: Bridged,
    people: &mut watch::Receiver<Vec<Identity>>,
) -> anyhow::Result<Bridged> {
    let listed = people.borrow_and_update().clone();
    bridged.admit(&listed).await
}
