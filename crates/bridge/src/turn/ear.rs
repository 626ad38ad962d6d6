//! What a session's transcript says of one turn (`gateway.relay = "jsonl"`).

use std::collections::VecDeque;
use std::time::Duration;

use gateway::transcript::{Entry, Follow, Mark, TurnView};
use store::StoredTurn;
use tracing::{debug, warn};

use super::Turns;
use crate::relay;

/// The transcript of the turn's session.
#[derive(Debug)]
pub(super) struct Ear {
    follow: Follow,
    view: TurnView,
    /// Heard, and not yet taken.
    texts: VecDeque<String>,
    /// How many were taken.
    pub(super) heard: usize,
}

impl Ear {
    pub(super) async fn open(turns: &Turns, stored: &StoredTurn) -> Option<Self> {
        let transcripts = turns.transcripts.as_ref()?;
        let session = &stored.turn.session;
        let mark = stored
            .transcript_mark
            .as_deref()
            .and_then(|mark| mark.parse::<Mark>().ok());
        let follow = match &mark {
            Some(mark) => transcripts.resume(session, mark).await,
            None => transcripts.follow(session).await,
        };
        match follow {
            Ok(follow) => Some(Self {
                follow,
                view: TurnView::of(&stored.turn),
                texts: VecDeque::new(),
                heard: 0,
            }),
            Err(error) => {
                warn!(%session, %error, "no transcript to read; taking the run's own result");
                None
            }
        }
    }

    /// Where the transcript has been read to, as text for the store.
    pub(super) fn mark(&self) -> String {
        self.follow.mark().to_string()
    }

    /// The next text that has been heard and not been taken.
    pub(super) fn take(&mut self) -> Option<String> {
        let text = self.texts.pop_front()?;
        self.heard += 1;
        Some(text)
    }

    /// Waits for the next text of the turn.
    pub(super) async fn hear(&mut self) -> String {
        loop {
            if let Some(text) = self.take() {
                return text;
            }
            match self.follow.next().await {
                Ok(entry) => self.note(&entry),
                Err(error) => {
                    warn!(%error, "the transcript cannot be read any more");
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Waits for a text, but not longer than `limit`.
    pub(super) async fn listen_for(&mut self, limit: Duration) {
        if let Ok(text) = tokio::time::timeout(limit, self.hear()).await {
            self.heard -= 1;
            self.texts.push_front(text);
        }
    }

    /// Reads what is there now.
    pub(super) fn drain(&mut self) {
        match self.follow.drain() {
            Ok(entries) => entries.iter().for_each(|entry| self.note(entry)),
            Err(error) => debug!(%error, "the transcript cannot be read now"),
        }
    }

    fn note(&mut self, entry: &Entry) {
        let texts = self.view.feed(entry);
        self.texts
            .extend(texts.iter().filter_map(relay::transcript_text));
    }
}
