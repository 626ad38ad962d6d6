//! The verbs of the journal, over real files.

#[cfg(feature = "crash-points")]
mod crash;
mod forget;
mod intake;
mod nouns;
mod opening;
mod outgoing;
mod sequence;
mod status;
mod turns;
