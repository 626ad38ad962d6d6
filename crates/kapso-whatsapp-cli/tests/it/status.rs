//! `status`: over the control socket of a running bridge, and when there is none.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use bridge::control::{self, Control, People};
use bridge::guard::{Approvals, Guard, Rules};
use bridge::{Health, Nudge, Store};
use gateway::{DeviceKey, Gateway, Options, Timing};
use model::{Clock, NumberId};
use sandbox::openclaw::{self, OpenClawStandIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::{Cli, listener};

/// The control socket of a bridge in this state directory, with an agent, and without a list that was ever read.
async fn control(cli: &Cli) -> (OpenClawStandIn, DropGuard) {
    let (stop, tracker, clock) = (
        CancellationToken::new(),
        TaskTracker::new(),
        Clock::system(),
    );
    let agent =
        OpenClawStandIn::start(listener().await, openclaw::Options::default(), stop.clone())
            .unwrap();
    let options = Options {
        url: agent.url().parse().unwrap(),
        token: None,
        device: DeviceKey::generate().unwrap(),
        device_token_file: None,
        timing: Timing::default(),
    };
    let store = Store::open(&cli.state_dir(), clock.clone()).await.unwrap();
    let watched = Control {
        health: Health::default(),
        gateway: Gateway::open(options, stop.clone(), &tracker),
        store,
        started: clock.now(),
        clock,
        poll_most: std::time::Duration::from_secs(30),
        numbers: kapso::Client::new(kapso::Options {
            base_url: "http://127.0.0.1:9/v24.0".parse().unwrap(),
            api_key: "key".to_owned().into(),
            number: NumberId::new("1").unwrap(),
            deadlines: kapso::Deadlines::default(),
        })
        .unwrap()
        .into(),
        listening: None,
        nudge: Nudge::default(),
        people: People {
            guard: Arc::new(Guard::new([], Approvals::default(), Rules::default())),
            grants: BTreeMap::new(),
            agent: "main".to_owned(),
            issuer: None,
        },
    };
    watched.gateway.ready().await;
    let socket = control::bind(&cli.state_dir().join("control.sock")).unwrap();
    tokio::spawn(control::serve(socket, watched, stop.clone()));
    (agent, stop.drop_guard())
}

#[tokio::test]
async fn k5_status_works_whatever_the_webhooks_address_is_and_needs_no_account() {
    let cli = Cli::bare();
    cli.write_config("[webhook]\naddr = \"127.0.0.1:18790\"\n[delivery]\nmode = \"polling\"\n");
    let (_agent, _stop) = control(&cli).await;
    let ended = cli.run(&["status"]).await;
    assert!(ended.stdout.starts_with("kapso-whatsapp "), "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("gateway     connected, OpenClaw 2026.9.6, protocol 4"),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("list not read yet"), "{ended:?}");
    assert!(
        ended.stdout.lines().count() <= 24,
        "more than a screen: {ended:?}"
    );

    let json = cli.run(&["status", "--json"]).await.json();
    assert_eq!(json["gateway"]["state"], "connected");
    assert_eq!(json["pid"], std::process::id());
}

#[tokio::test]
async fn a_degraded_bridge_is_a_failure() {
    let cli = Cli::bare();
    let (_agent, _stop) = control(&cli).await;
    let ended = cli.run(&["status"]).await;
    assert!(
        ended.code == 1 && ended.stdout.contains("degraded"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn without_a_poller_the_exit_code_says_so() {
    let cli = Cli::bare();
    let ended = cli.run(&["status"]).await;
    assert!(
        ended.code == 5 && ended.stderr.contains("start kapso-whatsapp-poller"),
        "{ended:?}"
    );

    std::fs::create_dir_all(cli.state_dir()).unwrap();
    drop(UnixListener::bind(cli.state_dir().join("control.sock")).unwrap());
    let left_behind = cli.run(&["status", "--json"]).await;
    assert_eq!(
        (left_behind.code, &left_behind.json()["ok"]),
        (5, &false.into())
    );
}

#[tokio::test]
async fn something_else_on_the_socket_is_told() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "220 smtp\r\n",
        "",
    ] {
        let cli = Cli::bare();
        std::fs::create_dir_all(cli.state_dir()).unwrap();
        let socket = tokio::net::UnixListener::bind(cli.state_dir().join("control.sock")).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = socket.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let ended = cli.run(&["status"]).await;
        assert!(
            ended.code == 1 && ended.stderr.contains("no poller of this version"),
            "{answer:?}: {ended:?}"
        );
    }
}
