//! Connections of the open port: their number, the time they have for a request's head, and their end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections that are open at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 1024;

/// For the head of a request, and for the next request of a connection that is kept.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes of a request's head, at most.
const HEAD_MOST: usize = 32 << 10;

/// For the requests in flight when the bridge stops.
const LEAVE: Duration = Duration::from_secs(3);

/// Between two tries to take a connection when the system refuses, such as for want of file descriptors.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// Serves `routes` until `stop`, then lets the requests in flight finish.
pub(super) async fn serve(listener: &TcpListener, routes: Router, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_MOST);
    loop {
        let next = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let Some((Ok(permit), accepted)) = stop.run_until_cancelled(next).await else {
            break;
        };
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                warn!(%error, "cannot take a connection");
                sleep(AFTER_REFUSAL).await;
                continue;
            }
        };
        // Answers are one small packet; a failure costs latency.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(routes.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended");
            }
            drop(permit);
        });
    }
    if timeout(LEAVE, graceful.shutdown()).await.is_err() {
        debug!("left requests unanswered: they come again");
    }
}
