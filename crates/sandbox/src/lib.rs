//! Stand-ins for both outside parties, and a phone in the browser or in the terminal.
//!
//! [`kapso`] answers like Kapso's WhatsApp API and plays the customers, [`openclaw`] answers like an OpenClaw
//! gateway with a scripted agent, [`web`] and [`phone`] show the customers' side of the conversation. The `sandbox` command,
//! the tests and the benches of every crate use these same stand-ins over real loopback sockets. What is not
//! emulated is refused by name, so that nothing silently depends on it.

pub mod kapso;
pub mod openclaw;
pub mod phone;
mod switch;
pub mod web;
