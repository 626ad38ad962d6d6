//! The gateway client against a real WebSocket server on the loopback interface, played by each test.

mod commands;
mod connecting;
mod liveness;
mod logging;
mod peer;
mod recorded;
mod requests;
mod schema;
mod transcript;
