//! Runs the built daemon from outside: against real OpenClaw gateways, and between the stand-ins.
//!
//! [`chaos`] is the proof of what the bridge promises. The rest is about real gateways: one [`world`] is a customer's side (the Kapso stand-in), our daemon as a child process, a TCP [`proxy`], a real
//! gateway as a child process and a [`script`]ed model behind it. A [`scenario`] writes as a customer and judges by what
//! came back and by what the model was asked. Nothing here looks into the daemon but through its log.

pub mod chaos;
pub mod install;
pub mod openclaw;
pub mod poller;
pub mod process;
pub mod proxy;
pub mod release;
pub mod report;
pub mod scenario;
pub mod script;
pub mod suite;
pub mod world;
