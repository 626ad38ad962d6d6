//! The measurements, each with stand-ins and a state directory of its own.

mod backlog;
mod burst;
mod guard;
mod ingest;
mod journal;
mod quiet;
mod relay;
mod webhook;

pub(crate) use backlog::catchup;
pub(crate) use burst::burst;
pub(crate) use guard::guard;
pub(crate) use ingest::ingest;
pub(crate) use journal::journal;
pub(crate) use quiet::{idle, ready};
pub(crate) use relay::relay;
pub(crate) use webhook::webhook;
