//! Files: where they come from, where they may not come from, and how much of them.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::Response;
use kapso::media::{Downloaded, Downloads, Egress, Limits, MediaError, Names};
use kapso::{Client, Url};
use model::{HostPattern, Media, MediaKind};

use crate::server::{NUMBER, Server, answer};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR the rest of a picture";

fn picture(id: Option<&str>, url: Option<&str>) -> Media {
    Media {
        kind: MediaKind::Image,
        id: id.map(str::to_owned),
        url: url.map(str::to_owned),
        mime: Some("image/png".to_owned()),
        filename: None,
        caption: None,
        transcript: None,
    }
}

fn origin(server: &Server) -> Url {
    server.url().parse().unwrap()
}

/// What the client of `server` may fetch, with names that lead to this machine and into a private network.
fn egress(server: &Server) -> Egress {
    Egress {
        names: Names::Table(HashMap::from([
            (
                "x.kapso.ai".to_owned(),
                vec!["169.254.169.254".parse().unwrap()],
            ),
            (
                "app.kapso.ai".to_owned(),
                vec!["127.0.0.1".parse().unwrap()],
            ),
        ])),
        ..Egress::of(
            &origin(server),
            vec![HostPattern::new("*.kapso.ai").unwrap()],
            Limits::default(),
        )
    }
}

async fn fetched(
    client: &Client,
    egress: Egress,
    media: &Media,
) -> (Result<Downloaded, MediaError>, Vec<u8>) {
    let mut bytes = Vec::new();
    let ended = client
        .media(media, &Downloads::new(egress).unwrap(), &mut bytes)
        .await;
    (ended, bytes)
}

fn redirect(to: &str) -> Response<Body> {
    let response = Response::builder().status(302).header("location", to);
    response.body(Body::empty()).unwrap()
}

