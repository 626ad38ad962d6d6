//! Recorded messages and webhooks, and the client against a real server on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod data;
mod media;
mod messages;
mod paging;
mod platform;
mod quota;
mod refusals;
mod sending;
mod server;
mod webhook;
