//! A server on the loopback interface that answers as a test tells it, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use kapso::{Client, Deadlines, Options};
use model::NumberId;
use serde_json::Value;
use tokio::net::TcpListener;

pub(crate) const KEY: &str = "kp_live_0123456789";
pub(crate) const NUMBER: &str = "597907523413541";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A running server.
pub(crate) struct Server {
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts a server whose answers `answer` gives; a request without an answer is left hanging.
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> Option<Response<Body>> + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}/meta/whatsapp/v24.0", listener.local_addr()?);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let app = Router::new().fallback(move |request: Request| {
            let (log, answer) = (Arc::clone(&log), answer.clone());
            async move {
                let asked = read(request).await;
                log.lock().unwrap().push(asked.clone());
                match answer(&asked) {
                    Some(response) => response,
                    None => std::future::pending().await,
                }
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { base, asked })
    }

    /// Starts a server that gives the same answer to everything.
    pub(crate) async fn saying(status: u16, body: &'static str) -> anyhow::Result<Self> {
        Self::start(move |_| Some(answer(status, body))).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        client(&self.base, Deadlines::default())
    }

    /// A client that loses patience within 50 ms.
    pub(crate) fn hasty_client(&self) -> anyhow::Result<Client> {
        let deadlines = Deadlines {
            connect: Duration::from_secs(5),
            read: Duration::from_millis(50),
            send: Duration::from_millis(50),
        };
        client(&self.base, deadlines)
    }

    pub(crate) fn url(&self) -> &str {
        &self.base
    }
}

pub(crate) fn client(base: &str, deadlines: Deadlines) -> anyhow::Result<Client> {
    Ok(Client::new(Options {
        base_url: base.parse()?,
        api_key: KEY.into(),
        number: NumberId::new(NUMBER)?,
        deadlines,
    })?)
}

pub(crate) fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().status(status);
    response.body(body.into()).unwrap()
}

async fn read(request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let url = kapso::Url::parse(&format!("http://localhost{}", parts.uri)).unwrap();
    Asked {
        method: parts.method.to_string(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}
