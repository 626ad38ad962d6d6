//! The handle that the rest of the program holds, and what the connection is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{IdempotencyKey, RunId, SessionKey};
use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::counters::{Counters, Tally};
use crate::device::DeviceKey;
use crate::dialler::Dialler;
use crate::hello::Hello;
use crate::history::{self, History};
use crate::params::{self, AgentRequest};
use crate::refusal::Refusal;
use crate::requests::{Ask, Outcome, Rejection, Reply, RequestError, Waiter};
use crate::run::{self, AgentReply, Waited};
use crate::url::GatewayUrl;

/// With what the gateway is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is.
    pub url: GatewayUrl,
    /// The shared token (`gateway.auth.token` at the gateway). Without it the stored device token is used.
    pub token: Option<SecretString>,
    /// Who we are.
    pub device: DeviceKey,
    /// Where the token is kept that the gateway issues to an approved device.
    pub device_token_file: Option<PathBuf>,
    /// Intervals.
    pub timing: Timing,
}

/// Intervals of the connection. The default is for production.
#[derive(Debug, Clone)]
pub struct Timing {
    /// For the socket, TLS included.
    pub connect: Duration,
    /// From the socket to the accepted connection.
    pub handshake: Duration,
    /// For the first answer to a request.
    pub request: Duration,
    /// The longest silence of the gateway, whatever tick it names: then the connection is dead. A shorter tick makes
    /// it twice that tick.
    pub silence: Duration,
    /// The first wait before dialling again; it doubles.
    pub backoff_first: Duration,
    /// The longest wait before dialling again.
    pub backoff_cap: Duration,
    /// Between two attempts while the operator has to act.
    pub refused: Duration,
    /// For a gateway that said it shuts down to close the connection.
    pub leave: Duration,
    /// For a command, from its sending to its reply.
    pub command: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(15),
            request: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            backoff_first: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(10),
            refused: Duration::from_secs(30),
            leave: Duration::from_secs(10),
            command: Duration::from_secs(30),
        }
    }
}

/// How it stands with the connection.
#[derive(Debug, Clone)]
pub enum Status {
    /// It is being opened, for the first time or again.
    Connecting {
        /// Attempts since the last accepted connection.
        attempt: u32,
        /// Why the last one failed, or why the connection ended.
        last: Option<Refusal>,
    },
    /// Requests can be sent.
    Connected(Arc<Hello>),
    /// The operator has to act. It is tried again now and then.
    Refused {
        /// Why, and what to do.
        refusal: Refusal,
        /// The wait before the next attempt.
        next_try: Duration,
    },
    /// It was stopped.
    Closed,
}

/// Requests that the connection has not taken yet. When it is full, further callers wait, until their deadlines.
const ASK_QUEUE: usize = 64;

/// One accepted connection, for those who ask. It ends with the connection.
#[derive(Debug)]
pub(crate) struct Link {
    hello: Arc<Hello>,
    asks: mpsc::Sender<Ask>,
    ids: AtomicU64,
}

impl Link {
    pub(crate) fn new(hello: Arc<Hello>) -> (Self, mpsc::Receiver<Ask>) {
        let (asks, queue) = mpsc::channel(ASK_QUEUE);
        (
            Self {
                hello,
                asks,
                ids: AtomicU64::new(1),
            },
            queue,
        )
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        params: &impl Serialize,
        waiter: Waiter,
    ) -> Result<Ask, RequestError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed).to_string();
        let text = crate::frames::request(&id, method, params).map_err(|error| {
            RequestError::Rejected(Rejection {
                code: "ENCODING".to_owned(),
                message: error.to_string(),
                ..Rejection::default()
            })
        })?;
        let (size, limit) = (text.len(), self.hello.max_payload);
        if size > limit {
            return Err(RequestError::TooLarge { size, limit });
        }
        Ok(Ask { id, text, waiter })
    }
}

/// The gateway, for everyone who asks it something. Clones share one connection.
#[derive(Debug, Clone)]
pub struct Gateway {
    status: watch::Receiver<Status>,
    link: watch::Receiver<Option<Arc<Link>>>,
    tally: Arc<Tally>,
    /// For the first answer to a request.
    deadline: Duration,
    /// For a command.
    pub(crate) command_deadline: Duration,
}

