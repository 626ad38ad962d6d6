//! A poller's control socket that answers from a script.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Cli;

/// The socket, for as long as this lives.
pub(crate) struct Scripted {
    asked: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl Scripted {
    /// Answers in the state directory of `cli`: the first answer to the first question, and so on; the last one again
    /// and again.
    pub(crate) fn start(cli: &Cli, answers: Vec<(u16, Value)>) -> Self {
        std::fs::create_dir_all(cli.state_dir()).unwrap();
        let path = cli.state_dir().join("control.sock");
        // What a socket before this one left behind.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
        let (questions, stopped) = (Arc::clone(&asked), stop.clone());
        let served = async move {
            let mut place = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (status, body) = answers.get(place).or(answers.last()).unwrap();
                place += 1;
                answer(stream, *status, body, &questions).await;
            }
        };
        tokio::spawn(async move { stopped.run_until_cancelled(served).await });
        Self {
            asked,
            _stop: stop.drop_guard(),
        }
    }

    /// Method and target of every question so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Notes one question, and answers it.
async fn answer(mut stream: UnixStream, status: u16, body: &Value, questions: &Mutex<Vec<String>>) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.unwrap();
        read.push(byte);
    }
    let head = String::from_utf8(read).unwrap();
    let question = head.split(" HTTP/1.1").next().unwrap();
    questions.lock().unwrap().push(question.to_owned());
    // An empty body is what a poller answers that does not know the question.
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// A refusal as the poller gives it.
pub(crate) fn refusal(status: u16, error: &str) -> Vec<(u16, Value)> {
    vec![(status, json!({ "error": error }))]
}
