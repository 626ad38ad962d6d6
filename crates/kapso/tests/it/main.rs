//! The client against recorded messages and a real server on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod messages;
mod paging;
mod refusals;
mod sending;
mod server;
