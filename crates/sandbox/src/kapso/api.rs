//! The answers: key, minute's limit, number, then the list or a send; everything else is refused by name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::response::Response;
use model::{Clock, MessageId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::customer_key;
use super::endpoint::Endpoint;
use super::event::{Event, RecordedRequest, Status};
use super::fault::{Course, Faults, ListFault, Outcome};
use super::ledger::{Accepted, Ledger, Names};
use super::media::{self, MediaRefused, MediaStore};
use super::outgoing::{NewMessage, Post};
use super::page::{ListQuery, http_date};
use super::refusal::Refusal;
use super::registry::Registry;

/// What the headers claim when no limit is set: that of the largest plan.
const NOMINAL_LIMIT: u32 = 2000;
/// `Retry-After` of the limit, as documented (kapso.md 1.5).
const LIMIT_WAIT: Duration = Duration::from_secs(60);

/// The connection is to be broken off without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox breaks the connection off")]
pub(super) struct Broken;

pub(super) struct Api {
    pub(super) ledger: Arc<Ledger>,
    pub(super) faults: Arc<Faults>,
    pub(super) registry: Registry,
    pub(super) names: Names,
    pub(super) key: SecretString,
    pub(super) clock: Clock,
    pub(super) latency: Duration,
    pub(super) requests_per_minute: Option<u32>,
    pub(super) delivered_after: Option<Duration>,
    pub(super) tracker: TaskTracker,
    pub(super) media: MediaStore,
    /// Other numbers that are served at the same address.
    pub(super) beside: Mutex<Vec<Arc<Api>>>,
}

/// What a proper request leads to: an answer, or an end without one.
enum Ending {
    Answer(Value),
    /// An answer of the platform API, with its status.
    Platform(u16, Value),
    Refusal(Refusal),
    NotJson,
    Broken,
}

impl From<Refusal> for Ending {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// The number's id in a request: in its path, or for a file in the query.
fn number(uri: &Uri) -> Option<&str> {
    let mut query = uri.query().unwrap_or_default().split('&');
    let given = query.find_map(|one| one.strip_prefix("phone_number_id="));
    given.or_else(|| number_in(uri.path()))
}

fn number_in(path: &str) -> Option<&str> {
    match path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["meta", "whatsapp", _version, number, ..]
        | [
            "platform",
            _version,
            "whatsapp",
            "phone_numbers",
            number,
            ..,
        ] => Some(number),
        _ => None,
    }
}

impl Api {
    /// The one whose number the request names: this one, unless another one that is served here too.
    pub(super) fn named(self: &Arc<Self>, uri: &Uri) -> Arc<Self> {
        let beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        let named = beside
            .iter()
            .find(|api| number(uri) == Some(api.names.number.as_str()));
        Arc::clone(named.unwrap_or(self))
    }

    pub(super) async fn answer(
        &self,
        request: Request<hyper::body::Incoming>,
    ) -> Result<Response, Broken> {
        let (head, body) = request.into_parts();
        let endpoint = Endpoint::of(&head.method, head.uri.path());
        let body = to_bytes(Body::new(body), endpoint.largest_body()).await;
        let arrived = Instant::now();
        let bytes = match body {
            Ok(bytes) => bytes,
            Err(problem) => {
                tracing::debug!(%problem, "request body not read");
                return Ok(self.refuse(head.uri.path(), &Refusal::flat(413, "Payload too large")));
            }
        };
        let query = Query::try_from_uri(&head.uri).map_or_else(|_| Vec::new(), |Query(all)| all);
        let body: Result<Value, _> = serde_json::from_slice(&bytes);
        self.ledger.record(RecordedRequest {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: query.clone(),
            body: body.as_ref().map_or(Value::Null, Value::clone),
            at: self.clock.now(),
            arrived,
        });
        if self.media.holds(&head.uri) {
            return std::future::pending().await;
        }
        if let Some(file) = self.media.fetched(&head.method, &head.uri, &query) {
            return Ok(file);
        }
        let allowance = match self.admit(&endpoint, &head.headers) {
            Ok(allowance) => allowance,
            Err(refusal) => return Ok(self.refuse(head.uri.path(), &refusal)),
        };
        let ending = match (endpoint, body) {
            (Endpoint::List(_), _) => self.list(&query).await,
            (Endpoint::Post(_), Ok(body)) => self.post(body, arrived).await,
            (Endpoint::Post(_), Err(_)) => {
                Refusal::meta(400, 100, "Invalid JSON in request body").into()
            }
            (Endpoint::Upload(_), _) => self.upload(&head.headers, bytes).await,
            (Endpoint::File(id), _) => self.file(id, &query),
            (Endpoint::Webhooks, body) => {
                let request = (&head.method, head.uri.path(), query.as_slice());
                self.manage(request, &body.unwrap_or_default()).await
            }
            (Endpoint::Unknown(what), _) => Refusal::not_emulated(&what).into(),
        };
        self.finish(head.uri.path(), ending, &allowance)
    }

    /// The answer with its headers, or the end without one.
    fn finish(
        &self,
        path: &str,
        ending: Ending,
        allowance: &Allowance,
    ) -> Result<Response, Broken> {
        let mut response = match ending {
            Ending::Answer(body) => respond(200, &body.to_string()),
            Ending::Platform(status, body) => respond(status, &body.to_string()),
            Ending::NotJson => respond(200, "<!doctype html><title>One moment, please</title>"),
            Ending::Refusal(refusal) => self.refuse(path, &refusal),
            Ending::Broken => return Err(Broken),
        };
        allowance.write(response.headers_mut());
        self.date(&mut response);
        Ok(response)
    }

    /// The order of the checks is the order of what Kapso tells: endpoint, key, limit, number.
    fn admit(&self, endpoint: &Endpoint<'_>, headers: &HeaderMap) -> Result<Allowance, Refusal> {
        if let Endpoint::Unknown(what) = endpoint {
            return Err(Refusal::not_emulated(what));
        }
        if !self.key_fits(headers) {
            return Err(Refusal::unauthorized());
        }
        let used = self.ledger.count_request();
        let allowance = match self.requests_per_minute {
            Some(limit) if used > limit => return Err(Refusal::rate_limited(LIMIT_WAIT)),
            Some(limit) => Allowance {
                limit,
                remaining: limit - used,
            },
            None => Allowance {
                limit: NOMINAL_LIMIT,
                remaining: NOMINAL_LIMIT,
            },
        };
        match endpoint.number() {
            Some(number) if number != self.names.number.as_str() => {
                Err(Refusal::flat(404, "Phone number not found"))
            }
            Some(_) | None => Ok(allowance),
        }
    }

    fn key_fits(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
        text("x-api-key").or(bearer) == Some(self.key.expose_secret())
    }

    async fn list(&self, parameters: &[(String, String)]) -> Ending {
        let query = match ListQuery::read(parameters) {
            Ok(query) => query,
            Err(refusal) => return refusal.into(),
        };
        let fault = self.faults.take_list();
        sleep_unless_zero(self.latency).await;
        match &fault {
            ListFault::ServerError => return Refusal::server_error().into(),
            ListFault::RateLimited(wait) => return Refusal::rate_limited(*wait).into(),
            ListFault::Refuse(refusal) => return refusal.clone().into(),
            ListFault::Reset => return Ending::Broken,
            ListFault::Hang => return std::future::pending().await,
            ListFault::NotJson => return Ending::NotJson,
            ListFault::Delay(delay) => sleep(*delay).await,
            ListFault::Pass | ListFault::MalformedElement | ListFault::RepeatedPage => {}
        }
        let mut page = self.ledger.page(&query);
        if fault == ListFault::MalformedElement {
            page.spoil();
        }
        if fault == ListFault::RepeatedPage {
            page.repeat();
        }
        Ending::Answer(page.body())
    }

    /// Manages the number's webhooks.
    async fn manage(&self, request: (&Method, &str, &[(String, String)]), body: &Value) -> Ending {
        let course = Course::from(self.faults.take_webhook());
        sleep_unless_zero(self.latency + course.delay).await;
        if let Some(ending) = end(course.before).await {
            return ending;
        }
        let answered = self.registry.answer(&self.names.number, request, body);
        self.ledger.touch();
        if let Some(ending) = end(course.after).await {
            return ending;
        }
        answered.map_or_else(Ending::from, |(status, body)| {
            Ending::Platform(status, body)
        })
    }

    /// Keeps a file of the business (kapso.md 2.6).
    async fn upload(&self, headers: &HeaderMap, bytes: Bytes) -> Ending {
        let kept = media::uploaded(headers, bytes).await.and_then(|media| {
            let too_large = |refused: MediaRefused| Refusal::flat(413, &refused.to_string());
            self.media.keep(media).map_err(too_large)
        });
        match kept {
            Ok(id) => Ending::Answer(json!({ "id": id })),
            Err(refusal) => refusal.into(),
        }
    }

    /// What is known of a file, and where it can be fetched (kapso.md 2.13).
    fn file(&self, id: &str, parameters: &[(String, String)]) -> Ending {
        let number = parameters
            .iter()
            .find(|(name, _)| name == "phone_number_id");
        if number.is_none_or(|(_, number)| number != self.names.number.as_str()) {
            return Refusal::flat(400, "phone_number_id is required").into();
        }
        match self.media.described(id) {
            Some(described) => Ending::Answer(described),
            None => {
                let message = format!("Object with ID '{id}' does not exist");
                Refusal::meta(404, 100, &message).into()
            }
        }
    }

    async fn post(&self, body: Value, arrived: Instant) -> Ending {
        match Post::read(body, &self.names) {
            Ok(Post::Mark { message, typing }) => self.mark(&message, typing).await,
            Ok(Post::Send(message)) => self.send(*message, arrived).await,
            Err(refusal) => refusal.into(),
        }
    }

    async fn mark(&self, message: &str, typing: bool) -> Ending {
        let course = Course::from(self.faults.take_mark());
        sleep_unless_zero(self.latency + course.delay).await;
        let proper = Ending::Answer(json!({ "success": true }));
        if let Some(ending) = end(course.before).await {
            return ending;
        }
        if !self.ledger.mark_read(message, typing) {
            return Refusal::meta(400, 100, "Invalid parameter: message_id").into();
        }
        end(course.after).await.unwrap_or(proper)
    }

    async fn send(&self, message: NewMessage, arrived: Instant) -> Ending {
        let customer = customer_key(&message.to);
        let course = Course::from(self.faults.take_send(&customer));
        if let Outcome::Refused(refusal) = course.before {
            return refusal.into();
        }
        if self.faults.window_is_closed(&customer) && !message.is_template() {
            return Refusal::window_closed().into();
        }
        let Some(_in_flight) = self.ledger.begin_send(&message.to) else {
            return Refusal::in_flight().into();
        };
        sleep_unless_zero(self.latency + course.delay).await;
        if let Some(ending) = end(course.before).await {
            return ending;
        }
        let to = message.to.clone();
        let accepted = Accepted {
            origin: "cloud_api",
            listed: !self.faults.sends_are_unlisted(),
            answer_lost: !matches!(course.after, Outcome::Proper),
            arrived,
        };
        let id = self.ledger.accept(message, &accepted);
        self.deliver(&id);
        let proper = Ending::Answer(NewMessage::answer(&to, &id));
        end(course.after).await.unwrap_or(proper)
    }

    /// Lets the customer's phone get the message, where that happens by itself.
    pub(super) fn deliver(&self, message: &MessageId) {
        match self.delivered_after {
            None => {}
            Some(Duration::ZERO) => {
                self.ledger.grow(message, Status::Delivered);
            }
            Some(delay) => {
                let ledger = Arc::clone(&self.ledger);
                let message = message.clone();
                self.tracker.spawn(async move {
                    sleep(delay).await;
                    ledger.grow(&message, Status::Delivered);
                });
            }
        }
    }

    fn refuse(&self, path: &str, refusal: &Refusal) -> Response {
        self.ledger.note(Event::Refused {
            path: path.to_owned(),
            status: refusal.status,
        });
        let mut response = respond(refusal.status, &refusal.body.to_string());
        let wait = refusal.retry_after.as_deref();
        if let Some(wait) = wait.and_then(|wait| wait.parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        self.date(&mut response);
        response
    }

    /// Dates an answer by the stand-in's clock, which may be ahead of its client's or behind.
    fn date(&self, response: &mut Response) {
        if let Ok(date) = http_date(self.clock.now()).parse() {
            response.headers_mut().insert(header::DATE, date);
        }
    }
}

/// What remains of the minute's requests.
struct Allowance {
    limit: u32,
    remaining: u32,
}

impl Allowance {
    fn write(&self, headers: &mut HeaderMap) {
        headers.insert("x-ratelimit-limit", self.limit.into());
        headers.insert("x-ratelimit-remaining", self.remaining.into());
    }
}

/// How a request ends by a fault; none when it goes on.
async fn end(outcome: Outcome) -> Option<Ending> {
    match outcome {
        Outcome::Proper => None,
        Outcome::Refused(refusal) => Some(refusal.into()),
        Outcome::NotJson => Some(Ending::NotJson),
        Outcome::Reset => Some(Ending::Broken),
        Outcome::Hang => std::future::pending().await,
    }
}

/// A sleep of no length still waits for the timer's next millisecond.
async fn sleep_unless_zero(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

fn respond(status: u16, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if body.starts_with('<') {
        "text/html"
    } else {
        "application/json"
    };
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
