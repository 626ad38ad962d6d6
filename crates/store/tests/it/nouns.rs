//! Messages, turns and answers to fill a journal with, and the journal of a test.

use std::path::Path;

use anyhow::Result;
use model::{
    Arrival, ChatKey, Clock, Content, Identity, IgnoreReason, Ignored, Inbound, MessageId,
    NumberId, Outgoing, OutgoingBody, Source, Timestamp, Turn,
};
use serde_json::json;
use store::{Counter, OutgoingId, Store, StoredMessage, StoredOutgoing, TurnId};
use tempfile::TempDir;

/// The instant at which the clock of a test stands.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// A journal in a directory of its own, with a clock that stands.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) dir: TempDir,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
}

impl Journal {
    pub(crate) async fn new() -> Result<Self> {
        Self::open(tempfile::tempdir()?, Clock::standing_at(START)).await
    }

    async fn open(dir: TempDir, clock: Clock) -> Result<Self> {
        let store = Store::open(dir.path(), clock.clone()).await?;
        Ok(Self { dir, clock, store })
    }

    /// The journal as the next process finds it when this one is killed at this very moment: what the files hold
    /// without any closing. The files are copied, because a process cannot kill itself and look on.
    pub(crate) async fn killed(self) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        copy(self.dir.path(), dir.path())?;
        Self::open(dir, self.clock.clone()).await
    }

    /// The journal as the next process finds it after an orderly end of this one.
    pub(crate) async fn restarted(self) -> Result<Self> {
        let Self { dir, clock, store } = self;
        store.close().await;
        Self::open(dir, clock).await
    }

    /// Accepts one message and makes a turn of it that is asked.
    pub(crate) async fn asked(&self, n: u32) -> Result<TurnId> {
        self.store.accept(&[message(n, n)], None).await?;
        let waiting = self.rows(n).await?;
        let messages: Vec<i64> = waiting.iter().map(|message| message.id).collect();
        Ok(self
            .store
            .begin_and_ask(&turn(n)?, &messages, "boot-1", None)
            .await?)
    }

    /// Queues a message and marks it as under way.
    pub(crate) async fn under_way(&self, n: u32, text: &str) -> Result<OutgoingId> {
        let id = self.store.enqueue(&outgoing(n, text)).await?;
        self.store.sending(id).await?;
        Ok(id)
    }

    /// The messages of a chat that wait for a turn.
    pub(crate) async fn rows(&self, n: u32) -> Result<Vec<StoredMessage>> {
        Ok(self.store.received(&chat(n), 1000).await?)
    }

    pub(crate) async fn head(&self, n: u32) -> Result<Option<StoredOutgoing>> {
        Ok(self.store.next_outgoing(&chat(n)).await?)
    }

    /// The counters that do not stand at 0.
    pub(crate) async fn counted(&self) -> Result<Vec<(Counter, u64)>> {
        let mut counters = self.store.counters().await?;
        counters.retain(|(_, count)| *count > 0);
        Ok(counters)
    }

    /// Sends everything that waits for a chat; the texts in the order in which they went.
    pub(crate) async fn drain(&self, n: u32) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        while let Some(row) = self.head(n).await? {
            self.store.sending(row.id).await?;
            self.store
                .sent(row.id, &wamid(&format!("out-{}", row.id)))
                .await?;
            texts.push(row.outgoing.body.text().to_owned());
        }
        Ok(texts)
    }
}

/// Copies the files of a state directory.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

pub(crate) fn number() -> NumberId {
    NumberId::new("106540352242922").expect("digits are a number id")
}

pub(crate) fn wamid(text: &str) -> MessageId {
    MessageId::new(text).expect("the tests use plain ids")
}

pub(crate) fn person(n: u32) -> Identity {
    Identity::new(&format!("+1555{n:07}")).expect("eleven digits are a number")
}

pub(crate) fn chat(n: u32) -> ChatKey {
    ChatKey::new(number(), &person(n))
}

/// The text message `id` of person `n`, sent `id` seconds after [`START`].
pub(crate) fn inbound(n: u32, id: u32) -> Inbound {
    Inbound {
        number: number(),
        id: wamid(&format!("wamid.{n}.{id}")),
        from: person(n),
        user: None,
        known_as: None,
        name: Some("Ann \"A\" O'Hara\n𝄞".to_owned()),
        sent_at: Timestamp::from_millis(START.as_millis() + i64::from(id) * 1000),
        content: Content::Text {
            body: format!("text {id} 👩‍👩‍👧"),
        },
        quoted: None,
        forwarded: false,
        source: Source::Poll,
    }
}

pub(crate) fn message(n: u32, id: u32) -> Arrival {
    Arrival::Message(Box::new(inbound(n, id)))
}

pub(crate) fn ignored(id: &str, reason: IgnoreReason) -> Arrival {
    Arrival::Ignored(Ignored {
        number: number(),
        id: wamid(id),
        reason,
    })
}

/// A turn of person `n`, made from JSON so that an optional part of a turn can be added without a change here.
pub(crate) fn turn(n: u32) -> Result<Turn> {
    Ok(serde_json::from_value(json!({
        "chat": chat(n),
        "to": person(n),
        "session": format!("main-wa-{n}"),
        "key": format!("key-{n}"),
        "text": "what the agent reads",
        "context": "",
        "last": format!("wamid.{n}.1"),
    }))?)
}

pub(crate) fn outgoing(n: u32, text: &str) -> Outgoing {
    Outgoing {
        chat: chat(n),
        to: person(n),
        body: OutgoingBody::Text {
            body: text.to_owned(),
        },
        quote: None,
    }
}

pub(crate) fn parts(n: u32, texts: &[&str]) -> Vec<Outgoing> {
    texts.iter().map(|text| outgoing(n, text)).collect()
}
