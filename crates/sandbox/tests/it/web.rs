//! The page's server, asked as a browser asks it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use model::{Identity, MessageId};
use sandbox::kapso::{KapsoStandIn, SendFault, WebhookTarget};
use sandbox::openclaw::{self, OpenClawStandIn};
use sandbox::web::{Agent, Options, Person, Trace, WebPhone};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::http::{ANA, Answer, BOB, exchange_at, options, send, start};

/// More than any step of a test takes.
const PLENTY: Duration = Duration::from_secs(10);

/// A page, and what is behind it.
struct Page {
    kapso: KapsoStandIn,
    agent: OpenClawStandIn,
    phone_url: String,
    address: SocketAddr,
    allowed: tokio::sync::watch::Receiver<Vec<Identity>>,
    _stop: DropGuard,
}

impl Page {
    async fn open() -> Self {
        Self::over(start(options()).await).await
    }

    async fn over(kapso: KapsoStandIn) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let agent =
            OpenClawStandIn::start(listener, openclaw::Options::default(), stop.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ana = Person {
            name: "Ana".to_owned(),
            id: Identity::new(ANA).unwrap(),
            allowed: true,
        };
        let options = Options {
            kapso: kapso.clone(),
            agent: Agent::Scripted(agent.clone()),
            trace: nothing_known(),
            people: vec![ana],
        };
        let phone = WebPhone::new(listener, options, stop.clone()).unwrap();
        let (phone_url, allowed) = (phone.url(), phone.allowed());
        tokio::spawn(phone.serve());
        Self {
            kapso,
            agent,
            phone_url,
            address,
            allowed,
            _stop: stop.drop_guard(),
        }
    }

    fn path(&self, name: &str) -> String {
        let (_, path) = self
            .phone_url
            .split_once(&self.address.to_string())
            .unwrap();
        format!("{path}{name}")
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        exchange_at(self.address, request).await.unwrap()
    }

    fn get(&self, name: &str) -> Request<Body> {
        let request = Request::get(self.path(name)).header(header::HOST, self.address.to_string());
        request.body(Body::empty()).unwrap()
    }

    fn post(&self, name: &str, body: &Value) -> Request<Body> {
        let request = Request::post(self.path(name))
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json");
        request.body(Body::from(body.to_string())).unwrap()
    }

    /// Ana writes; gives the answer of the page's server.
    async fn write(&self, kind: &str, part: Value) -> Answer {
        let body = json!({ "customer": ANA, "kind": kind, "part": part });
        self.ask(self.post("send", &body)).await
    }
}

/// A bridge that knows of no message.
fn nothing_known() -> Trace {
    Arc::new(|_| Box::pin(async { Ok(Vec::new()) }))
}

