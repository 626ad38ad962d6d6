//! The webhook that registers itself, at Kapso's stand-in.

use std::time::Duration;

use bridge::Health;
use bridge::registration::{Keeper, Registrant, RegistrationTiming};
use kapso::platform::Platform;
use kapso::{Client, Deadlines, Options, Url};
use model::{Clock, NumberId};
use sandbox::kapso::{KapsoStandIn, Refusal, SendFault, StandInOptions};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::NUMBER;

const KEY: &str = "the-key";
const URL: &str = "https://wa.example/webhook";
const SECRET: &str = "the-signing-key";

/// A stand-in, and a keeper that looks again after a moment.
struct Kept {
    kapso: KapsoStandIn,
    health: Health,
    address: watch::Sender<Option<Url>>,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

fn number() -> NumberId {
    NumberId::new(NUMBER).unwrap()
}

impl Kept {
    /// The keeper does not run yet.
    async fn new() -> Self {
        let stop = CancellationToken::new();
        let options = StandInOptions::new(KEY, number());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kapso = KapsoStandIn::start(listener, options, stop.clone())
            .await
            .unwrap();
        Self {
            kapso,
            health: Health::default(),
            address: watch::Sender::new(Some("https://wa.example".parse().unwrap())),
            stop,
            running: None,
        }
    }

    fn start(&mut self, every: Duration) {
        let options = Options {
            base_url: self.kapso.base_url().parse().unwrap(),
            api_key: KEY.into(),
            number: number(),
            deadlines: Deadlines::default(),
        };
        let client = Client::new(options).unwrap();
        let keeper = Keeper {
            platform: Platform::new(&client, self.kapso.platform_url().parse().unwrap()).unwrap(),
            registrants: vec![Registrant {
                number: number(),
                name: "sales".to_owned(),
                secret: Some(SECRET.into()),
            }],
            address: self.address.subscribe(),
            health: self.health.clone(),
            clock: Clock::system(),
            timing: RegistrationTiming {
                every,
                retry: Duration::from_millis(1),
            },
        };
        self.running = Some(tokio::spawn(keeper.run(self.stop.clone())));
    }

    /// Waits until the only webhook is as `look` wants it.
    async fn webhook(&self, look: impl Fn(&Value) -> bool) -> Value {
        self.kapso
            .until(|kapso| kapso.webhooks().into_iter().find(&look))
            .await
    }

    /// Waits until the keeper has said something that `look` wants.
    async fn told(&self, look: impl Fn(&bridge::Registration) -> bool) -> bridge::Registration {
        let mut changes = self.health.watch();
        let seen = changes.wait_for(|seen| seen.registrations.get(&number()).is_some_and(&look));
        seen.await.unwrap().registrations[&number()].clone()
    }

    fn asked(&self, method: &str) -> usize {
        let requests = self.kapso.requests();
        requests
            .iter()
            .filter(|request| request.method == method)
            .count()
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.unwrap().await.unwrap();
    }
}

const OFTEN: Duration = Duration::from_millis(5);
const NEVER: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_webhook_is_made_once_with_what_the_bridge_uses() {
    let mut kept = Kept::new().await;
    kept.start(OFTEN);
    let webhook = kept.webhook(|_| true).await;
    assert_eq!(webhook["url"], URL);
    assert_eq!(webhook["secret_key"], SECRET);
    assert_eq!(webhook["payload_version"], "v2");
    assert_eq!(webhook["buffer_enabled"], false);
    let events: Vec<&str> = webhook["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for event in ["received", "sent", "delivered", "read", "failed"] {
        assert!(
            events.contains(&format!("whatsapp.message.{event}").as_str()),
            "{events:?}"
        );
    }
    kept.kapso
        .until(|_| (kept.asked("GET") > 3).then_some(()))
        .await;
    assert_eq!((kept.asked("POST"), kept.asked("PATCH")), (1, 0));
    let told = kept.told(|of| of.registered_at.is_some()).await;
    assert_eq!((told.url.as_deref(), told.switched_on), (Some(URL), 0));
    kept.end().await;
}

#[tokio::test]
async fn a_paused_webhook_is_switched_on_again_and_counted() {
    let mut kept = Kept::new().await;
    kept.start(OFTEN);
    let webhook = kept.webhook(|_| true).await;
    let id = webhook["id"].as_str().unwrap();
    for times in 1..=2 {
        kept.told(|of| of.switched_on == times - 1 && of.registered_at.is_some())
            .await;
        kept.kapso.set_webhook(id, "active", json!(false));
        kept.webhook(|webhook| webhook["active"] == true).await;
        kept.told(|of| of.switched_on == times).await;
    }
    assert_eq!(kept.kapso.webhooks().len(), 1);
    kept.end().await;
}

#[tokio::test]
async fn what_was_registered_by_hand_is_brought_up_to_date_and_keeps_its_own_events() {
    let mut kept = Kept::new().await;
    kept.start(OFTEN);
    let webhook = kept.webhook(|_| true).await;
    let id = webhook["id"].as_str().unwrap();
    kept.kapso
        .set_webhook(id, "events", json!(["whatsapp.conversation.ended"]));
    kept.webhook(|webhook| webhook["events"].as_array().unwrap().len() == 6)
        .await;
    kept.kapso.set_webhook(id, "payload_version", json!("v1"));
    kept.webhook(|webhook| webhook["payload_version"] == "v2")
        .await;
    kept.kapso.set_webhook(id, "secret_key", json!("another"));
    kept.webhook(|webhook| webhook["secret_key"] == SECRET)
        .await;
    let told = kept.told(|of| of.registered_at.is_some()).await;
    assert_eq!(told.switched_on, 0);
    kept.end().await;
}

#[tokio::test]
async fn another_address_is_registered_as_soon_as_it_is_known() {
    let mut kept = Kept::new().await;
    kept.address.send_replace(None);
    kept.start(NEVER);
    assert_eq!(kept.asked("GET"), 0);
    for address in ["https://one.ts.net/", "https://two.ts.net/"] {
        kept.address.send_replace(Some(address.parse().unwrap()));
        kept.webhook(|webhook| webhook["url"] == format!("{address}webhook"))
            .await;
    }
    assert_eq!(
        kept.kapso.webhooks().len(),
        2,
        "what is elsewhere is left alone"
    );
    kept.end().await;
}

#[tokio::test]
async fn p11_an_outage_is_told_and_outlasted_without_a_second_webhook() {
    let mut kept = Kept::new().await;
    let faults = kept.kapso.faults();
    faults.next_webhook_requests(2, SendFault::ServerError);
    faults.next_webhook_requests(1, SendFault::Pass);
    // The webhook is made, and the answer is lost.
    faults.next_webhook_requests(1, SendFault::ResetAfterAccepting);
    kept.start(Duration::from_secs(1));
    let told = kept.told(|of| of.registered_at.is_some()).await;
    assert_eq!(told.error, None);
    assert_eq!((kept.kapso.webhooks().len(), kept.asked("POST")), (1, 1));
    kept.end().await;
}

#[tokio::test]
async fn p12_a_refusal_for_good_is_told_and_not_hammered() {
    let mut kept = Kept::new().await;
    let refusal = Refusal::flat(401, "Invalid API key");
    kept.kapso
        .faults()
        .next_webhook_requests(5, SendFault::Refuse(refusal));
    kept.start(NEVER);
    let told = kept.told(|of| of.error.is_some()).await;
    assert!(told.error.unwrap().contains("401"));
    assert_eq!(kept.asked("GET"), 1);
    kept.end().await;
}
