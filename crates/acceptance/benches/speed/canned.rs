//! A Kapso that takes everything and answers with the same few words.
//!
//! For rates at which the faithful stand-in would be measured, for more requests in a minute than its plan has (this
//! one names no limit), and for messages of which the stand-in does not know. It understands three requests by their first bytes: a list (always empty), a read
//! receipt, and any other post, which is a message sent.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::mail::{content_length, head_end};
use crate::scene;
use crate::token::Roll;

const LIST: &str =
    r#"{"data":[],"paging":{"cursors":{"before":null,"after":null},"next":null,"previous":null}}"#;
const MARKED: &str = r#"{"success":true}"#;

/// A running one; ends when dropped.
#[derive(Debug)]
pub(crate) struct CannedKapso {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    latency: Duration,
    sent: Roll,
    serial: AtomicU64,
}

impl CannedKapso {
    /// One that takes `latency` for each answer, and notes which of `count` messages are answered.
    pub(crate) async fn start(count: usize, latency: Duration) -> anyhow::Result<Self> {
        let listener = scene::listener().await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            latency,
            sent: Roll::new(count),
            serial: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        let serving = serve(listener, Arc::clone(&shared), stop.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
        Ok(Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/meta/whatsapp/v24.0", self.address)
    }

    /// The answers that were sent.
    pub(crate) fn sent(&self) -> &Roll {
        &self.shared.sent
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    // An error of `accept` is about the one connection that did not come.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let conversing = converse(stream, Arc::clone(&shared));
            tokio::spawn(stop.clone().run_until_cancelled_owned(conversing));
        }
    }
}

/// Answers request after request until the client closes, which is no error here.
async fn converse(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut request, mut answer) = (Vec::with_capacity(8192), Vec::with_capacity(1024));
    while stream.read_buf(&mut request).await? > 0 {
        while let Some((head, end)) = whole(&request) {
            answer.clear();
            shared.answer(&request[..head], &request[head..end], &mut answer)?;
            request.drain(..end);
            // A sleep of no length still waits for the timer's next millisecond.
            if !shared.latency.is_zero() {
                sleep(shared.latency).await;
            }
            stream.write_all(&answer).await?;
        }
    }
    Ok(())
}

/// Where the head and the body of the first request end, once all of it is there.
fn whole(request: &[u8]) -> Option<(usize, usize)> {
    let head = head_end(request)?;
    let end = head + content_length(&request[..head]).unwrap_or(0);
    (request.len() >= end).then_some((head, end))
}

impl Shared {
    fn answer(&self, head: &[u8], body: &[u8], answer: &mut Vec<u8>) -> io::Result<()> {
        if head.starts_with(b"GET ") {
            return respond(answer, LIST);
        }
        if contains(body, br#""status":"read""#) {
            return respond(answer, MARKED);
        }
        self.sent.note(body);
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let sent = format!(
            r#"{{"messaging_product":"whatsapp","contacts":[],"messages":[{{"id":"wamid.canned{serial}"}}]}}"#
        );
        respond(answer, &sent)
    }
}

fn respond(answer: &mut Vec<u8>, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
