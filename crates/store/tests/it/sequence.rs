//! Any sequence of verbs, with a restart or a kill at any point, loses nothing that a verb promised.

mod people;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use proptest::prelude::*;
use store::{DeadId, OutgoingState, Settled, Stumbled, TurnId};

use self::people::Person;
use crate::nouns::{Journal, START, chat, message, outgoing, parts, turn, wamid};

const CHATS: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    Accept { n: u32, id: u32 },
    Begin { n: u32 },
    Ask { n: u32 },
    Say { n: u32 },
    Settle { n: u32, answers: u32 },
    Refuse { n: u32 },
    Expire { n: u32 },
    Stumble { n: u32 },
    Revive { n: u32 },
    Pair { n: u32 },
    Approve { n: u32 },
    Revoke { n: u32 },
    HoldBack { n: u32 },
    Tell { n: u32 },
    Slim,
    Enqueue { n: u32 },
    Send { n: u32, end: End },
    Kill,
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Sent,
    Lost,
    Again,
    Repeated,
    Failed,
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = 0..CHATS;
    let end = prop_oneof![
        Just(End::Sent),
        Just(End::Lost),
        Just(End::Again),
        Just(End::Repeated),
        Just(End::Failed),
        Just(End::Open)
    ];
    let step = prop_oneof![
        4 => (n.clone(), 0..12u32).prop_map(|(n, id)| Step::Accept { n, id }),
        3 => n.clone().prop_map(|n| Step::Begin { n }),
        2 => n.clone().prop_map(|n| Step::Ask { n }),
        2 => n.clone().prop_map(|n| Step::Say { n }),
        3 => (n.clone(), 0..3u32).prop_map(|(n, answers)| Step::Settle { n, answers }),
        1 => n.clone().prop_map(|n| Step::Refuse { n }),
        1 => n.clone().prop_map(|n| Step::Expire { n }),
        2 => n.clone().prop_map(|n| Step::Stumble { n }),
        2 => n.clone().prop_map(|n| Step::Revive { n }),
        2 => n.clone().prop_map(|n| Step::Pair { n }),
        1 => n.clone().prop_map(|n| Step::Approve { n }),
        1 => n.clone().prop_map(|n| Step::Revoke { n }),
        1 => n.clone().prop_map(|n| Step::HoldBack { n }),
        1 => n.clone().prop_map(|n| Step::Tell { n }),
        1 => Just(Step::Slim),
        1 => n.clone().prop_map(|n| Step::Enqueue { n }),
        4 => (n, end).prop_map(|(n, end)| Step::Send { n, end }),
        1 => Just(Step::Kill),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// What one chat must look like, kept in memory as the verbs promise it.
#[derive(Debug, Default)]
struct Expected {
    known: Vec<u32>,
    waiting: Vec<u32>,
    /// The open turn, how often it was asked, and how many parts were said.
    turn: Option<(TurnId, u32, u32)>,
    /// The messages of that turn, and how often the bridge broke at it.
    asked: (Vec<u32>, u32),
    /// The messages at which the bridge broke once.
    stumbled: Vec<u32>,
    /// The messages that can be given another life.
    dead: Vec<u32>,
    /// What waits to be sent, in order.
    queue: Vec<(String, OutgoingState)>,
    /// What the bridge knows of the person.
    person: Person,
}

impl Expected {
    /// The message that is next leaves the queue.
    fn take_first(&mut self) -> u32 {
        let first = self.waiting.remove(0);
        self.stumbled.retain(|id| *id != first);
        first
    }

    /// How many messages are set aside when the bridge breaks now; none where nothing waits.
    fn stumble(&mut self) -> Option<usize> {
        if self.turn.is_some() {
            self.asked.1 += 1;
            if self.asked.1 < 2 {
                return Some(0);
            }
            self.turn = None;
            let count = self.asked.0.len();
            self.dead.append(&mut self.asked.0);
            return Some(count);
        }
        let first = *self.waiting.first()?;
        if !self.stumbled.contains(&first) {
            self.stumbled.push(first);
            return Some(0);
        }
        let first = self.take_first();
        self.dead.push(first);
        Some(1)
    }

    fn revive(&mut self, id: u32) -> Result<()> {
        let place = self.dead.iter().position(|dead| *dead == id);
        self.dead
            .remove(place.context("only what is dead is listed")?);
        self.waiting.push(id);
        self.waiting.sort_unstable();
        Ok(())
    }
}

struct World {
    journal: Journal,
    chats: BTreeMap<u32, Expected>,
    texts: u32,
}

impl World {
    async fn take(mut self, step: &Step) -> Result<Self> {
        match *step {
            Step::Kill => self.journal = self.journal.killed().await?,
            Step::Restart => self.journal = self.journal.restarted().await?,
            Step::Accept { n, id } => self.accept(n, id).await?,
            Step::Begin { n } => self.begin(n).await?,
            Step::Ask { n } => self.ask(n).await?,
            Step::Say { n } => self.say(n).await?,
            Step::Settle { n, answers } => self.settle(n, answers).await?,
            Step::Refuse { n } => self.refuse(n).await?,
            Step::Expire { n } => self.expire(n).await?,
            Step::Stumble { n } => self.stumble(n).await?,
            Step::Revive { n } => self.revive(n).await?,
            Step::Pair { n } => self.pair(n).await?,
            Step::Approve { n } => self.approve(n).await?,
            Step::Revoke { n } => self.revoke(n).await?,
            Step::HoldBack { n } => self.hold_back(n).await?,
            Step::Tell { n } => self.tell(n).await?,
            // The words of what waits are checked with all else.
            Step::Slim => drop(self.journal.store.slim(0).await?),
            Step::Enqueue { n } => {
                let text = self.text();
                self.journal.store.enqueue(&outgoing(n, &text)).await?;
                self.chat(n).queue.push((text, OutgoingState::Queued));
            }
            Step::Send { n, end } => self.send(n, end).await?,
        }
        Ok(self)
    }

    fn chat(&mut self, n: u32) -> &mut Expected {
        self.chats.entry(n).or_default()
    }

    fn text(&mut self) -> String {
        self.texts += 1;
        format!("text {}", self.texts)
    }

    async fn accept(&mut self, n: u32, id: u32) -> Result<()> {
        let accepted = self.journal.store.accept(&[message(n, id)], None).await?;
        let chat = self.chat(n);
        let new = !chat.known.contains(&id);
        ensure!((accepted.new == 1) == new, "{accepted:?}");
        if new {
            chat.known.push(id);
            chat.waiting.push(id);
            chat.waiting.sort_unstable();
        }
        Ok(())
    }

    async fn begin(&mut self, n: u32) -> Result<()> {
        let rows = self.journal.rows(n).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let begun = self.journal.store.begin_turn(&turn(n)?, &ids).await;
        let chat = self.chat(n);
        ensure!(begun.is_ok() == chat.turn.is_none(), "{begun:?}");
        if let Ok(id) = begun {
            chat.turn = Some((id, 0, 0));
            chat.asked = (std::mem::take(&mut chat.waiting), 0);
            chat.stumbled.clear();
            chat.person.spoke = true;
        }
        Ok(())
    }

    async fn ask(&mut self, n: u32) -> Result<()> {
        if let Some((id, asks, said)) = self.chat(n).turn {
            self.journal.store.asking(id, "boot", None).await?;
            self.chat(n).turn = Some((id, asks + 1, said));
        }
        Ok(())
    }

    async fn say(&mut self, n: u32) -> Result<()> {
        let Some((id, asks, said)) = self.chat(n).turn else {
            return Ok(());
        };
        let text = self.text();
        let done = self.journal.store.say(id, said, &parts(n, &[&text])).await;
        ensure!(done.is_ok() == (asks > 0), "{done:?}");
        if done.is_ok() {
            self.chat(n).turn = Some((id, asks, said + 1));
            self.chat(n).queue.push((text, OutgoingState::Queued));
        }
        Ok(())
    }

    async fn settle(&mut self, n: u32, answers: u32) -> Result<()> {
        let Some((id, ..)) = self.chat(n).turn.take() else {
            return Ok(());
        };
        let texts: Vec<String> = (0..answers).map(|_| self.text()).collect();
        let answer: Vec<_> = texts.iter().map(|text| outgoing(n, text)).collect();
        let outcome = if answers == 0 {
            Settled::Silent
        } else {
            Settled::Answered
        };
        self.journal
            .store
            .settle(id, outcome.clone(), &answer)
            .await?;
        ensure!(
            self.journal
                .store
                .settle(id, outcome, &answer)
                .await
                .is_err(),
            "settled twice"
        );
        self.chat(n)
            .queue
            .extend(texts.into_iter().map(|text| (text, OutgoingState::Queued)));
        Ok(())
    }

    async fn refuse(&mut self, n: u32) -> Result<()> {
        let rows = self.journal.store.received(&chat(n), 1).await?;
        if let Some(row) = rows.first() {
            self.journal
                .store
                .refuse(row.id, "not_allowed", None)
                .await?;
            self.chat(n).take_first();
        }
        Ok(())
    }

    async fn expire(&mut self, n: u32) -> Result<()> {
        let rows = self.journal.store.received(&chat(n), 1).await?;
        if let Some(row) = rows.first() {
            self.journal.store.expire(row.id, "too old").await?;
            let first = self.chat(n).take_first();
            self.chat(n).dead.push(first);
        }
        Ok(())
    }

    async fn stumble(&mut self, n: u32) -> Result<()> {
        let stumbled = self.journal.store.stumbled(&chat(n), "panic").await?;
        let expected = self.chat(n).stumble();
        let aside = match &stumbled {
            Stumbled::Nothing => None,
            Stumbled::Again => Some(0),
            Stumbled::SetAside { what } => Some(what.len()),
        };
        ensure!(aside == expected, "{stumbled:?} instead of {expected:?}");
        Ok(())
    }

    /// Gives all dead letters of a chat another life.
    async fn revive(&mut self, n: u32) -> Result<()> {
        for dead in self.journal.store.dead(1000).await? {
            let text = (dead.chat == chat(n)).then_some(dead.text).flatten();
            let (DeadId::Message(_), Some(text)) = (dead.id, text) else {
                continue;
            };
            self.journal.store.retry_dead(dead.id).await?;
            let id = text
                .split(' ')
                .nth(1)
                .context("its words name it")?
                .parse()?;
            self.chat(n).revive(id)?;
        }
        Ok(())
    }

    async fn send(&mut self, n: u32, end: End) -> Result<()> {
        let Some(row) = self.journal.head(n).await? else {
            return Ok(());
        };
        let store = &self.journal.store;
        match row.state {
            OutgoingState::Queued => store.sending(row.id).await?,
            OutgoingState::Sending | OutgoingState::Unknown => {}
            OutgoingState::Sent | OutgoingState::Failed | OutgoingState::Dropped => {
                anyhow::bail!("{row:?} is no head")
            }
        }
        let state = match end {
            End::Sent => {
                store
                    .sent(row.id, &wamid(&format!("wamid.out.{}", row.id)))
                    .await?;
                OutgoingState::Sent
            }
            End::Failed => {
                store.failed(row.id, "refused").await?;
                OutgoingState::Failed
            }
            End::Again => {
                store.retry_at(row.id, START, "busy").await?;
                OutgoingState::Queued
            }
            End::Repeated => {
                store.repeat(row.id, "not in the list").await?;
                OutgoingState::Queued
            }
            End::Lost if row.state != OutgoingState::Unknown => {
                store.unknown(row.id, "reset").await?;
                OutgoingState::Unknown
            }
            End::Lost => OutgoingState::Unknown,
            End::Open if row.state == OutgoingState::Unknown => OutgoingState::Unknown,
            End::Open => OutgoingState::Sending,
        };
        let queue = &mut self.chat(n).queue;
        match state {
            OutgoingState::Sent | OutgoingState::Failed | OutgoingState::Dropped => {
                queue.remove(0);
            }
            OutgoingState::Queued | OutgoingState::Sending | OutgoingState::Unknown => {
                queue[0].1 = state;
            }
        }
        Ok(())
    }

    /// Compares the journal with what its verbs promised.
    async fn check(&self) -> Result<()> {
        for (n, expected) in &self.chats {
            let rows = self.journal.rows(*n).await?;
            let waiting: Vec<String> = rows.iter().map(|row| row.inbound.id.to_string()).collect();
            let promised: Vec<String> = expected
                .waiting
                .iter()
                .map(|id| format!("wamid.{n}.{id}"))
                .collect();
            ensure!(
                waiting == promised,
                "chat {n} has {waiting:?} waiting instead of {promised:?}"
            );
            let open = self.journal.store.open_turn(&chat(*n)).await?;
            let open = open.map(|turn| (turn.id, turn.attempts, turn.said));
            ensure!(
                open == expected.turn,
                "chat {n} has the turn {open:?} instead of {:?}",
                expected.turn
            );
            let head = self.journal.head(*n).await?;
            let head = head.map(|row| (row.outgoing.body.text().to_owned(), row.state));
            ensure!(
                head.as_ref() == expected.queue.first(),
                "chat {n} has {head:?} before {:?}",
                expected.queue
            );
        }
        self.check_people().await
    }

    /// Sends what is left: every text that was promised and not sent or given up, once, in order.
    async fn finish(self) -> Result<()> {
        for (n, expected) in &self.chats {
            if let Some((_, OutgoingState::Sending | OutgoingState::Unknown)) =
                expected.queue.first()
            {
                let head = self
                    .journal
                    .head(*n)
                    .await?
                    .context("a message under way is a head")?;
                self.journal
                    .store
                    .retry_at(head.id, START, "not in the list")
                    .await?;
            }
            let promised: Vec<&String> = expected.queue.iter().map(|(text, _)| text).collect();
            let sent = self.journal.drain(*n).await?;
            ensure!(
                sent.iter().eq(promised.iter().copied()),
                "chat {n} sent {sent:?} instead of {promised:?}"
            );
        }
        Ok(())
    }
}

async fn live(steps: Vec<Step>) -> Result<()> {
    let mut world = World {
        journal: Journal::new().await?,
        chats: BTreeMap::new(),
        texts: 0,
    };
    for step in &steps {
        world = world
            .take(step)
            .await
            .with_context(|| format!("{step:?}"))?;
        world
            .check()
            .await
            .with_context(|| format!("after {step:?}"))?;
    }
    world.journal = world.journal.killed().await?;
    world.check().await.context("after the last kill")?;
    world.finish().await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_verbs_and_kills_keeps_every_promise(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let lived = runtime.block_on(live(steps));
        prop_assert!(lived.is_ok(), "{:?}", lived);
    }
}
