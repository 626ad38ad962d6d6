//! The way in for fuzz targets (`fuzz/`): a text as if a gateway had sent it, to everyone who reads one.
//!
//! Not part of the API. What is read is thrown away: it must only end, without a panic, in memory that goes with the
//! text's size.

use model::{IdempotencyKey, Timestamp};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::frames::{self, Frame};
use crate::hello::{Challenged, HelloOk};
use crate::refusal::Refusal;
use crate::requests::Reply;
use crate::{command, history, run};

/// Reads `text` as a frame, and the payload of an answer as each of the answers that the program knows. Whether it
/// was an answer.
pub fn frame(text: &str, key: &IdempotencyKey) -> bool {
    let answer = match Frame::read(text) {
        Ok(Frame::Response { answer, .. }) => answer,
        Ok(Frame::Event { payload, .. }) => {
            let _ = payload.and_then(command::ended);
            return false;
        }
        Ok(Frame::Unknown) | Err(_) => return false,
    };
    let reply = Reply::from(answer);
    let (_sender, last) = oneshot::channel();
    // Each reader takes the text for what it waits for: most say that it is not.
    let _ = run::first_reply(&reply, key, last);
    let _ = run::waited(&reply);
    let _ = history::history(&reply);
    let _ = command::goes_on(&reply);
    let refusal = Refusal::from_answer(&reply.wire_error(), false);
    let _ = (refusal.retry(), refusal.remedy(), refusal.to_string());
    if let Some(payload) = &reply.payload
        && let Ok(hello) = frames::read::<HelloOk>(payload.get())
    {
        let challenged = Challenged {
            ts: Timestamp::from_seconds(1_788_000_000),
            at: Instant::now(),
        };
        let hello = hello.accepted(challenged, false);
        let _ = (hello.gateway_now(), hello.uptime(), hello.boot.to_string());
    }
    true
}
