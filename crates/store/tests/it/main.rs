//! The verbs of the journal, over real files.

#[cfg(feature = "crash-points")]
mod crash;
mod dead;
mod forget;
mod intake;
mod leaving;
mod notices;
mod nouns;
mod opening;
mod outgoing;
mod pairing;
mod people;
mod receipts;
mod sequence;
mod status;
mod trace;
mod turns;
mod webhook;