/// A server that serves a picture at `/file`, and says so of the id `good`.
async fn server() -> Server {
    Server::start(|asked| {
        let host = asked.headers["host"].to_str().unwrap();
        Some(match asked.path.rsplit_once('/').unwrap().1 {
            "file" => answer(200, PNG),
            "moved" => redirect("/file"),
            "round" => redirect("/round"),
            "private" => redirect("https://x.kapso.ai/latest/meta-data"),
            "rebound" => redirect("https://app.kapso.ai/latest/meta-data"),
            "elsewhere" => redirect("http://127.0.0.1:9/latest/meta-data"),
            "bare" => redirect("https://169.254.169.254/latest/meta-data"),
            "look-alike" => redirect("https://api.kapso.ai.evil.example/"),
            "plain" => redirect("http://api.kapso.ai/"),
            "good" => answer(
                200,
                format!(r#"{{"id":"good","download_url":"http://{host}/file"}}"#),
            ),
            "no-url" => answer(
                200,
                r#"{"id":"no-url","url":"https://lookaside.fbsbx.com/x"}"#,
            ),
            _ => answer(404, "gone"),
        })
    })
    .await
    .unwrap()
}

fn at(server: &Server, path: &str) -> String {
    origin(server).join(path).unwrap().to_string()
}

#[tokio::test]
async fn a_file_comes_from_the_address_of_the_message_without_the_key() {
    let server = server().await;
    let url = at(&server, "/moved");
    let (ended, bytes) = fetched(
        &server.client().unwrap(),
        egress(&server),
        &picture(Some("good"), Some(&url)),
    )
    .await;
    let file = ended.unwrap();
    assert_eq!((file.bytes, file.mime()), (PNG.len() as u64, "image/png"));
    assert_eq!(bytes, PNG);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for request in asked {
        assert!(
            request.headers.get("x-api-key").is_none(),
            "{}",
            request.path
        );
    }
}

#[tokio::test]
async fn c4_where_the_address_is_late_or_gone_kapso_gives_another_one() {
    let server = server().await;
    let gone = at(&server, "/gone");
    for url in [
        None,
        Some(gone.as_str()),
        Some("https://lookaside.fbsbx.com/x"),
    ] {
        let (ended, bytes) = fetched(
            &server.client().unwrap(),
            egress(&server),
            &picture(Some("good"), url),
        )
        .await;
        assert!(ended.is_ok(), "{url:?}: {ended:?}");
        assert_eq!(bytes, PNG);
    }
    let asked = server.asked();
    let told = asked
        .iter()
        .find(|request| request.path.ends_with("/good"))
        .unwrap();
    assert_eq!(told.parameter("phone_number_id"), Some(NUMBER));
    assert!(told.headers.get("x-api-key").is_some());
    let file = asked
        .iter()
        .find(|request| request.path == "/file")
        .unwrap();
    assert!(file.headers.get("x-api-key").is_none());
}

#[tokio::test]
async fn c13_no_address_and_no_redirect_leads_off_the_listed_public_hosts() {
    let server = server().await;
    for (path, private) in [
        ("/private", true),
        ("/rebound", true),
        ("/elsewhere", false),
        ("/bare", false),
        ("/look-alike", false),
        ("/plain", false),
    ] {
        let url = at(&server, path);
        let (ended, bytes) = fetched(
            &server.client().unwrap(),
            egress(&server),
            &picture(None, Some(&url)),
        )
        .await;
        let refused = match ended {
            Err(MediaError::Private { .. }) => private,
            Err(MediaError::Forbidden { .. }) => !private,
            _ => false,
        };
        assert!(refused, "{path}: {ended:?}");
        assert!(bytes.is_empty());
    }
    let round = at(&server, "/round");
    let media = picture(None, Some(&round));
    let (ended, _) = fetched(&server.client().unwrap(), egress(&server), &media).await;
    assert!(
        matches!(ended, Err(MediaError::TooManyRedirects)),
        "{ended:?}"
    );
}

#[tokio::test]
async fn c14_an_id_that_is_a_path_is_not_asked_for() {
    let server = server().await;
    for id in [
        "../../platform/v1/x",
        "..",
        ".",
        "",
        "a/b",
        "a%2fb",
        "a?b",
        "é",
    ] {
        let media = picture(Some(id), None);
        let (ended, _) = fetched(&server.client().unwrap(), egress(&server), &media).await;
        assert!(
            matches!(ended, Err(MediaError::InvalidId)),
            "{id}: {ended:?}"
        );
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_file_is_cut_off_at_the_limit_of_its_kind() {
    let server = Server::start(|asked| {
        // Without a length, and with one.
        let chunks = (0..64).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1024]));
        let stream = Body::from_stream(futures_util::stream::iter(chunks));
        let body = if asked.path == "/stream" {
            stream
        } else {
            vec![0_u8; 65_536].into()
        };
        Some(answer(200, body))
    })
    .await
    .unwrap();
    for path in ["/stream", "/whole"] {
        let url = at(&server, path);
        let limits = Limits {
            image: 10_000,
            ..Limits::default()
        };
        let egress = Egress {
            limits,
            ..egress(&server)
        };
        let media = picture(None, Some(&url));
        let (ended, bytes) = fetched(&server.client().unwrap(), egress, &media).await;
        assert!(
            matches!(ended, Err(MediaError::TooLarge { limit: 10_000 })),
            "{ended:?}"
        );
        assert!(bytes.len() <= 10_000);
    }
}

#[tokio::test]
async fn what_went_wrong_is_told_without_the_address() {
    let server = server().await;
    let secret = at(&server, "/gone?signed=very-secret");
    for (media, passes) in [
        (picture(None, Some(&secret)), true),
        (picture(Some("no-url"), None), true),
        (picture(None, None), false),
    ] {
        let (ended, _) = fetched(&server.client().unwrap(), egress(&server), &media).await;
        let error = ended.unwrap_err();
        assert_eq!(error.may_pass(), passes, "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}
