//! The control socket alone, over a journal that the test writes: what the operator and the tools are told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bridge::control::{self, Control};
use bridge::guard::Approvals;
use bridge::identity::Issuer;
use bridge::{Health, Nudge};
use gateway::{DeviceKey, Gateway};
use model::{
    Arrival, ChatKey, Clock, Content, IdempotencyKey, Identity, Inbound, MessageId, NumberId,
    SessionKey, Source, Timestamp, Turn,
};
use serde_json::Value;
use store::{Store, StoredMessage};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::operator::ask_at;
use crate::world::{AUDIENCE, ISSUER, Line, bridge_options, gateway_timing, kapso_client, people};

/// When everything happens.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

pub(crate) struct Desk {
    pub(crate) store: Store,
    /// What the guard reads.
    pub(crate) approvals: Approvals,
    socket: PathBuf,
    _dir: TempDir,
    _stop: DropGuard,
}

impl Desk {
    /// With the people of [`bridge_options`], and identities that are signed.
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (stop, clock) = (CancellationToken::new(), Clock::standing_at(NOW));
        let store = Store::open(dir.path(), clock.clone()).await.unwrap();
        let approvals = Approvals::load(&store).await.unwrap();
        let options = bridge_options();
        let guard = Arc::new(options.guard(approvals.clone()));
        let key = dir.path().join("identity-key.pem");
        let issuer = Issuer::open(&key, ISSUER, AUDIENCE).unwrap();
        // Nobody listens there, and nobody asks it anything.
        let gateway = gateway::Options {
            url: "ws://127.0.0.1:9".parse().unwrap(),
            token: None,
            device: DeviceKey::generate().unwrap(),
            device_token_file: None,
            timing: gateway_timing(),
        };
        let control = Control {
            health: Health::default(),
            numbers: kapso_client(&Line::nowhere()).into(),
            gateway: Gateway::open(gateway, stop.clone(), &TaskTracker::new()),
            store: store.clone(),
            started: clock.now(),
            clock,
            poll_most: Duration::from_secs(3600),
            listening: None,
            nudge: Nudge::default(),
            people: people(&options, &guard, Some(issuer)),
        };
        let socket = dir.path().join("control.sock");
        let listener = control::bind(&socket).unwrap();
        tokio::spawn(control::serve(listener, control, stop.clone()));
        Self {
            store,
            approvals,
            socket,
            _dir: dir,
            _stop: stop.drop_guard(),
        }
    }

    /// Asks the socket; the status and what it says.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let (status, body) = ask_at(&self.socket, method, path).await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// A message of `peer` to the business number `number` has come in and waits.
    pub(crate) async fn message(&self, number: &str, peer: &str) -> StoredMessage {
        let number = NumberId::new(number).unwrap();
        let from = Identity::new(peer).unwrap();
        let inbound = Inbound {
            number: number.clone(),
            id: MessageId::new(&format!("wamid.{number}{}", from.session_suffix())).unwrap(),
            from: from.clone(),
            user: None,
            known_as: None,
            name: Some("Ann".to_owned()),
            sent_at: NOW,
            content: Content::Text { body: "hi".into() },
            quoted: None,
            forwarded: false,
            source: Source::Poll,
        };
        let arrival = Arrival::Message(Box::new(inbound));
        self.store.accept(&[arrival], None).await.unwrap();
        let chat = ChatKey::new(number, &from);
        self.store.received(&chat, 1).await.unwrap().remove(0)
    }

    /// The same, and it was handed over in `session`.
    pub(crate) async fn spoke(&self, number: &str, peer: &str, session: &str) {
        let message = self.message(number, peer).await;
        let turn = Turn {
            chat: message.inbound.chat(),
            to: message.inbound.from.clone(),
            session: SessionKey::new(session).unwrap(),
            key: IdempotencyKey::new(&format!("key-{}", message.id)).unwrap(),
            text: "hi".to_owned(),
            context: String::new(),
            pictures: Vec::new(),
            command: false,
            last: message.inbound.id.clone(),
        };
        self.store.begin_turn(&turn, &[message.id]).await.unwrap();
    }
}
