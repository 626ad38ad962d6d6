//! Signed webhooks of small texts, ready to be written, and the light client that writes them.
//!
//! The client shares its two cores with the daemon. So every request is made and signed before the clock starts, all
//! lie in one block of memory, and an answer is read no further than its status and its length.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use hmac::{Hmac, KeyInit, Mac};
use model::Clock;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::daemon::{NUMBER, WEBHOOK_SECRET};
use crate::token;

/// Room for an answer; an acknowledgement has some two hundred bytes.
const ANSWER: usize = 4096;

/// Webhooks that are ready to be posted, each of a message of its own.
#[derive(Debug)]
pub(crate) struct Mail {
    block: Vec<u8>,
    ends: Vec<usize>,
}

impl Mail {
    /// `count` messages of as many `senders`, who take turns.
    pub(crate) fn new(count: usize, senders: usize, clock: &Clock) -> anyhow::Result<Self> {
        let now = clock.now().as_millis() / 1000;
        let mut mail = Self {
            block: Vec::new(),
            ends: Vec::with_capacity(count),
        };
        for number in 0..count {
            let body = body(number, number % senders, now);
            let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes())?;
            mac.update(body.as_bytes());
            let signature = hex::encode(mac.finalize().into_bytes());
            let request = format!(
                "POST /webhook HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
                 x-webhook-event: whatsapp.message.received\r\nx-webhook-signature: {signature}\r\n\
                 x-idempotency-key: 00000000-0000-4000-8000-{number:012}\r\n\
                 x-webhook-payload-version: v2\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            mail.block.extend_from_slice(request.as_bytes());
            mail.ends.push(mail.block.len());
        }
        Ok(mail)
    }

    /// All of them, in order.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &[u8]> {
        (0..).map_while(|number| self.request(number))
    }

    /// The whole request with this number; none after the last.
    fn request(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.block[start..end])
    }
}

/// A body as in kapso.md 4.4.
fn body(number: usize, sender: usize, now: i64) -> String {
    let digits = digits(sender);
    let words = format!("Hello, this is {}.", token::of(number));
    let conversation = format!("0f1e0000-0000-4000-8000-{sender:012}");
    let day = "2026-09-01T12:00:00Z";
    serde_json::json!({
        "message": {
            "id": format!("wamid.bench{number}"), "timestamp": now.to_string(), "type": "text", "from": digits,
            "text": { "body": words },
            "kapso": {
                "direction": "inbound", "status": "received", "processing_status": "pending",
                "origin": "cloud_api", "has_media": false, "content": words,
            },
        },
        "conversation": {
            "id": conversation, "phone_number": format!("+{digits}"), "status": "active",
            "last_active_at": day, "created_at": day, "updated_at": day, "metadata": {},
            "phone_number_id": NUMBER, "contact_name": "Ana",
            "kapso": { "contact_name": "Ana", "messages_count": 7, "last_message_type": "text" },
        },
        "is_new_conversation": false,
        "phone_number_id": NUMBER,
    })
    .to_string()
}

/// The number of a sender, without the plus sign.
pub(crate) fn digits(sender: usize) -> String {
    format!("1555{sender:07}")
}

/// A connection that stays open.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; ANSWER];
        Ok(Self { stream, buffer })
    }

    /// Writes a request and reads its answer, which must be 200.
    pub(crate) async fn post(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let room = &mut self.buffer[filled..];
            ensure!(!room.is_empty(), "an answer of more than {ANSWER} bytes");
            let read = self.stream.read(room).await?;
            ensure!(read > 0, "the daemon closed the connection");
            filled += read;
            let answer = &self.buffer[..filled];
            if !is_whole(answer)? {
                continue;
            }
            ensure!(
                answer.starts_with(b"HTTP/1.1 200 "),
                "refused: {}",
                String::from_utf8_lossy(answer)
            );
            return Ok(());
        }
    }
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    Ok(match head_end(answer) {
        None => false,
        Some(end) => answer.len() >= end + content_length(&answer[..end]).context("no length")?,
    })
}

/// Where the head of an HTTP message ends, blank line included.
pub(crate) fn head_end(message: &[u8]) -> Option<usize> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

/// The length of the body, as the head says.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))?;
    std::str::from_utf8(&line[NAME.len()..])
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// How the posting of some mail went.
#[derive(Debug)]
pub(crate) struct Posted {
    /// From the first write to the last answer.
    pub(crate) took: Duration,
    /// From each write to its answer, in milliseconds.
    pub(crate) latencies: Vec<f64>,
}

/// Posts all of `mail` over `lines` connections, each of which writes when its last request was answered.
///
/// It runs on a thread of its own, so that no request is handed from one thread to another.
pub(crate) async fn post(
    mail: Arc<Mail>,
    address: SocketAddr,
    lines: usize,
) -> anyhow::Result<Posted> {
    let posting = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        LocalSet::new().block_on(&runtime, post_all(&mail, address, lines))
    };
    tokio::task::spawn_blocking(posting).await?
}

async fn post_all(mail: &Arc<Mail>, address: SocketAddr, lines: usize) -> anyhow::Result<Posted> {
    let mut open = Vec::with_capacity(lines);
    for _ in 0..lines {
        open.push(Line::open(address).await?);
    }
    let next = Rc::new(Cell::new(0));
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(mail.ends.len())));
    let begun = Instant::now();
    let posters = open.into_iter().map(|mut line| {
        let (mail, next, latencies) = (Arc::clone(mail), Rc::clone(&next), Rc::clone(&latencies));
        tokio::task::spawn_local(async move {
            while let Some(request) = mail.request(next.replace(next.get() + 1)) {
                let begun = Instant::now();
                line.post(request).await?;
                latencies.borrow_mut().push(milliseconds(begun.elapsed()));
            }
            anyhow::Ok(())
        })
    });
    // All are spawned before the first is awaited.
    for poster in posters.collect::<Vec<_>>() {
        poster.await??;
    }
    Ok(Posted {
        took: begun.elapsed(),
        latencies: latencies.take(),
    })
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
