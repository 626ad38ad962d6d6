//! The whole journey between the two stand-ins: WhatsApp on one side, a scripted gateway on the other.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod admission;
mod desk;
mod identity;
mod intake;
mod media;
mod numbers;
mod operator;
mod order;
mod pairing;
mod push;
mod pushed;
mod recovery;
mod registration;
mod replies;
mod sending;
mod staleness;
mod tunnel;
mod world;
