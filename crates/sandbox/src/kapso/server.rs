//! The sockets: accepts connections and lets [`Api`] answer, or break off where a fault says so.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{Api, Broken};

/// After a failed accept, such as too many open files: time for others to close some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves until `stop`, then drops every connection.
pub(super) async fn serve(
    listener: TcpListener,
    api: Arc<Api>,
    stop: CancellationToken,
    tracker: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if api.faults.is_unreachable() => reset(&stream),
            Ok((stream, _)) => {
                let api = Arc::clone(&api);
                let stop = stop.clone();
                tracker.spawn(async move {
                    stop.run_until_cancelled(converse(stream, api)).await;
                });
            }
            Err(problem) => {
                tracing::warn!(%problem, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, api: Arc<Api>) {
    // Without it small answers wait for the peer's delayed acknowledgement.
    if let Err(problem) = stream.set_nodelay(true) {
        tracing::debug!(%problem, "TCP_NODELAY not set");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let api = api.named(request.uri());
        let answer: Answer = Box::pin(async move { api.answer(request).await });
        answer
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err_and(|problem| is_broken(&problem)) {
        reset(connection.into_parts().io.inner());
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response, Broken>> + Send>>;

fn is_broken(problem: &hyper::Error) -> bool {
    problem.source().is_some_and(<dyn Error>::is::<Broken>)
}

/// Makes the close that follows a reset instead of an orderly end.
fn reset(stream: &TcpStream) {
    if let Err(problem) = stream.set_zero_linger() {
        tracing::debug!(%problem, "connection ends in order instead of by reset");
    }
}
