//! The running poller, asked over the control socket in `state.dir`: one question at a time, HTTP/1.1 on a Unix socket.
//! Every delivery mode has it; the webhook's address plays no part.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use config::State;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::Common;
use crate::outcome::{Exit, Outcome};

/// For the whole exchange: the bridge answers within milliseconds, or it hangs.
const DEADLINE: Duration = Duration::from_secs(5);

/// The largest answer that is read: a thousand messages, or twenty lives, each of the longest.
const LONGEST: usize = 32 * 1024 * 1024;

/// The poller of this state directory, which may run or not.
#[derive(Debug)]
pub(crate) struct Poller {
    socket: PathBuf,
}

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Nobody listens.
    #[error(
        "the poller is not running: nobody listens on {}; start kapso-whatsapp-poller, or correct state.dir",
        .path.display()
    )]
    NotRunning { path: PathBuf },
    /// The socket belongs to someone else.
    #[error("{}: {error}; ask as the user that the poller runs as", .path.display())]
    Denied { path: PathBuf, error: io::Error },
    /// Somebody listens and does not answer.
    #[error(
        "the poller listens on {} and does not answer within {DEADLINE:?}; try again, or look at its log",
        .path.display()
    )]
    Silent { path: PathBuf },
    /// The answer cannot be understood.
    #[error("what answers on {} is no poller of this version: {what}", .path.display())]
    Garbled { path: PathBuf, what: String },
    /// The poller says why not.
    #[error("{error}")]
    Refused { status: StatusCode, error: String },
}

impl Unanswered {
    /// What the command that asked ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NotRunning { .. } => Exit::NotRunning,
            Self::Silent { .. } => Exit::Temporary,
            Self::Denied { .. } | Self::Garbled { .. } => Exit::Failed,
            Self::Refused { status, .. } if *status == StatusCode::BAD_REQUEST => Exit::Usage,
            Self::Refused { status, .. } if *status == StatusCode::SERVICE_UNAVAILABLE => {
                Exit::Temporary
            }
            Self::Refused { .. } => Exit::Failed,
        }
    }
}

impl From<Unanswered> for Outcome {
    fn from(unanswered: Unanswered) -> Self {
        Self::failed(unanswered.exit(), unanswered)
    }
}

impl Poller {
    /// The poller of the configuration that is in effect. It needs no account.
    ///
    /// # Errors
    /// The outcome of a configuration that cannot be used.
    pub(crate) fn configured(common: &Common) -> Result<Self, Outcome> {
        match State::load(common.config.as_deref()) {
            Ok(state) => Ok(Self::of(&state)),
            Err(error) => Err(Outcome::misconfigured(&error)),
        }
    }

    /// The poller of this state directory.
    pub(crate) fn of(state: &State) -> Self {
        Self::at(state.control_socket())
    }

    /// The poller that listens on this socket.
    pub(crate) fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The bridge's report on itself.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub(crate) async fn health(&self) -> Result<Value, Unanswered> {
        self.get("/health").await
    }

    /// What the poller answers to a question; `target` is a path with its query, encoded.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub(crate) async fn get(&self, target: &str) -> Result<Value, Unanswered> {
        self.ask(Method::GET, target).await
    }

    /// What the poller answers to an order.
    ///
    /// # Errors
    /// [`Unanswered`]; after [`Unanswered::Silent`] it may have been carried out.
    pub(crate) async fn post(&self, target: &str) -> Result<Value, Unanswered> {
        self.ask(Method::POST, target).await
    }

    /// An answer that is no answer of this version.
    pub(crate) fn garbled(&self, what: &impl ToString) -> Unanswered {
        Unanswered::Garbled {
            path: self.socket.clone(),
            what: what.to_string(),
        }
    }

    async fn ask(&self, method: Method, target: &str) -> Result<Value, Unanswered> {
        let asked = async {
            let stream = UnixStream::connect(&self.socket)
                .await
                .map_err(|error| self.unreachable(error))?;
            exchange(stream, method, target)
                .await
                .map_err(|error| self.garbled(&error))
        };
        let (status, body) = match timeout(DEADLINE, asked).await {
            Ok(answer) => answer?,
            Err(_elapsed) => {
                let path = self.socket.clone();
                return Err(Unanswered::Silent { path });
            }
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|error| self.garbled(&error));
        }
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        // A poller that knows the question and refuses it says why; one that does not know it says nothing.
        Err(match said["error"].as_str() {
            Some(error) => Unanswered::Refused {
                status,
                error: error.to_owned(),
            },
            None => self.garbled(&format!("HTTP {status}")),
        })
    }

    fn unreachable(&self, error: io::Error) -> Unanswered {
        let path = self.socket.clone();
        if matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::ConnectionRefused
        ) {
            return Unanswered::NotRunning { path };
        }
        Unanswered::Denied { path, error }
    }
}

async fn exchange(
    stream: UnixStream,
    method: Method,
    target: &str,
) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    let (mut sender, connection) = http1::handshake::<_, String>(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, "localhost")
        .header(ACCEPT, "application/json")
        .body(String::new())?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        anyhow::Ok((status, whole(response).await?))
    };
    // The connection only moves while it is polled; when it ends first, `answered` says why.
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => match ended {
            Ok(()) => answered.await,
            Err(error) => Err(error.into()),
        },
    }
}

async fn whole(response: Response<Incoming>) -> anyhow::Result<Vec<u8>> {
    let (mut body, mut read) = (response.into_body(), Vec::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
        anyhow::ensure!(
            read.len() <= LONGEST,
            "its answer is larger than {LONGEST} bytes"
        );
    }
    Ok(read)
}
