//! One question over the control socket: HTTP/1.1 on a Unix socket.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// For the whole exchange: the bridge answers within milliseconds, or it hangs.
const DEADLINE: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const LONGEST: usize = 1024 * 1024;

/// Why there is no answer.
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
}

/// The bridge's report on itself.
///
/// # Errors
/// [`Unanswered`].
pub(crate) async fn health(path: &Path) -> Result<Value, Unanswered> {
    let path = path.to_owned();
    match timeout(DEADLINE, ask(&path)).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Unanswered::Silent { path }),
    }
}

async fn ask(path: &Path) -> Result<Value, Unanswered> {
    let garbled = |what: String| Unanswered::Garbled {
        path: path.to_owned(),
        what,
    };
    let stream = UnixStream::connect(path)
        .await
        .map_err(|error| refused(path, error))?;
    let exchange = exchange(stream)
        .await
        .map_err(|error| garbled(error.to_string()));
    let (status, body) = exchange?;
    if status != StatusCode::OK {
        return Err(garbled(format!("HTTP {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| garbled(error.to_string()))
}

async fn exchange(stream: UnixStream) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    let (mut sender, connection) = http1::handshake::<_, String>(TokioIo::new(stream)).await?;
    let request = Request::get("/health")
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

fn refused(path: &Path, error: io::Error) -> Unanswered {
    let path = path.to_owned();
    if matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused
    ) {
        return Unanswered::NotRunning { path };
    }
    Unanswered::Denied { path, error }
}
