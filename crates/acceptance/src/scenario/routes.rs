//! Scenarios about where a conversation goes.

use anyhow::{Context, ensure};

use super::calm::PATIENCE;
use super::{Claim, echo};
use crate::script::Ask;
use crate::world::{SALES, World};

/// One customer writes to both numbers: each has its agent, its session and its answer.
pub(super) async fn two_numbers(world: &World, customer: String) -> anyhow::Result<Vec<Claim>> {
    let desk = world.desk.as_ref().context("there is one number")?;
    let (first, second) = ("my colour is green", "I want to buy something");
    world.kapso.receive(&customer, first);
    world.answered(&customer, &echo(first), PATIENCE).await?;
    desk.receive(&customer, second);
    let sent = desk.sent_to_within(&customer, 1, PATIENCE).await?;
    let sent: Vec<&str> = sent.iter().map(|message| message.text.as_str()).collect();
    ensure!(sent == [echo(second)], "the second number sent {sent:?}");
    let all = world.model.asks_of(&customer);
    for (words, agent) in [(first, "main"), (second, SALES)] {
        let asks = |ask: &&Ask| {
            ask.question
                .as_ref()
                .is_some_and(|question| question.words == words)
        };
        let ask = all.iter().find(asks);
        let ask = ask.with_context(|| format!("the model was not asked \"{words}\""))?;
        // Every release tells the model which agent it is, in one place or the other.
        let told = ask.instructions() + &ask.prompt();
        ensure!(
            told.contains(&format!("agent={agent} ")),
            "\"{words}\" did not go to {agent}"
        );
    }
    let last = all.last().context("the model was not asked")?;
    ensure!(
        !last.messages.to_string().contains(first),
        "the second number's session has the first one's words"
    );
    Ok(vec![Claim::new(&customer, vec![echo(first)], 2)])
}
