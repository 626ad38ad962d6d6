//! The agent edge: a client of the OpenClaw gateway's WebSocket protocol (versions 3 and 4).
//!
//! One task owns the connection ([`Gateway::open`]): it dials, proves who it is, keeps the socket alive, matches
//! answers to requests by id, and dials again with backoff. Everyone else holds a [`Gateway`] handle. A question to
//! the agent is the `agent` request, whose two answers come on one request id; `agent.wait` and `chat.history` find
//! out what became of a run when a connection was lost. Nothing here knows WhatsApp, and nothing here decides whether
//! a question is repeated: [`RequestError`] says what is known, the caller decides. Commands of the gateway itself go by
//! `chat.send`, and only through [`Gateway::command`]; see [`command`].
//!
//! Session transcripts on disk (releases up to 2026.7.35) are read by [`transcript`].

mod boot;
pub mod command;
mod connection;
mod counters;
mod device;
mod dialler;
mod frames;
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod handshake;
mod hello;
mod history;
pub mod key_file;
mod params;
mod refusal;
mod requests;
mod run;
mod token;
pub mod transcript;
mod url;

pub use boot::{Boot, InvalidBoot};
pub use command::CommandReply;
pub use counters::Counters;
pub use device::DeviceKey;
pub use handle::{Gateway, Options, Status, Timing, probe};
pub use hello::{Attachments, Hello};
pub use history::{History, Role, Row};
pub use params::{AgentRequest, Picture};
pub use refusal::{Reason, Refusal};
pub use requests::{Rejection, RequestError};
pub use run::{AgentReply, Payload, Run, RunResult, RunStatus, Waited};
pub use url::{GatewayUrl, InvalidUrl};
