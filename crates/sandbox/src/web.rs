//! A phone in the browser: one page on loopback, with the customers' chats, what went over the wires, and faults.
//!
//! The page sees what a customer would see of a [`KapsoStandIn`], and behind it what the sandbox knows: webhook
//! deliveries, the gateway's events, the life of a message in the bridge's journal. Nobody else's page can use it: every
//! address begins with a secret of its own, and a request that names another host or comes from another origin is
//! refused. The page's files are part of the program; it asks nobody else for anything.

mod acts;
mod door;
mod files;
mod frames;
mod happenings;
mod people;
mod wire;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::{Identity, MessageId};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kapso::KapsoStandIn;
use crate::openclaw::OpenClawStandIn;
use frames::Frames;
use people::People;

pub use people::Person;

/// Who answers the customers.
#[derive(Debug, Clone)]
pub enum Agent {
    /// The built-in one.
    Scripted(OpenClawStandIn),
    /// The one of a gateway at this address.
    Elsewhere(String),
}

/// Asks the bridge for the lives of a message; the array `lives` of the control socket's `/trace`, empty where nothing
/// is known, or why there is no answer.
pub type Trace =
    Arc<dyn Fn(MessageId) -> BoxFuture<'static, Result<Vec<Value>, String>> + Send + Sync>;

/// What the page shows.
pub struct Options {
    /// Where the customers write.
    pub kapso: KapsoStandIn,
    /// Who answers.
    pub agent: Agent,
    /// How the bridge is asked for the life of a message.
    pub trace: Trace,
    /// The customers at the beginning.
    pub people: Vec<Person>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("people", &self.people)
            .finish_non_exhaustive()
    }
}

/// The page, ready to be served.
pub struct WebPhone {
    listener: TcpListener,
    address: SocketAddr,
    secret: String,
    desk: Arc<Desk>,
}

/// What every request works with.
struct Desk {
    kapso: KapsoStandIn,
    agent: Agent,
    trace: Trace,
    people: People,
    frames: Arc<Frames>,
    stop: CancellationToken,
}

impl WebPhone {
    /// A page on `listener`, which is bound to loopback, until `stop`.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn new(
        listener: TcpListener,
        options: Options,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let desk = Desk {
            kapso: options.kapso,
            agent: options.agent,
            trace: options.trace,
            people: People::new(options.people),
            frames: Arc::default(),
            stop,
        };
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            secret: Uuid::new_v4().simple().to_string(),
            desk: Arc::new(desk),
        })
    }

    /// The address to open, with the secret in it.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.secret)
    }

    /// Who is on the allowlist, as it changes.
    pub fn allowed(&self) -> watch::Receiver<Vec<Identity>> {
        self.desk.people.allowed()
    }

    /// Serves the page.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self) -> io::Result<()> {
        let stop = self.desk.stop.clone();
        if let Agent::Scripted(agent) = &self.desk.agent {
            let kept = Arc::clone(&self.desk.frames).keep(agent.events());
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(kept).await });
        }
        let routes = door::routes(&self.secret, self.address, self.desk);
        axum::serve(self.listener, routes)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }
}
