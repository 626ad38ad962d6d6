//! The stand-ins, driven over real loopback sockets as the bridge drives them.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod http;
mod kapso;
mod openclaw;
mod phone;
mod web;
mod webhook;