impl Gateway {
    /// Starts the task that keeps a connection open until `stop`.
    ///
    /// `stop` ends the connection at once: cancel it after the last run that matters.
    pub fn open(options: Options, stop: CancellationToken, tracker: &TaskTracker) -> Self {
        let (status_sender, status) = watch::channel(Status::Connecting {
            attempt: 0,
            last: None,
        });
        let (link_sender, link) = watch::channel(None);
        let tally = Arc::new(Tally::default());
        let (deadline, command_deadline) = (options.timing.request, options.timing.command);
        let connection = Connection::new(
            Dialler::new(options),
            stop,
            status_sender,
            link_sender,
            Arc::clone(&tally),
        );
        tracker.spawn(connection.run());
        Self {
            status,
            link,
            tally,
            deadline,
            command_deadline,
        }
    }

    /// How it stands with the connection, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// Waits for an accepted connection with the needed scopes; for ever, when there never is one. Cancel-safe.
    pub async fn ready(&self) -> Arc<Hello> {
        let mut link = self.link.clone();
        loop {
            if let Some(link) = link.borrow_and_update().as_ref() {
                return Arc::clone(&link.hello);
            }
            if link.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Asks the agent; gives the first answer.
    ///
    /// # Errors
    /// [`RequestError`]; it says whether the gateway may have received the question.
    pub async fn agent(&self, request: &AgentRequest) -> Result<AgentReply, RequestError> {
        let link = self.link()?;
        let params = params::Agent::new(request, link.hello.known);
        let ((first, answer), (last, result)) = (oneshot::channel(), oneshot::channel());
        let ask = link.ask("agent", &params, Waiter::Run { first, last })?;
        let reply = exchange(&link, ask, answer, self.deadline).await?;
        run::first_reply(&reply, &request.key, result)
    }

    /// Waits up to `timeout` for the end of `run`.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn wait(&self, run: &RunId, timeout: Duration) -> Result<Waited, RequestError> {
        let params = params::AgentWait::new(run, timeout);
        let reply = self
            .request("agent.wait", &params, timeout + self.deadline)
            .await?;
        run::waited(&reply)
    }

    /// The last `limit` rows (1 to 1000) of `session`, and whether something runs in it. A session that does not
    /// exist has no rows.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn history(&self, session: &SessionKey, limit: u32) -> Result<History, RequestError> {
        let params = params::ChatHistory::new(session, limit, self.link()?.hello.known);
        let reply = self.request("chat.history", &params, self.deadline).await?;
        history::history(&reply)
    }

    /// Ends the run of `key` in `session`, if it goes on. `sessions.abort` takes the key as we write it on every
    /// release; 2026.5.7's `chat.abort` does not (openclaw.md 3.7).
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn abort(
        &self,
        session: &SessionKey,
        key: &IdempotencyKey,
    ) -> Result<(), RequestError> {
        let params = params::SessionsAbort {
            key: session,
            run_id: key.as_str(),
        };
        self.request("sessions.abort", &params, self.deadline)
            .await
            .map(drop)
    }

    async fn request(
        &self,
        method: &str,
        params: &impl Serialize,
        deadline: Duration,
    ) -> Result<Reply, RequestError> {
        let link = self.link()?;
        let (sender, answer) = oneshot::channel();
        let ask = link.ask(method, params, Waiter::One(sender))?;
        exchange(&link, ask, answer, deadline).await
    }

    pub(crate) fn link(&self) -> Result<Arc<Link>, RequestError> {
        self.link.borrow().clone().ok_or(RequestError::NotConnected)
    }
}

pub(crate) async fn exchange(
    link: &Link,
    ask: Ask,
    answer: oneshot::Receiver<Outcome>,
    deadline: Duration,
) -> Outcome {
    let exchanged = async {
        if link.asks.send(ask).await.is_err() {
            return Err(RequestError::NotConnected);
        }
        answer.await.unwrap_or(Err(RequestError::Lost))
    };
    timeout(deadline, exchanged)
        .await
        .unwrap_or(Err(RequestError::Deadline))
}

/// Opens one connection, closes it, and says what the gateway said; for a check by the operator.
///
/// # Errors
/// The [`Refusal`], with its remedy.
pub async fn probe(options: Options) -> Result<Hello, Refusal> {
    let mut accepted = Dialler::new(options).dial(false).await?;
    // The answer is known; a peer that does not close in order changes nothing.
    let _ = timeout(CLOSE_WAIT, accepted.socket.close(None)).await;
    Ok(accepted.hello)
}

/// For the peer to take our close.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(1);
