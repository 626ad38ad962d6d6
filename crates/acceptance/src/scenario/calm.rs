//! Scenarios that can share a world: customers write, nothing breaks.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::timeout;

use super::{Claim, echo};
use crate::poller::ERROR_MESSAGE;
use crate::script::{INTERIM, REFUSAL};
use crate::world::World;

/// The longest until an answer, on a machine where many turns share two cores.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// What every release tells its client of a refusal by the model; only its own log has the model's words.
const FAILURE: &str = "LLM request failed";

/// How long a run may take in the world of these scenarios: twice the long turn.
pub(crate) const RUN_LIMIT: Duration = Duration::from_secs(90);

/// The length of the long turn; more than two refreshes of "typing…".
const LONG: Duration = Duration::from_secs(45);

pub(super) async fn text(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    ask(world, &customer, "hello, is anybody there?").await?;
    Ok(vec![claim(world, &customer, 1)])
}

pub(super) async fn three_texts(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let words = ["apples first", "then bananas", "cherries last"];
    for text in words {
        world.kapso.receive(&customer, text);
    }
    let said = until_said(world, &customer, words[2]).await?.join("\n");
    let places: Vec<Vec<usize>> = words
        .iter()
        .map(|text| said.match_indices(text).map(|(at, _)| at).collect())
        .collect();
    ensure!(
        places.iter().all(|places| places.len() == 1),
        "each text should be answered once: {said:?}"
    );
    ensure!(places.is_sorted(), "answered out of order: {said:?}");
    // Texts that wait together may become one turn.
    Ok(vec![claim(
        world,
        &customer,
        world.model.turns_of(&customer),
    )])
}

pub(super) async fn two_senders(
    world: &World,
    customers: [String; 2],
) -> anyhow::Result<Vec<Claim>> {
    let [red, blue] = &customers;
    tokio::try_join!(
        ask(world, red, "my colour is red"),
        ask(world, blue, "my colour is blue")
    )?;
    world.kapso.receive(red, "which colour is mine?");
    let answers = world.answers(red, 2, PATIENCE).await?;
    ensure!(
        answers == [echo("my colour is red"), echo("which colour is mine?")],
        "got {answers:?}"
    );
    let last = world
        .model
        .asks_of(red)
        .pop()
        .context("the model was not asked")?;
    let transcript = last.messages.to_string();
    ensure!(
        transcript.contains("my colour is red"),
        "the second turn does not know the first: {transcript}"
    );
    ensure!(
        !transcript.contains("my colour is blue"),
        "one sender's session has another's words: {transcript}"
    );
    Ok(vec![claim(world, red, 2), claim(world, blue, 1)])
}

pub(super) async fn long_turn(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let words = format!("wait {}: are you still there?", LONG.as_secs());
    world.kapso.receive(&customer, words.as_str());
    world
        .answered(&customer, &echo(&words), LONG + PATIENCE)
        .await?;
    let reads = world.kapso.reads();
    let typing = reads
        .iter()
        .filter(|read| read.customer == customer && read.typing)
        .count();
    ensure!(
        typing >= 2,
        "\"typing…\" was asked for {typing} times in a turn of {LONG:?}"
    );
    Ok(vec![claim(world, &customer, 1)])
}

pub(super) async fn tools(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let words = "tools: how are you doing?";
    world.kapso.receive(&customer, words);
    let said = until_said(world, &customer, &echo(words)).await?;
    let (last, interim) = said.split_last().context("nothing was sent")?;
    ensure!(
        *last == echo(words),
        "the final text should come last: {said:?}"
    );
    let expected = [format!("{INTERIM} (1)."), format!("{INTERIM} (2).")];
    ensure!(
        interim.is_empty() || interim == expected,
        "interim texts should come all, in order, or not: {said:?}"
    );
    let steps: Vec<usize> = world
        .model
        .asks_of(&customer)
        .iter()
        .filter_map(|ask| ask.question.as_ref().map(|question| question.tool_results))
        .collect();
    ensure!(
        steps == [0, 1, 2],
        "the tools should have been called in turn: {steps:?}"
    );
    Ok(vec![claim(world, &customer, 1)])
}

pub(super) async fn error_run(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    world
        .kapso
        .receive(&customer, "refuse: what is the matter?");
    world.answered(&customer, ERROR_MESSAGE, PATIENCE).await?;
    let details = [FAILURE, REFUSAL];
    let sent: Vec<String> = world
        .kapso
        .sent()
        .iter()
        .map(|message| message.body.to_string())
        .collect();
    let told = sent
        .iter()
        .any(|body| details.iter().any(|detail| body.contains(detail)));
    ensure!(
        !told,
        "the detail of the failure was sent to a customer: {sent:?}"
    );
    let log = std::fs::read_to_string(world.poller.log())?;
    ensure!(
        details.iter().any(|detail| log.contains(detail)),
        "the detail of the failure is not in the poller's log"
    );
    Ok(vec![claim(
        world,
        &customer,
        world.model.turns_of(&customer),
    )])
}

pub(super) async fn silence(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    world.kapso.receive(&customer, "silent: never mind");
    world.model.asked(&customer, 1, PATIENCE).await?;
    // The turn after it is answered when the silent one is over.
    ask(world, &customer, "and now?").await?;
    Ok(vec![claim(
        world,
        &customer,
        world.model.turns_of(&customer),
    )])
}

/// Writes and gets the echo as the first and only answer.
pub(super) async fn run_given_up(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let too_long = RUN_LIMIT.as_secs() * 3;
    world
        .kapso
        .receive(&customer, format!("wait {too_long}: and now?").as_str());
    world.answered(&customer, ERROR_MESSAGE, PATIENCE).await?;
    // The run held the session: only its end lets the next one begin before the model would have answered.
    let words = "are you still there?";
    world.kapso.receive(&customer, words);
    until_said(world, &customer, words).await?;
    Ok(vec![claim(world, &customer, 2)])
}

pub(super) async fn ask(world: &World, customer: &str, words: &str) -> anyhow::Result<()> {
    world.kapso.receive(customer, words);
    world.answered(customer, &echo(words), PATIENCE).await
}

/// That what a customer got so far is all, for so many turns.
pub(super) fn claim(world: &World, customer: &str, turns: usize) -> Claim {
    Claim::new(customer, world.answers_so_far(customer), turns)
}

/// Waits until an answer contains `words`, and gives all of them.
async fn until_said(world: &World, customer: &str, words: &str) -> anyhow::Result<Vec<String>> {
    let said = world.kapso.until(|_| {
        let answers = world.answers_so_far(customer);
        answers
            .iter()
            .any(|answer| answer.contains(words))
            .then_some(answers)
    });
    let waited = timeout(PATIENCE, said).await;
    waited.with_context(|| {
        format!(
            "{customer} was not told \"{words}\" but {:?}",
            world.answers_so_far(customer)
        )
    })
}
