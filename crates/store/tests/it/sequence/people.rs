//! The verbs that let people in, turn them away and tell them so.

use std::time::Duration;

use anyhow::{Result, ensure};
use model::{Role, SessionKey};
use store::{Instead, MessageState, OutgoingState, Pairing, PairingRequest};

use super::World;
use crate::nouns::{START, chat, outgoing};

/// So many codes are pending at a time: fewer than there are chats.
const MOST: usize = 2;

/// What they are told once.
const CLOSED: &str = "closed";

/// What is known of the person of a chat.
#[derive(Debug, Default)]
pub(super) struct Person {
    /// The code that is pending.
    code: Option<String>,
    approved: bool,
    /// Whether the bridge told them anything; the clock stands, so it stays the last day.
    noticed: bool,
    /// Whether they were told that it is closed.
    told: bool,
    /// Whether they ever had a turn.
    pub(super) spoke: bool,
}

impl World {
    /// The message of `n` that is next; none where nothing waits.
    async fn next(&self, n: u32) -> Result<Option<i64>> {
        let rows = self.journal.store.received(&chat(n), 1).await?;
        Ok(rows.first().map(|row| row.id))
    }

    /// A notice to `n` was queued.
    fn noticed(&mut self, n: u32, text: String) {
        let chat = self.chat(n);
        chat.person.noticed = true;
        chat.queue.push((text, OutgoingState::Queued));
    }

    pub(super) async fn pair(&mut self, n: u32) -> Result<()> {
        let Some(row) = self.next(n).await? else {
            return Ok(());
        };
        let text = self.text();
        let request = PairingRequest {
            code: text.clone(),
            lives: Duration::from_secs(3600),
            most: u32::try_from(MOST)?,
        };
        let notice = outgoing(n, &text);
        let asked = self.journal.store.ask_to_pair(row, &request, &notice);
        let asked = asked.await?;
        let pending = self.chats.values();
        let pending = pending.filter(|chat| chat.person.code.is_some()).count();
        let chat = self.chat(n);
        chat.take_first();
        let expected = if chat.person.code.is_some() || chat.person.noticed {
            Pairing::Pending
        } else if pending >= MOST {
            Pairing::Full
        } else {
            chat.person.code = Some(text.to_ascii_uppercase());
            self.noticed(n, text);
            Pairing::Asked
        };
        ensure!(asked == expected, "{asked:?} instead of {expected:?}");
        Ok(())
    }

    pub(super) async fn approve(&mut self, n: u32) -> Result<()> {
        let code = self.chat(n).person.code.take();
        let role = Role("guest".to_owned());
        let store = &self.journal.store;
        let approved = store.approve(code.as_deref().unwrap_or("none"), &role);
        let approved = approved.await?.map(|approval| approval.chat);
        ensure!(
            approved == code.as_ref().map(|_| chat(n)),
            "{approved:?} for {code:?}"
        );
        self.chat(n).person.approved |= code.is_some();
        Ok(())
    }

    pub(super) async fn revoke(&mut self, n: u32) -> Result<()> {
        let revoked = self.journal.store.revoke(&chat(n)).await?;
        let approved = std::mem::take(&mut self.chat(n).person.approved);
        ensure!(revoked == approved, "revoked {revoked}");
        Ok(())
    }

    pub(super) async fn hold_back(&mut self, n: u32) -> Result<()> {
        let Some(row) = self.next(n).await? else {
            return Ok(());
        };
        let text = self.text();
        let verdict = Instead {
            state: MessageState::Failed,
            reason: "escalated",
            reply: Some(&outgoing(n, &text)),
            admin: None,
        };
        self.journal.store.answer_instead(row, verdict).await?;
        let again = self.journal.store.answer_instead(row, verdict).await;
        ensure!(again.is_err(), "held back twice");
        let first = self.chat(n).take_first();
        self.chat(n).dead.push(first);
        self.noticed(n, text);
        Ok(())
    }

    pub(super) async fn tell(&mut self, n: u32) -> Result<()> {
        let (chat, notice) = (chat(n), outgoing(n, CLOSED));
        let told = self.journal.store.notice_once(&chat, &notice, START);
        let told = told.await?;
        let person = &mut self.chat(n).person;
        // Where words were dropped, any notice may have been this one.
        ensure!(
            if told { !person.told } else { person.noticed },
            "told: {told}, {person:?}"
        );
        person.told = true;
        if told {
            self.noticed(n, CLOSED.to_owned());
        }
        Ok(())
    }

    /// Compares who is in, who asks and who spoke with what the verbs promised.
    pub(super) async fn check_people(&self) -> Result<()> {
        let store = &self.journal.store;
        let pending = store.pairings().await?;
        let approved = store.approvals().await?;
        for (n, expected) in &self.chats {
            let person = &expected.person;
            let code = pending.iter().find(|entry| entry.chat == chat(*n));
            let code = code.map(|entry| &entry.code);
            ensure!(
                code == person.code.as_ref(),
                "chat {n} has {code:?}: {person:?}"
            );
            let is_in = approved.iter().any(|approval| approval.chat == chat(*n));
            ensure!(is_in == person.approved, "chat {n} is in: {is_in}");
            let session = SessionKey::new(&format!("main-wa-{n}"))?;
            let senders = store.session_senders(&session).await?;
            let spoke = person.spoke.then(|| chat(*n));
            ensure!(senders.iter().eq(&spoke), "{session} had {senders:?}");
        }
        Ok(())
    }
}
