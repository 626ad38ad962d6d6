//! Scenarios that break something in the middle of a turn.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use super::{Claim, calm, echo};
use crate::world::World;

/// The longest until an answer after something was restarted: the gateway needs some 10 s to start and 6 s more to resume.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long the model thinks while a socket or the daemon goes: long enough to come back before it ends.
const THOUGHT: u64 = 8;

/// How long the model thinks when the daemon is to come back after the end.
const SHORT_THOUGHT: u64 = 3;

/// How long a run of [`SHORT_THOUGHT`] may still need once the model has answered.
const WIND_UP: Duration = Duration::from_secs(3);

/// How long the model thinks when the gateway is killed: it must not finish first.
const DEEP_THOUGHT: u64 = 30;

pub(super) async fn socket_dropped(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let question = begin(world, &customer, THOUGHT).await?;
    let open = world.proxy.cut();
    ensure!(
        open == 1,
        "there should be one connection to the gateway, and there were {open}"
    );
    Ok(vec![end(world, &customer, &question).await?])
}

pub(super) async fn poller_killed(
    world: &mut World,
    customer: String,
) -> anyhow::Result<Vec<Claim>> {
    let question = begin(world, &customer, THOUGHT).await?;
    world.poller.kill().await?;
    world.start_poller().await?;
    Ok(vec![end(world, &customer, &question).await?])
}

pub(super) async fn poller_away(world: &mut World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let question = begin(world, &customer, SHORT_THOUGHT).await?;
    world.poller.kill().await?;
    sleep(Duration::from_secs(SHORT_THOUGHT) + WIND_UP).await;
    world.start_poller().await?;
    Ok(vec![end(world, &customer, &question).await?])
}

pub(super) async fn gateway_terminated(
    world: &mut World,
    customers: [String; 2],
) -> anyhow::Result<Vec<Claim>> {
    let questions = begin_both(world, &customers, THOUGHT).await?;
    world.gateway.terminate().await?;
    world.gateway.start().await?;
    let resumed = world.release.resumes_after_sigterm();
    end_both(world, &customers, &questions, resumed).await
}

pub(super) async fn gateway_killed(
    world: &mut World,
    customers: [String; 2],
) -> anyhow::Result<Vec<Claim>> {
    let questions = begin_both(world, &customers, DEEP_THOUGHT).await?;
    world.gateway.kill().await?;
    world.gateway.start().await?;
    end_both(world, &customers, &questions, true).await
}

/// A turn is in the model's hands.
async fn begin(world: &World, customer: &str, seconds: u64) -> anyhow::Result<String> {
    let turns = world.model.turns_of(customer);
    let question = format!("wait {seconds}: do I still get an answer?");
    world.kapso.receive(customer, question.as_str());
    world.model.asked(customer, turns + 1, PATIENCE).await?;
    Ok(question)
}

/// Two turns are, the first one in a session that had one before, the second one in a new session.
async fn begin_both(
    world: &World,
    customers: &[String; 2],
    seconds: u64,
) -> anyhow::Result<[String; 2]> {
    let [known, new] = customers;
    calm::ask(world, known, BEFORE).await?;
    let (known, new) = tokio::try_join!(begin(world, known, seconds), begin(world, new, seconds))?;
    Ok([known, new])
}

/// What the first customer of two had said before.
const BEFORE: &str = "good morning";

async fn end(world: &World, customer: &str, question: &str) -> anyhow::Result<Claim> {
    let answer = echo(question);
    world.answered(customer, &answer, PATIENCE).await?;
    settled(world, Claim::new(customer, vec![answer], 1))
}

/// The end of both. Only a release that does not resume the turn may leave it to us to ask again: none resumes all turns
/// that were the first of their session (2026.7.35: "transcript tail is not resumable"), some no others either. That
/// both sides go on with one turn never is right.
async fn end_both(
    world: &World,
    customers: &[String; 2],
    questions: &[String; 2],
    resumed: bool,
) -> anyhow::Result<Vec<Claim>> {
    let [known, new] = customers;
    let known = end_one(
        world,
        known,
        vec![echo(BEFORE), echo(&questions[0])],
        resumed,
    );
    let new = end_one(world, new, vec![echo(&questions[1])], false);
    let (known, new) = tokio::try_join!(known, new)?;
    Ok(vec![known, new])
}

/// The end of a customer's last turn: these answers, and one turn each; one more for the last, unless it was `resumed`.
async fn end_one(
    world: &World,
    customer: &str,
    answers: Vec<String>,
    resumed: bool,
) -> anyhow::Result<Claim> {
    let turns = answers.len();
    world.answers(customer, turns, PATIENCE).await?;
    let asks = world.model.asks_of(customer);
    ensure!(
        asks.len() <= turns + 1,
        "the model should have been asked once more at most: {asks:?}"
    );
    let turns = if resumed {
        turns
    } else {
        world.model.turns_of(customer)
    };
    settled(world, Claim::new(customer, answers, turns))
}

/// The claim, if it is true already.
fn settled(world: &World, claim: Claim) -> anyhow::Result<Claim> {
    claim.check(world)?;
    Ok(claim)
}