/// The events of a page that is opened now: names and data.
async fn events(page: &Page) -> impl StreamExt<Item = (String, Value)> + Unpin {
    let stream = TcpStream::connect(page.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(page.get("events")).await.unwrap();
    let body = Body::new(response.into_body()).into_data_stream();
    let state = (body, String::new(), sender);
    Box::pin(futures_util::stream::unfold(
        state,
        |(mut body, mut read, sender)| async move {
            while !read.contains("\n\n") {
                let more = timeout(PLENTY, body.next()).await.unwrap()?.unwrap();
                read.push_str(std::str::from_utf8(&more).unwrap());
            }
            let (event, rest) = read.split_once("\n\n")?;
            let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
            let told = (name.to_owned(), serde_json::from_str(data).unwrap());
            Some((told, (body, rest.to_owned(), sender)))
        },
    ))
}

/// The next event of this name.
async fn next(events: &mut (impl StreamExt<Item = (String, Value)> + Unpin), name: &str) -> Value {
    loop {
        let (told, data) = events.next().await.unwrap();
        if told == name {
            return data;
        }
    }
}

#[tokio::test]
async fn the_page_lies_under_its_secret_alone() {
    let page = Page::open().await;
    let shown = page.ask(page.get("")).await;
    assert_eq!(shown.status, 200);
    assert!(shown.text.contains("main.js"));
    let policy = shown.headers[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    for path in [
        "/",
        "/events",
        "/send",
        "/0123456789abcdef0123456789abcdef/",
    ] {
        let request = Request::get(path).header(header::HOST, page.address.to_string());
        let answer = page.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_name_that_is_rebound_and_a_foreign_page_are_refused() {
    let page = Page::open().await;
    let own = page.address.to_string();
    let foreign = [
        (header::HOST, "evil.example"),
        (header::ORIGIN, "http://evil.example"),
        (header::ORIGIN, "null"),
        (
            header::HeaderName::from_static("sec-fetch-site"),
            "cross-site",
        ),
    ];
    for (name, value) in foreign {
        let body = json!({ "customer": ANA, "kind": "text", "part": { "body": "hi" } });
        let mut request = page.post("send", &body);
        request
            .headers_mut()
            .insert(name.clone(), value.parse().unwrap());
        assert_eq!(page.ask(request).await.status, 403, "{name}: {value}");
    }
    assert!(page.kapso.messages().is_empty());
    let mut request = page.get("");
    let origin = format!("http://{own}").parse().unwrap();
    request.headers_mut().insert(header::ORIGIN, origin);
    assert_eq!(page.ask(request).await.status, 200);
}

#[tokio::test]
async fn a_page_is_told_everything_so_far_and_then_what_happens() {
    let page = Page::open().await;
    page.kapso.receive(ANA, "before");
    let mut events = events(&page).await;
    let hello = next(&mut events, "hello").await;
    assert_eq!(hello["people"][0]["key"], ANA);
    assert_eq!(hello["messages"][0]["object"]["text"]["body"], "before");
    let written = page.write("text", json!({ "body": "*hi*" })).await;
    assert_eq!(written.status, 200, "{}", written.text);
    let told = next(&mut events, "message").await;
    assert_eq!(told["object"]["id"], written.json()["id"]);
    assert_eq!(told["object"]["kapso"]["contact_name"], "Ana");
    send(&page.kapso, ANA, "hello").await.unwrap();
    let answered = next(&mut events, "message").await;
    assert_eq!(answered["object"]["kapso"]["direction"], "outbound");
    let seen = json!({ "messages": [answered["object"]["id"]] });
    assert_eq!(page.ask(page.post("seen", &seen)).await.json()["read"], 1);
    while next(&mut events, "message").await["object"]["kapso"]["status"] != "read" {}
}

#[tokio::test]
async fn a_picture_is_kept_announced_and_shown() {
    let page = Page::open().await;
    let request = Request::post(page.path("media?name=dot.png"))
        .header(header::HOST, page.address.to_string())
        .header(header::CONTENT_TYPE, "image/png");
    let kept = page
        .ask(request.body(Body::from("a picture")).unwrap())
        .await;
    let id = kept.json()["id"].clone();
    let written = page
        .write("image", json!({ "id": id, "caption": "look" }))
        .await;
    let message = MessageId::new(written.json()["id"].as_str().unwrap()).unwrap();
    let object = page.kapso.message(&message).unwrap().object;
    assert_eq!(object["image"]["mime_type"], "image/png");
    assert_eq!(object["kapso"]["media_data"]["byte_size"], 9);
    let url = object["kapso"]["media_url"].as_str().unwrap();
    let (_, path) = url.split_once(&page.kapso.address().to_string()).unwrap();
    let fetch = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        exchange_at(page.kapso.address(), request).await.unwrap()
    };
    let moved = fetch(path).await;
    assert_eq!(moved.status, 302);
    let fetched = fetch(moved.headers[header::LOCATION].to_str().unwrap()).await;
    assert_eq!((fetched.status, fetched.text.as_str()), (200, "a picture"));
    let shown = page
        .ask(page.get(&format!("media/{}", id.as_str().unwrap())))
        .await;
    assert_eq!(shown.headers[header::CONTENT_TYPE], "image/png");
    let gone = page.write("image", json!({ "id": "gone" })).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn what_a_browser_might_run_is_only_saved() {
    let page = Page::open().await;
    for kind in ["text/html", "image/svg+xml", "application/pdf"] {
        let request = Request::post(page.path("media?name=x"))
            .header(header::HOST, page.address.to_string())
            .header(header::CONTENT_TYPE, kind);
        let kept = page
            .ask(request.body(Body::from("<script>")).unwrap())
            .await
            .json();
        let shown = page.get(&format!("media/{}", kept["id"].as_str().unwrap()));
        let shown = page.ask(shown).await;
        assert_eq!(
            shown.headers[header::CONTENT_TYPE],
            "application/octet-stream",
            "{kind}"
        );
        assert_eq!(
            shown.headers[header::CONTENT_DISPOSITION],
            "attachment",
            "{kind}"
        );
    }
}

#[tokio::test]
async fn customers_are_added_and_the_allowlist_follows() {
    let mut page = Page::open().await;
    assert_eq!(page.allowed.borrow_and_update().len(), 1);
    let bob = json!({ "name": "Bob", "id": BOB, "allowed": false });
    assert_eq!(page.ask(page.post("people", &bob)).await.json()["key"], BOB);
    assert!(!page.allowed.has_changed().unwrap(), "he is not listed");
    let listed = json!({ "name": "Bob", "id": "+1 (555) 765-4321", "allowed": true });
    assert_eq!(page.ask(page.post("people", &listed)).await.status, 200);
    assert_eq!(page.allowed.borrow_and_update().len(), 2);
    for wrong in [("", BOB), ("Bob", "bob"), ("B".repeat(65).as_str(), BOB)] {
        let wrong = json!({ "name": wrong.0, "id": wrong.1, "allowed": true });
        assert_eq!(page.ask(page.post("people", &wrong)).await.status, 400);
    }
    let stranger = json!({ "customer": "+15550000000", "kind": "text", "part": { "body": "hi" } });
    assert_eq!(page.ask(page.post("send", &stranger)).await.status, 404);
    let order = page.write("order", json!({})).await;
    assert_eq!(order.status, 400, "{}", order.text);
}

#[tokio::test]
async fn a_fault_is_shown_until_it_has_struck() {
    let page = Page::open().await;
    let mut events = events(&page).await;
    assert_eq!(next(&mut events, "condition").await["armed"]["sends"], 0);
    let fault = json!({ "name": "409" });
    assert_eq!(page.ask(page.post("fault", &fault)).await.status, 200);
    assert_eq!(next(&mut events, "condition").await["armed"]["sends"], 1);
    assert_eq!(send(&page.kapso, ANA, "hi").await.unwrap().status, 409);
    let told = next(&mut events, "trouble").await;
    assert_eq!(told["text"], "Kapso answered 409 to /messages");
    assert_eq!(next(&mut events, "condition").await["armed"]["sends"], 0);
    let unknown = page
        .ask(page.post("fault", &json!({ "name": "flood" })))
        .await;
    assert!(
        unknown.status == 400 && unknown.text.contains("push-lost"),
        "{}",
        unknown.text
    );
}

#[tokio::test]
async fn the_gateway_is_switched_off_and_on() {
    let page = Page::open().await;
    let mut events = events(&page).await;
    assert_eq!(next(&mut events, "condition").await["gateway"], "up");
    page.ask(page.post("fault", &json!({ "name": "gateway-down" })))
        .await;
    assert_eq!(next(&mut events, "condition").await["gateway"], "down");
    page.kapso.faults().next_sends(1, SendFault::Reset);
    page.ask(page.post("fault", &json!({ "name": "off" })))
        .await;
    timeout(PLENTY, page.agent.up()).await.unwrap();
    while next(&mut events, "condition").await["gateway"] != "up" {}
}

#[tokio::test]
async fn the_wire_shows_the_webhook_and_the_requests_of_a_message() {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook", door.local_addr().unwrap());
    let stand_in = sandbox::kapso::StandInOptions {
        webhook: Some(WebhookTarget::new(url, "secret")),
        ..options()
    };
    let taking = axum::Router::new().route("/webhook", axum::routing::post(|| async {}));
    tokio::spawn(async move { axum::serve(door, taking).await });
    let page = Page::over(start(stand_in).await).await;
    let written = page.write("text", json!({ "body": "hi" })).await.json();
    let id = MessageId::new(written["id"].as_str().unwrap()).unwrap();
    timeout(PLENTY, page.kapso.delivered()).await.unwrap();
    crate::http::mark(&page.kapso, id.as_str()).await.unwrap();
    send(&page.kapso, BOB, "for somebody else").await.unwrap();
    let query = id.as_str().replace('+', "%2B").replace('=', "%3D");
    let wire = page
        .ask(page.get(&format!("wire?message={query}")))
        .await
        .json();
    assert_eq!(wire["message"]["customer"], ANA);
    assert_eq!(wire["deliveries"][0]["status"], 200);
    let headers = wire["deliveries"][0]["request"]["headers"].to_string();
    assert!(headers.contains("x-webhook-signature"), "{headers}");
    let requests = wire["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0]["body"]["status"], "read");
    let unknown = page.ask(page.get("wire?message=wamid.unknown")).await;
    assert_eq!(unknown.status, 404);
}
