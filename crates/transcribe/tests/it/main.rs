//! Each provider, as a stand-in on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use tokio::net::TcpListener;
use transcribe::{Error, Options, Provider, Transcriber};

const OGG: &[u8] = b"OggS the rest of a voice note";
const KEY: &str = "very-secret";
const VERBOSE: &str =
    r#"{"text":" hello there ","segments":[{"no_speech_prob":0.1},{"no_speech_prob":0.9}]}"#;

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Asked {
    uri: String,
    authorization: String,
    body: String,
}

/// What a stand-in was asked.
type Log = Arc<Mutex<Vec<Asked>>>;

/// A stand-in that gives these answers in turn, the last one again and again; a status of 0 breaks the connection off.
async fn provider(answers: Vec<(u16, &'static str)>) -> (String, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let log = Log::default();
    let asked = Arc::clone(&log);
    let app = Router::new().fallback(move |request: Request| {
        let (asked, answers) = (Arc::clone(&asked), answers.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap();
            let n = {
                let mut asked = asked.lock().unwrap();
                asked.push(Asked {
                    uri: parts.uri.to_string(),
                    authorization: parts.headers["authorization"].to_str().unwrap().to_owned(),
                    body: String::from_utf8_lossy(&body).into_owned(),
                });
                asked.len()
            };
            let (status, text) = answers[(n - 1).min(answers.len() - 1)];
            let response = Response::builder();
            if status == 0 {
                let broken = std::io::Error::other("broken off");
                let parts = [Ok("{"), Err(broken)];
                let stream = Body::from_stream(futures_util::stream::iter(parts));
                return response.body(stream).unwrap();
            }
            let response = response.status(status).header("retry-after", "0");
            response.body(Body::from(text)).unwrap()
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, log)
}

fn options(provider: Provider, base: &str) -> Options {
    Options {
        provider,
        api_key: KEY.into(),
        model: None,
        language: None,
        base_url: Some(base.parse().unwrap()),
        timeout: Duration::from_secs(5),
        again_after: Duration::from_millis(1),
        max_bytes: 1 << 20,
        no_speech_threshold: 0.85,
        cache_ttl: Duration::from_secs(60),
    }
}

async fn words(options: Options) -> Result<String, Error> {
    let transcriber = Transcriber::new(options).unwrap();
    transcriber
        .words(OGG.to_vec(), "audio/ogg; codecs=opus")
        .await
}

#[tokio::test]
async fn openai_and_groq_get_the_sound_as_a_form() {
    for (provider_name, model) in [
        (Provider::OpenAi, "whisper-1"),
        (Provider::Groq, "whisper-large-v3"),
    ] {
        let (base, log) = provider(vec![(200, VERBOSE)]).await;
        let options = Options {
            language: Some("es".to_owned()),
            ..options(provider_name, &base)
        };
        assert_eq!(words(options).await.as_deref(), Ok("hello there"));
        let asked = log.lock().unwrap()[0].clone();
        assert_eq!(asked.uri, "/v1/audio/transcriptions");
        assert_eq!(asked.authorization, format!("Bearer {KEY}"));
        for part in [
            model,
            "verbose_json",
            "\r\n\r\nes\r\n",
            "voice.ogg",
            "audio/ogg",
            "OggS the rest",
        ] {
            assert!(asked.body.contains(part), "{part}: {}", asked.body);
        }
    }
}

#[tokio::test]
async fn deepgram_gets_the_sound_as_it_is() {
    let answer = r#"{"results":{"channels":[{"alternatives":[{"transcript":"hello"},{"transcript":"yellow"}]}]}}"#;
    let (base, log) = provider(vec![(200, answer)]).await;
    assert_eq!(
        words(options(Provider::Deepgram, &base)).await.as_deref(),
        Ok("hello")
    );
    let asked = log.lock().unwrap()[0].clone();
    assert!(
        asked.uri.starts_with("/v1/listen?model=nova-3&"),
        "{}",
        asked.uri
    );
    assert_eq!(asked.authorization, format!("Token {KEY}"));
    assert_eq!(asked.body.as_bytes(), OGG);
}

#[tokio::test]
async fn c16_what_may_pass_is_tried_again_and_what_may_not_is_not() {
    for (answers, expected, times) in [
        (
            vec![(0, ""), (503, ""), (200, VERBOSE)],
            Ok("hello there"),
            3,
        ),
        (vec![(429, ""), (200, VERBOSE)], Ok("hello there"), 2),
        (vec![(500, "")], Err(500), 3),
        (vec![(401, "")], Err(401), 1),
        (vec![(400, "")], Err(400), 1),
    ] {
        let (base, log) = provider(answers).await;
        match (words(options(Provider::OpenAi, &base)).await, expected) {
            (Ok(words), Ok(expected)) => assert_eq!(words, expected),
            (Err(Error::Refused { status, .. }), Err(expected)) => assert_eq!(status, expected),
            (ended, _) => panic!("{ended:?}"),
        }
        assert_eq!(log.lock().unwrap().len(), times);
    }
}

#[tokio::test]
async fn a_wait_longer_than_the_deadline_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let hasty = Options {
        timeout: Duration::from_millis(20),
        ..options(Provider::Groq, &base)
    };
    // Nobody accepts, so nobody answers.
    let after = hasty.timeout;
    assert_eq!(words(hasty).await, Err(Error::Deadline { after }));
}

#[tokio::test]
async fn silence_has_no_words() {
    for answer in [
        r#"{"text":"Thanks for watching!","segments":[{"no_speech_prob":0.95}]}"#,
        r#"{"text":"  "}"#,
    ] {
        let (base, _log) = provider(vec![(200, answer)]).await;
        assert_eq!(
            words(options(Provider::OpenAi, &base)).await,
            Err(Error::NoSpeech)
        );
    }
}

#[tokio::test]
async fn the_same_sound_is_sent_once_and_one_that_is_too_large_never() {
    let (base, log) = provider(vec![(200, VERBOSE)]).await;
    let transcriber = Transcriber::new(options(Provider::Groq, &base)).unwrap();
    for _ in 0..2 {
        let words = transcriber.words(OGG.to_vec(), "audio/ogg").await;
        assert_eq!(words.as_deref(), Ok("hello there"));
    }
    let large = transcriber.words(vec![0; (1 << 20) + 1], "audio/ogg").await;
    assert_eq!(large, Err(Error::TooLarge { limit: 1 << 20 }));
    assert_eq!(log.lock().unwrap().len(), 1);
    assert!(!format!("{transcriber:?}").contains(KEY));
}
